package approval_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/gate"
)

var (
	opened = time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
	soon   = opened.Add(10 * time.Minute)
	end    = opened.Add(4 * time.Hour)

	bot   = domain.AgentActor("ag_bot")
	alice = domain.MemberActor("mb_alice")
	bob   = domain.MemberActor("mb_bob")
	carol = domain.MemberActor("mb_carol")

	supervisor = []domain.RoleName{"operations_supervisor"}
)

func requested(change ...func(*approval.Requested)) approval.Requested {
	r := approval.Requested{Approval: "ap_1", Execution: "ex_1", Action: "ac_1", Workflow: "invoices",
		Kind: "payment.initiate", Params: json.RawMessage(`{"amount":5}`), Digest: "digest",
		Requirement: gate.Approval{Roles: supervisor, Count: 1, ExpiresIn: "4h"}, Requester: bot,
		Excluded: []domain.Actor{carol}, ExpiresAt: end, At: opened}
	for _, c := range change {
		c(&r)
	}
	return r
}

func two(r *approval.Requested) { r.Requirement.Count = 2 }

func vote(by domain.Actor, choice approval.Choice, change ...func(*approval.Vote)) approval.Vote {
	v := approval.Vote{By: by, Roles: supervisor, Choice: choice, Reason: "Seen.", Digest: "digest", At: soon}
	for _, c := range change {
		c(&v)
	}
	return v
}

func cast(by domain.Actor, choice approval.Choice) approval.VoteCast {
	return approval.VoteCast{By: by, Roles: supervisor, Choice: choice, Reason: "Seen.", Digest: "digest", At: soon}
}

func given(events ...approval.Event) domaintest.Story[approval.State, approval.Command, approval.Event] {
	return domaintest.Given[approval.State](events...)
}

func TestAccepted(t *testing.T) {
	expired := approval.Expired{At: end}
	withdrawn := approval.Withdrawn{By: bot, Reason: "No need.", At: soon}
	tests := []struct {
		name  string
		given []approval.Event
		when  approval.Command
		then  []approval.Event
	}{
		{"opening sets the times", nil,
			approval.Open{Request: requested(func(r *approval.Requested) { r.At, r.ExpiresAt = end, end.Add(time.Hour) }), At: opened},
			[]approval.Event{requested()}},
		{"opening without an expiry waits a day", nil,
			approval.Open{Request: requested(func(r *approval.Requested) { r.Requirement.ExpiresIn = "" }), At: opened},
			[]approval.Event{requested(func(r *approval.Requested) {
				r.Requirement.ExpiresIn, r.ExpiresAt = "", opened.Add(24*time.Hour)
			})}},
		{"opening without parameters has an empty object", nil,
			approval.Open{Request: requested(func(r *approval.Requested) { r.Params = nil }), At: opened},
			[]approval.Event{requested(func(r *approval.Requested) { r.Params = json.RawMessage(`{}`) })}},
		{"opening again for the same action", []approval.Event{requested()}, approval.Open{Request: requested(), At: soon}, nil},
		{"one approval is enough", []approval.Event{requested()}, vote(bob, approval.Approve),
			[]approval.Event{cast(bob, approval.Approve), approval.Approved{At: soon}}},
		{"the first of two approvals", []approval.Event{requested(two)}, vote(bob, approval.Approve),
			[]approval.Event{cast(bob, approval.Approve)}},
		{"the second of two approvals", []approval.Event{requested(two), cast(alice, approval.Approve)}, vote(bob, approval.Approve),
			[]approval.Event{cast(bob, approval.Approve), approval.Approved{At: soon}}},
		{"one denial decides", []approval.Event{requested(two), cast(alice, approval.Approve)}, vote(bob, approval.Deny),
			[]approval.Event{cast(bob, approval.Deny), approval.Denied{At: soon}}},
		{"the same vote again", []approval.Event{requested(two), cast(alice, approval.Approve)}, vote(alice, approval.Approve), nil},
		{"the same vote after it decided", []approval.Event{requested(), cast(bob, approval.Deny), approval.Denied{At: soon}},
			vote(bob, approval.Deny), nil},
		{"the same vote after the role was lost", []approval.Event{requested(two), cast(alice, approval.Approve)},
			vote(alice, approval.Approve, func(v *approval.Vote) { v.Roles = nil }), nil},
		{"no roles named, so the permission is enough",
			[]approval.Event{requested(func(r *approval.Requested) { r.Requirement.Roles = nil })},
			vote(bob, approval.Deny, func(v *approval.Vote) { v.Roles = []domain.RoleName{"other"} }),
			[]approval.Event{approval.VoteCast{By: bob, Roles: []domain.RoleName{"other"}, Choice: approval.Deny, Reason: "Seen.",
				Digest: "digest", At: soon}, approval.Denied{At: soon}}},
		{"a vote in the last moment", []approval.Event{requested()},
			vote(bob, approval.Deny, func(v *approval.Vote) { v.At = end.Add(-1) }),
			[]approval.Event{approval.VoteCast{By: bob, Roles: supervisor, Choice: approval.Deny, Reason: "Seen.", Digest: "digest",
				At: end.Add(-1)}, approval.Denied{At: end.Add(-1)}}},
		{"a vote when the time is over writes the expiry", []approval.Event{requested()},
			vote(bob, approval.Approve, func(v *approval.Vote) { v.At = end }), []approval.Event{expired}},
		{"the requester withdraws", []approval.Event{requested()}, approval.Withdraw{By: bot, Reason: "No need.", At: soon},
			[]approval.Event{withdrawn}},
		{"somebody in control withdraws", []approval.Event{requested()},
			approval.Withdraw{By: alice, Control: true, Reason: "No need.", At: soon},
			[]approval.Event{approval.Withdrawn{By: alice, Reason: "No need.", At: soon}}},
		{"withdrawing again", []approval.Event{requested(), withdrawn}, approval.Withdraw{By: bot, At: soon}, nil},
		{"withdrawing when the time is over writes the expiry", []approval.Event{requested()},
			approval.Withdraw{By: bot, At: end}, []approval.Event{expired}},
		{"expiry before it is due", []approval.Event{requested()}, approval.Expire{At: end.Add(-1)}, nil},
		{"expiry when it is due", []approval.Event{requested()}, approval.Expire{At: end}, []approval.Event{expired}},
		{"expiry again", []approval.Event{requested(), expired}, approval.Expire{At: end}, nil},
		{"expiry of what was decided", []approval.Event{requested(), cast(bob, approval.Deny), approval.Denied{At: soon}},
			approval.Expire{At: end}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Then(t, tt.then...) })
	}
}

