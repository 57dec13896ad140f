// Package approval is a human's decision on one exact action, as one
// aggregate, the stream "<workspace>/approval-<id>". It opens once, collects
// votes, and ends in exactly one of four ways: approved, denied, expired or
// withdrawn. A vote names the digest of the action its voter saw, so that a
// decision can never be carried over to another action.
package approval

import (
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Status is where an approval stands. The zero Status is that of an approval
// that was never opened.
type Status string

// The statuses. Every one but StatusPending is final.
const (
	StatusPending   Status = "pending"
	StatusApproved  Status = "approved"
	StatusDenied    Status = "denied"
	StatusExpired   Status = "expired"
	StatusWithdrawn Status = "withdrawn"
)

// State is one approval. Its fields are exported because it is kept as a JSON
// snapshot; it is changed only by Evolve.
type State struct {
	Request Requested    `json:"request,omitzero"`
	Status  Status       `json:"status,omitempty"`
	Votes   []VoteCast   `json:"votes,omitempty"`   // oldest first; nobody has a part in two of them
	EndedAt time.Time    `json:"ended_at,omitzero"` // when Status became final
	EndedBy domain.Actor `json:"ended_by,omitzero"` // who withdrew it

	EscalatedAt time.Time         `json:"escalated_at,omitzero"` // zero: it was not escalated
	Wider       []domain.RoleName `json:"wider,omitempty"`       // the escalation's roles, once it was
}

var _ domain.State[State, Command, Event] = State{}

// Evolve folds one event. It never fails and leaves s as it was.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Requested:
		s.Request, s.Status = e, StatusPending
	case VoteCast:
		s.Votes = append(slices.Clip(s.Votes), e)
	case Escalated:
		s.EscalatedAt, s.Wider = e.At, append([]domain.RoleName(nil), e.Roles...)
	case Approved:
		s.Status, s.EndedAt = StatusApproved, e.At
	case Denied:
		s.Status, s.EndedAt = StatusDenied, e.At
	case Expired:
		s.Status, s.EndedAt = StatusExpired, e.At
	case Withdrawn:
		s.Status, s.EndedAt, s.EndedBy = StatusWithdrawn, e.At, e.By
	}
	return s
}

// Exists reports whether the approval was opened.
func (s State) Exists() bool { return s.Status != "" }

// Open reports whether the approval still waits for a decision. An approval
// that is overdue waits until its expiry is written.
func (s State) Open() bool { return s.Status == StatusPending }

// Overdue reports whether the approval waits but its time is over at.
func (s State) Overdue(at time.Time) bool { return s.Open() && !at.Before(s.Request.ExpiresAt) }

// Approvals is the number of people who approved so far.
func (s State) Approvals() int {
	n := 0
	for _, v := range s.Votes {
		if v.Choice == Approve {
			n++
		}
	}
	return n
}

// EscalatesAt is when an approval that nobody decided is escalated. It is zero
// where the requirement has no escalation, or one that would come only when the
// approval is over.
func (s State) EscalatesAt() time.Time {
	escalate := s.Request.Requirement.Escalate
	if escalate == nil {
		return time.Time{}
	}
	after, err := time.ParseDuration(escalate.After)
	at := s.Request.At.Add(after)
	if err != nil || after <= 0 || !at.Before(s.Request.ExpiresAt) {
		return time.Time{}
	}
	return at
}

// Escalated reports whether the escalation was written.
func (s State) Escalated() bool { return !s.EscalatedAt.IsZero() }

// EscalationDue reports whether the approval waits, its escalation's time has
// come, and that was not written yet.
func (s State) EscalationDue(at time.Time) bool {
	return s.escalatedBy(at) && !s.Escalated() && !s.Overdue(at)
}

// escalatedBy reports whether nobody decided before the escalation's time.
func (s State) escalatedBy(at time.Time) bool {
	due := s.EscalatesAt()
	return s.Open() && !due.IsZero() && !at.Before(due)
}

// AcceptedRoles lists the roles of which a voter must hold one: those of the
// requirement, and beside them the escalation's once that was written. None
// means that the permission to decide is enough.
func (s State) AcceptedRoles() []domain.RoleName {
	need := s.Request.Requirement.Roles
	if len(need) == 0 {
		return nil
	}
	accepted := slices.Clone(need)
	for _, role := range s.Wider {
		if !slices.Contains(accepted, role) {
			accepted = append(accepted, role)
		}
	}
	return accepted
}

// AsOf is the approval as somebody must see it at a moment: with the escalation
// or the expiry that is due, whether or not it was written yet. Nothing may be
// decided from it.
func (s State) AsOf(at time.Time) State {
	if s.EscalationDue(at) {
		s = s.Evolve(Escalated{Roles: s.widening(), At: s.EscalatesAt()})
	}
	if s.Overdue(at) {
		s = s.Evolve(Expired{At: s.Request.ExpiresAt})
	}
	return s
}

// widening lists the escalation's roles, never nil.
func (s State) widening() []domain.RoleName {
	return append([]domain.RoleName{}, s.Request.Requirement.Escalate.Roles...)
}
