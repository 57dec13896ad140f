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
	Votes   []VoteCast   `json:"votes,omitempty"`   // one for each person, oldest first
	EndedAt time.Time    `json:"ended_at,omitzero"` // when Status became final
	EndedBy domain.Actor `json:"ended_by,omitzero"` // who withdrew it
}

var _ domain.State[State, Command, Event] = State{}

// Evolve folds one event. It never fails and leaves s as it was.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Requested:
		s.Request, s.Status = e, StatusPending
	case VoteCast:
		s.Votes = append(slices.Clip(s.Votes), e)
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

// AcceptedRoles lists the roles of which a voter must hold one at that time.
// None means that the permission to decide is enough. Once the escalation is
// due, its roles are accepted beside the requirement's.
func (s State) AcceptedRoles(at time.Time) []domain.RoleName {
	need := s.Request.Requirement
	if len(need.Roles) == 0 || need.Escalate == nil {
		return need.Roles
	}
	after, err := time.ParseDuration(need.Escalate.After)
	if err != nil || at.Before(s.Request.At.Add(after)) {
		return need.Roles
	}
	return append(slices.Clip(need.Roles), need.Escalate.Roles...)
}