func TestRefused(t *testing.T) {
	open := func(change func(*approval.Requested)) approval.Open {
		return approval.Open{Request: requested(change), At: opened}
	}
	first := []approval.Event{requested()}
	approved := []approval.Event{requested(), cast(bob, approval.Approve), approval.Approved{At: soon}}
	expired := []approval.Event{requested(), approval.Expired{At: end}}
	tests := []struct {
		name  string
		given []approval.Event
		when  approval.Command
		kind  domain.Kind
		code  string
	}{
		{"opening for another action", first, open(func(r *approval.Requested) { r.Digest = "other" }), domain.Conflict, "approval_exists"},
		{"opening without an action", nil, open(func(r *approval.Requested) { r.Action = "" }), domain.Invalid, "invalid_approval"},
		{"opening without a digest", nil, open(func(r *approval.Requested) { r.Digest = "" }), domain.Invalid, "invalid_approval"},
		{"opening without a requester", nil, open(func(r *approval.Requested) { r.Requester = domain.Actor{} }), domain.Invalid, "invalid_approval"},
		{"opening with damaged parameters", nil, open(func(r *approval.Requested) { r.Params = json.RawMessage(`{`) }), domain.Invalid, "invalid_approval"},
		{"opening for nobody's approval", nil, open(func(r *approval.Requested) { r.Requirement.Count = 0 }), domain.Invalid, "invalid_requirement"},
		{"opening with no real escalation", nil, open(func(r *approval.Requested) {
			r.Requirement.Escalate = &gate.Escalation{After: "later"}
		}), domain.Invalid, "invalid_requirement"},
		{"voting on nothing", nil, vote(bob, approval.Approve), domain.NotFound, "approval_unknown"},
		{"withdrawing nothing", nil, approval.Withdraw{By: bot, At: soon}, domain.NotFound, "approval_unknown"},
		{"expiry of nothing", nil, approval.Expire{At: soon}, domain.NotFound, "approval_unknown"},
		{"the requester votes", []approval.Event{requested(func(r *approval.Requested) { r.Requester = alice })},
			vote(alice, approval.Approve), domain.Forbidden, "requester_may_not_decide"},
		{"the requester denies", []approval.Event{requested(func(r *approval.Requested) { r.Requester = alice })},
			vote(alice, approval.Deny), domain.Forbidden, "requester_may_not_decide"},
		{"an agent votes", first, vote(domain.AgentActor("ag_other"), approval.Approve), domain.Forbidden, "human_required"},
		{"the operator votes", first, vote(domain.Operator(), approval.Approve), domain.Forbidden, "human_required"},
		{"somebody shut out votes", first, vote(carol, approval.Approve), domain.Forbidden, "separation_of_duties"},
		{"somebody without a role votes", first, vote(bob, approval.Approve, func(v *approval.Vote) {
			v.Roles = []domain.RoleName{"auditor", "member"}
		}), domain.Forbidden, "role_required"},
		{"somebody without a role learns nothing of the outcome", approved, vote(alice, approval.Approve, func(v *approval.Vote) {
			v.Roles = nil
		}), domain.Forbidden, "role_required"},
		{"an unknown choice", first, vote(bob, "maybe"), domain.Invalid, "invalid_decision"},
		{"a reason that is too long", first, vote(bob, approval.Deny, func(v *approval.Vote) {
			v.Reason = string(make([]byte, 4097))
		}), domain.Invalid, "invalid_reason"},
		{"a vote on another action", first, vote(bob, approval.Approve, func(v *approval.Vote) { v.Digest = "other" }),
			domain.Conflict, "action_changed"},
		{"another vote of the same person", []approval.Event{requested(two), cast(alice, approval.Approve)}, vote(alice, approval.Deny),
			domain.Conflict, "already_voted"},
		{"another vote after the decision", approved, vote(bob, approval.Deny), domain.Conflict, "approval_decided"},
		{"a vote after the decision", approved, vote(alice, approval.Deny), domain.Conflict, "approval_decided"},
		{"a vote after the expiry", expired, vote(bob, approval.Approve), domain.Conflict, "approval_expired"},
		{"a vote after the withdrawal", []approval.Event{requested(), approval.Withdrawn{By: bot, At: soon}}, vote(bob, approval.Approve),
			domain.Conflict, "approval_decided"},
		{"somebody else withdraws", first, approval.Withdraw{By: alice, At: soon}, domain.Forbidden, "not_requester"},
		{"withdrawing what was decided", approved, approval.Withdraw{By: bot, At: soon}, domain.Conflict, "approval_decided"},
		{"withdrawing what expired", expired, approval.Withdraw{By: bot, At: soon}, domain.Conflict, "approval_expired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Refused(t, tt.kind, tt.code) })
	}
}

// TestExactlyOneOutcome tries every order of two commands that could decide.
func TestExactlyOneOutcome(t *testing.T) {
	commands := []approval.Command{vote(alice, approval.Approve), vote(bob, approval.Deny), approval.Withdraw{By: bot, At: soon},
		approval.Expire{At: end}, vote(bob, approval.Approve, func(v *approval.Vote) { v.At = end })}
	for _, a := range commands {
		for _, b := range commands {
			s := given(requested()).When(a).Accepted(t).State()
			events, _ := s.Decide(b)
			if len(events) != 0 {
				t.Errorf("after %T, %T still answered %d events", a, b, len(events))
			}
		}
	}
}

func TestDecodeUnknown(t *testing.T) {
	if _, err := approval.Decode("approval.requested.v9", []byte(`{}`)); !errors.Is(err, approval.ErrUnknownEvent) {
		t.Errorf("error %v, want ErrUnknownEvent", err)
	}
}

// FuzzDecode folds whatever can be decoded.
func FuzzDecode(f *testing.F) {
	f.Add("approval.requested.v1", []byte(`{"approval":"ap_1","requester":"agent:ag_1","requirement":{"count":1}}`))
	f.Add("approval.vote_cast.v1", []byte(`{"by":"member:mb_1","choice":"deny"}`))
	f.Add("approval.withdrawn.v1", []byte(`null`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		event, err := approval.Decode(name, data)
		if err != nil {
			return
		}
		s := approval.State{}.Evolve(requested()).Evolve(event)
		if _, err := json.Marshal(s); err != nil {
			t.Fatalf("a state after %s can't be written: %v", name, err)
		}
		_, _ = s.Decide(vote(bob, approval.Approve))
	})
}
