package approvals

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections"
)

// Approval is an approval in a list. Its times are exact to the microsecond.
type Approval struct {
	ID        domain.ApprovalID
	Execution domain.ExecutionID
	Action    domain.ActionID
	Workflow  domain.Workflow
	Kind      domain.ActionKind
	Risk      string // "" if its rule does not say
	Requester domain.Actor
	Status    approval.Status // pending until its expiry is written
	Created   time.Time
	Expires   time.Time
	Ended     time.Time // zero while it is pending

	Roles      []domain.RoleName // one of which a voter must hold; none: the permission is enough
	Needed     int               // approvals
	Escalates  time.Time         // when holders of Escalation may decide too; zero: never
	Escalated  time.Time         // when that was written; zero: not yet
	Escalation []domain.RoleName
	Excluded   []domain.Actor // beside the requester
	Votes      []Vote         // oldest first

	Position eventlog.Position // of its newest record

	number int64 // position of its request
}

// Vote is that somebody voted, with For in that member's place.
type Vote struct {
	By      domain.Actor `json:"by"`
	For     domain.Actor `json:"for,omitzero"`
	Approve bool         `json:"approve,omitempty"`
}

// Approvals is the number of people who approved so far.
func (a *Approval) Approvals() (n int) {
	for _, v := range a.Votes {
		if v.Approve {
			n++
		}
	}
	return n
}

// begin is the row of a request.
func begin(e entry, r approval.Requested) *Approval {
	a := &Approval{ID: e.id, Execution: r.Execution, Action: r.Action, Workflow: r.Workflow, Kind: r.Kind, Risk: r.Requirement.Risk,
		Requester: r.Requester, Status: approval.StatusPending, Created: r.At, Expires: r.ExpiresAt, Roles: r.Requirement.Roles,
		Needed: r.Requirement.Count, Excluded: r.Excluded, Position: e.position, number: int64(e.position)}
	if a.Escalates = (approval.State{Request: r}).EscalatesAt(); !a.Escalates.IsZero() {
		a.Escalation = r.Requirement.Escalate.Roles
	}
	return a
}

// fold moves the row on.
func (a *Approval) fold(e entry) {
	a.Position = e.position
	switch e := e.event.(type) {
	case approval.VoteCast:
		a.Votes = append(a.Votes, Vote{By: e.By, For: e.OnBehalf, Approve: e.Choice == approval.Approve})
	case approval.Escalated:
		a.Escalated, a.Escalation = e.At, e.Roles
	case approval.Approved:
		a.end(approval.StatusApproved, e.At)
	case approval.Denied:
		a.end(approval.StatusDenied, e.At)
	case approval.Expired:
		a.end(approval.StatusExpired, e.At)
	case approval.Withdrawn:
		a.end(approval.StatusWithdrawn, e.At)
	}
}

func (a *Approval) end(status approval.Status, at time.Time) { a.Status, a.Ended = status, at }

// accepts is the roles whose holders may decide, each with the time from which
// they may; nothing once it is over.
func (a *Approval) accepts() map[domain.RoleName]int64 {
	switch {
	case a.Status != approval.StatusPending:
		return nil
	case len(a.Roles) == 0:
		return map[domain.RoleName]int64{anybody: 0}
	}
	roles := make(map[domain.RoleName]int64, len(a.Roles)+len(a.Escalation))
	for _, role := range a.Escalation {
		if roles[role] = micros(a.Escalates); !a.Escalated.IsZero() {
			roles[role] = 0
		}
	}
	for _, role := range a.Roles {
		roles[role] = 0
	}
	return roles
}

// anybody stands for whoever has the permission to decide, whatever the role.
const anybody domain.RoleName = ""

// Statuses are stored as their place in this list. A change of the list needs a
// new version of the model.
func statuses() [5]approval.Status {
	return [...]approval.Status{approval.StatusPending, approval.StatusApproved, approval.StatusDenied,
		approval.StatusExpired, approval.StatusWithdrawn}
}

// codeOf is -1 for a status that there is not.
func codeOf(s approval.Status) int64 {
	all := statuses()
	return int64(slices.Index(all[:], s))
}

// columns are what scan reads.
const columns = `a.number, a.id, a.execution, a.action, a.workflow, a.kind, a.risk, a.requester, a.status, a.created, a.expires, a.ended,
	a.roles, a.needed, a.escalates, a.escalated, a.escalation, a.excluded, a.votes, a.position`

func scan(s *sqlite.Stmt) (a Approval, err error) {
	status := s.ColumnInt64(8)
	if status < 0 || status >= int64(len(statuses())) {
		return a, fmt.Errorf("%w: it holds a status that there is not", projections.ErrUnusable)
	}
	a = Approval{number: s.ColumnInt64(0), ID: domain.ApprovalID(s.ColumnText(1)), Execution: domain.ExecutionID(s.ColumnText(2)),
		Action: domain.ActionID(s.ColumnText(3)), Workflow: domain.Workflow(s.ColumnText(4)), Kind: domain.ActionKind(s.ColumnText(5)),
		Risk: s.ColumnText(6), Requester: domain.ParseActor(s.ColumnText(7)), Status: statuses()[status],
		Created: instant(s.ColumnInt64(9)), Expires: instant(s.ColumnInt64(10)), Ended: instant(s.ColumnInt64(11)),
		Needed: s.ColumnInt(13), Escalates: instant(s.ColumnInt64(14)), Escalated: instant(s.ColumnInt64(15)),
		Position: eventlog.Position(s.ColumnInt64(19))}
	for column, list := range map[int]any{12: &a.Roles, 16: &a.Escalation, 17: &a.Excluded, 18: &a.Votes} {
		if json.Unmarshal([]byte(s.ColumnText(column)), list) != nil {
			return a, fmt.Errorf("%w: a list in it is not one", projections.ErrUnusable)
		}
	}
	return a, nil
}

// text is a list as it is stored.
func text[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	raw, err := json.Marshal(list)
	return string(raw), err
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
