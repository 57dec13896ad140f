package commands

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/internal/ledger"
)

// delegate has a voter stand in for another from now on.
func (c *crowd) delegate(key string, from, to domain.Actor) domain.DelegationID {
	c.t.Helper()
	made, _, err := c.s.Delegate(context.Background(), c.call(from, key), Delegation{To: domain.MemberID(to.ID), Until: c.s.now().Add(24 * time.Hour)})
	c.must(err)
	return made.Delegation
}

func (c *crowd) vote(key string, by domain.Actor, out Requested, absent domain.Actor) (approval.State, error) {
	state, _, err := c.s.Decide(context.Background(), c.call(by, key), out.Approval, approval.Approve, "", out.Digest, domain.MemberID(absent.ID))
	return state, err
}

// A vote for an absent member counts once, as that member's; of a quorum of two
// one human never fills both places.
func TestVotesForAnAbsentMember(t *testing.T) {
	c := newCrowd(t, 1)
	ann, ben, cas, nobody := c.voters[0], c.voters[1], c.voters[2], domain.Actor{}
	out := c.request("ask", "payment.initiate")
	if _, err := c.vote("too early", ben, out, ann); code(err) != "delegation_required" {
		t.Errorf("without a delegation: %v", err)
	}
	id := c.delegate("leave", ann, ben)
	state, err := c.vote("for ann", ben, out, ann)
	c.must(err)
	want := approval.VoteCast{By: ben, OnBehalf: ann, Delegation: id, Roles: []domain.RoleName{domain.RoleOperationsSupervisor},
		Choice: approval.Approve, Digest: out.Digest, At: state.Votes[0].At}
	if diff := cmp.Diff([]approval.VoteCast{want}, state.Votes); diff != "" || state.Status != approval.StatusPending {
		t.Errorf("%s (-want +got):\n%s", state.Status, diff)
	}
	for _, row := range []struct {
		name       string
		by, absent domain.Actor
		want       string
	}{
		{"for oneself too", ben, nobody, "already_voted"},
		{"the absent member after all", ann, nobody, "already_voted"},
		{"for one who delegated to somebody else", cas, ann, "delegation_required"},
		{"for somebody who is no member", ben, domain.MemberActor("mb_none"), "delegation_required"},
		{"for oneself as if absent", ben, ben, "delegation_required"},
	} {
		if _, err := c.vote(row.name, row.by, out, row.absent); code(err) != row.want {
			t.Errorf("%s: %v, want %s", row.name, err, row.want)
		}
	}
	if state, err = c.vote("cas", cas, out, nobody); err != nil || state.Status != approval.StatusApproved {
		t.Errorf("the second person: %s, %v", state.Status, err)
	}
}

// What ends a delegation ends it for the next vote: its end, its time, and the
// loss of the roles it was about.
func TestDelegationsEnd(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(c *crowd, id domain.DelegationID){
		"by who stands in": func(c *crowd, id domain.DelegationID) {
			_, err := c.s.EndDelegation(ctx, c.call(c.voters[1], "end"), id)
			c.must(err)
		},
		"by time": func(c *crowd, _ domain.DelegationID) { c.clock = c.clock.Add(25 * time.Hour) },
		"by other roles": func(c *crowd, _ domain.DelegationID) {
			_, err := c.s.SetRoles(ctx, c.call(c.owner, "roles"), c.voters[0], []domain.RoleName{domain.RoleOwner}, nil, nil)
			c.must(err)
		},
		"by removal": func(c *crowd, _ domain.DelegationID) {
			_, err := c.s.RemoveMember(ctx, c.call(c.owner, "remove"), domain.MemberID(c.voters[0].ID))
			c.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd(t, 1)
			end(c, c.delegate("leave", c.voters[0], c.voters[1]))
			out := c.request("ask", "payment.initiate")
			if _, err := c.vote("vote", c.voters[1], out, c.voters[0]); code(err) != "delegation_required" {
				t.Errorf("the vote: %v, want delegation_required", err)
			}
		})
	}
}

// A repeat of a delegation is told what was recorded, also when the stream has
// forgotten the call itself.
func TestDelegationsAreRepeated(t *testing.T) {
	c, ctx := newCrowd(t, 1), context.Background()
	in := Delegation{To: domain.MemberID(c.voters[1].ID), Until: c.s.now().Add(72 * time.Hour), Reason: "leave"}
	first, receipt, err := c.s.Delegate(ctx, c.call(c.voters[0], "leave"), in)
	c.must(err)
	before := count(t, c.f.Log)
	again, repeat, err := c.s.Delegate(ctx, c.call(c.voters[0], "leave"), in)
	if diff := cmp.Diff(first, again); err != nil || diff != "" || !repeat.Replayed || repeat.Position != receipt.Position {
		t.Errorf("the repeat: %+v, %v (-first +repeat):\n%s", repeat, err, diff)
	}
	c.clock = c.clock.Add(2 * seenFor)
	_, _, err = c.s.RegisterAgent(ctx, c.call(c.owner, "makes the stream forget"), "other", nil, nil)
	c.must(err)
	late, _, err := c.s.Delegate(ctx, c.call(c.voters[0], "leave"), in)
	late.At = first.At
	if diff := cmp.Diff(first, late); err != nil || diff != "" {
		t.Errorf("the late repeat: %v (-first +late):\n%s", err, diff)
	}
	if after := count(t, c.f.Log); after != before+1 {
		t.Errorf("the repeats wrote %d records", after-before-1)
	}
}

// A vote that relies on the escalation writes first that it came; what is
// shown before says so already.
func TestEscalationIsWrittenBeforeTheVote(t *testing.T) {
	c, ctx := newCrowd(t, 1), context.Background()
	rule := policy.Rule{ID: "one", Actions: []domain.ActionKind{"table.update"}, Effect: gate.RequireApproval, Reason: "data",
		Approval: &gate.Approval{Roles: []domain.RoleName{domain.RoleOperationsSupervisor}, Count: 1,
			Escalate: &gate.Escalation{After: "1h", Roles: []domain.RoleName{domain.RoleOwner}}}}
	_, _, err := c.s.WritePolicy(ctx, c.call(c.owner, "tables"), "tables", policy.Policy{Workflow: "*", Mode: policy.Enforce, Default: gate.Allow,
		Rules: []policy.Rule{rule}}, nil)
	c.must(err)
	out := c.request("ask", "table.update")
	if _, err := c.vote("early", c.owner, out, domain.Actor{}); code(err) != "role_required" {
		t.Errorf("before the escalation: %v", err)
	}
	c.clock = c.clock.Add(time.Hour)
	shown, err := c.s.Approval(ctx, "acme", out.Approval)
	c.must(err)
	if roles := shown.AcceptedRoles(); len(roles) != 2 || !shown.Escalated() {
		t.Errorf("shown with the roles %v, escalated %v", roles, shown.Escalated())
	}
	state, err := c.vote("now", c.owner, out, domain.Actor{})
	c.must(err)
	const want = "approval.requested.v1 approval.escalated.v1 approval.vote_cast.v1 approval.approved.v1"
	if types := strings.Join(c.types(ledger.ApprovalStream("acme", out.Approval)), " "); types != want || state.Status != approval.StatusApproved {
		t.Errorf("the approval is %s after %s, want %s", state.Status, types, want)
	}
}
