package approval_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/gate"
)

var (
	owner  = []domain.RoleName{"owner"}
	due    = opened.Add(time.Hour)
	widens = approval.Escalated{Roles: owner, At: due}
)

// escalating asks the supervisors for an hour, and then the owners too.
func escalating(r *approval.Requested) {
	r.Requirement.Escalate = &gate.Escalation{After: "1h", Roles: owner}
}

// as gives a vote its roles and its time.
func as(roles []domain.RoleName, at time.Time) func(*approval.Vote) {
	return func(v *approval.Vote) { v.Roles, v.At = roles, at }
}

func castAs(by domain.Actor, roles []domain.RoleName, choice approval.Choice, at time.Time) approval.VoteCast {
	v := cast(by, choice)
	v.Roles, v.At = roles, at
	return v
}

func TestEscalation(t *testing.T) {
	first := []approval.Event{requested(escalating)}
	tests := []struct {
		name  string
		given []approval.Event
		when  approval.Command
		then  []approval.Event
	}{
		{"before it is due", first, approval.Escalate{At: due.Add(-1)}, nil},
		{"when it is due", first, approval.Escalate{At: due}, []approval.Event{widens}},
		{"again", append(first, widens), approval.Escalate{At: due.Add(time.Hour)}, nil},
		{"when the time is over", first, approval.Escalate{At: end}, nil},
		{"of what was decided", append(first, cast(bob, approval.Deny), approval.Denied{At: soon}), approval.Escalate{At: due}, nil},
		{"where the rule has none", []approval.Event{requested()}, approval.Escalate{At: due}, nil},
		{"that would come only when the time is over", []approval.Event{requested(func(r *approval.Requested) {
			r.Requirement.Escalate = &gate.Escalation{After: "4h", Roles: owner}
		})}, approval.Escalate{At: end.Add(-1)}, nil},
		{"that names nobody is told all the same", []approval.Event{requested(func(r *approval.Requested) {
			r.Requirement.Escalate = &gate.Escalation{After: "1h"}
		})}, approval.Escalate{At: due}, []approval.Event{approval.Escalated{Roles: []domain.RoleName{}, At: due}}},
		{"a vote that relies on it writes it first", first, vote(bob, approval.Approve, as(owner, due)),
			[]approval.Event{widens, castAs(bob, owner, approval.Approve, due), approval.Approved{At: due}}},
		{"a vote that does not rely on it leaves it to others", first, vote(bob, approval.Approve, as(supervisor, due)),
			[]approval.Event{castAs(bob, supervisor, approval.Approve, due), approval.Approved{At: due}}},
		{"a vote after it was written", append(first, widens), vote(bob, approval.Deny, as(owner, due)),
			[]approval.Event{castAs(bob, owner, approval.Deny, due), approval.Denied{At: due}}},
		{"a vote that relies on it when the time is over", first, vote(bob, approval.Approve, as(owner, end)),
			[]approval.Event{approval.Expired{At: end}}},
		{"what was written counts, whatever the clock says", append(first, widens), vote(bob, approval.Deny, as(owner, soon)),
			[]approval.Event{castAs(bob, owner, approval.Deny, soon), approval.Denied{At: soon}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Then(t, tt.then...) })
	}
}

func TestEscalationRefuses(t *testing.T) {
	story := given(requested(escalating))
	story.When(vote(bob, approval.Approve, as(owner, due.Add(-1)))).Refused(t, domain.Forbidden, "role_required")
	story.When(vote(bob, approval.Approve, as([]domain.RoleName{"auditor"}, due))).Refused(t, domain.Forbidden, "role_required")
	story.When(vote(carol, approval.Approve, as(owner, due))).Refused(t, domain.Forbidden, "separation_of_duties")
	story.When(vote(bob, approval.Approve, as(owner, due), func(v *approval.Vote) { v.Digest = "other" })).
		Refused(t, domain.Conflict, "action_changed")
}

// An escalation widens who may decide: it must not shut out those whom the
// permission alone lets decide.
func TestEscalationOfAnOpenRequirement(t *testing.T) {
	s := given(requested(escalating, func(r *approval.Requested) { r.Requirement.Roles = nil }), widens)
	s.When(vote(bob, approval.Deny, as(nil, due))).Accepted(t)
}

// A log written before escalations were events holds votes by their roles.
func TestVotesBeforeEscalationsWereWritten(t *testing.T) {
	s := given(requested(escalating, two), castAs(bob, owner, approval.Approve, due)).State()
	if s.Approvals() != 1 || s.Escalated() {
		t.Errorf("%d approvals, escalated %v; want the vote and no escalation", s.Approvals(), s.Escalated())
	}
	given(requested(escalating, two), castAs(bob, owner, approval.Approve, due)).
		When(vote(alice, approval.Approve, as(supervisor, due))).
		Then(t, castAs(alice, supervisor, approval.Approve, due), approval.Approved{At: due})
}

// AsOf shows what is due, and only that.
func TestAsOf(t *testing.T) {
	s := given(requested(escalating)).State()
	tests := []struct {
		name      string
		at        time.Time
		status    approval.Status
		escalated time.Time
		roles     []domain.RoleName
	}{
		{"before the escalation", due.Add(-1), approval.StatusPending, time.Time{}, supervisor},
		{"from the escalation on", due.Add(time.Minute), approval.StatusPending, due, []domain.RoleName{"operations_supervisor", "owner"}},
		{"when the time is over", end, approval.StatusExpired, time.Time{}, supervisor},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := s.AsOf(tt.at)
			if got.Status != tt.status || !got.EscalatedAt.Equal(tt.escalated) {
				t.Errorf("%s, escalated at %s; want %s, %s", got.Status, got.EscalatedAt, tt.status, tt.escalated)
			}
			if diff := cmp.Diff(tt.roles, got.AcceptedRoles()); diff != "" {
				t.Errorf("accepted roles (-want +got):\n%s", diff)
			}
			if got.Status == approval.StatusExpired && !got.EndedAt.Equal(end) {
				t.Errorf("shown as ended at %s, want %s", got.EndedAt, end)
			}
		})
	}
	if s.Escalated() || s.Status != approval.StatusPending {
		t.Error("looking changed the state")
	}
}
