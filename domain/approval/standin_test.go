package approval_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
)

var dave = domain.MemberActor("mb_dave")

// standing makes a vote one for an absent member.
func standing(absent domain.Actor) func(*approval.Vote) {
	return func(v *approval.Vote) { v.OnBehalf, v.Delegation = absent, "dg_1" }
}

func castFor(by, absent domain.Actor, choice approval.Choice) approval.VoteCast {
	v := cast(by, choice)
	v.OnBehalf, v.Delegation = absent, "dg_1"
	return v
}

func TestStandingIn(t *testing.T) {
	given(requested()).When(vote(bob, approval.Approve, standing(alice))).
		Then(t, castFor(bob, alice, approval.Approve), approval.Approved{At: soon})
	given(requested(two), cast(dave, approval.Approve)).When(vote(bob, approval.Approve, standing(alice))).
		Then(t, castFor(bob, alice, approval.Approve), approval.Approved{At: soon})
	given(requested(two), castFor(bob, alice, approval.Approve)).When(vote(bob, approval.Approve, standing(alice))).Then(t)
	given(requested()).When(vote(bob, approval.Deny, standing(alice))).
		Then(t, castFor(bob, alice, approval.Deny), approval.Denied{At: soon})
}

func TestStandingInRefused(t *testing.T) {
	first := []approval.Event{requested(two)}
	byAlice := []approval.Event{requested(two, func(r *approval.Requested) { r.Requester = alice })}
	tests := []struct {
		name  string
		given []approval.Event
		when  approval.Command
		kind  domain.Kind
		code  string
	}{
		{"without a delegation", first, vote(bob, approval.Approve, standing(alice), func(v *approval.Vote) { v.Delegation = "" }),
			domain.Forbidden, "delegation_required"},
		{"for oneself", first, vote(bob, approval.Approve, standing(bob)), domain.Forbidden, "delegation_required"},
		{"for the requester", byAlice, vote(bob, approval.Approve, standing(alice)), domain.Forbidden, "requester_may_not_decide"},
		{"by the requester", byAlice, vote(alice, approval.Approve, standing(bob)), domain.Forbidden, "requester_may_not_decide"},
		{"for somebody shut out", first, vote(bob, approval.Approve, standing(carol)), domain.Forbidden, "separation_of_duties"},
		{"by somebody shut out", first, vote(carol, approval.Approve, standing(bob)), domain.Forbidden, "separation_of_duties"},
		{"by an agent", first, vote(domain.AgentActor("ag_2"), approval.Approve, standing(bob)), domain.Forbidden, "human_required"},
		{"for an agent", first, vote(bob, approval.Approve, standing(domain.AgentActor("ag_2"))), domain.Forbidden, "human_required"},
		{"without a role of the absent member's", first, vote(bob, approval.Approve, standing(alice), func(v *approval.Vote) { v.Roles = nil }),
			domain.Forbidden, "role_required"},
		{"after voting oneself", append(first, cast(bob, approval.Approve)), vote(bob, approval.Approve, standing(alice)),
			domain.Conflict, "already_voted"},
		{"oneself after voting for another", append(first, castFor(bob, alice, approval.Approve)), vote(bob, approval.Approve),
			domain.Conflict, "already_voted"},
		{"for two who are absent", append(first, castFor(bob, alice, approval.Approve)), vote(bob, approval.Approve, standing(dave)),
			domain.Conflict, "already_voted"},
		{"for one who voted", append(first, cast(alice, approval.Approve)), vote(bob, approval.Approve, standing(alice)),
			domain.Conflict, "already_voted"},
		{"oneself after another voted for one", append(first, castFor(bob, alice, approval.Approve)), vote(alice, approval.Approve),
			domain.Conflict, "already_voted"},
		{"for one for whom another voted", append(first, castFor(bob, alice, approval.Approve)), vote(dave, approval.Approve, standing(alice)),
			domain.Conflict, "already_voted"},
		{"with another word", append(first, castFor(bob, alice, approval.Approve)), vote(bob, approval.Deny, standing(alice)),
			domain.Conflict, "already_voted"},
		{"after the decision", append(first, cast(alice, approval.Deny), approval.Denied{At: soon}), vote(bob, approval.Approve, standing(alice)),
			domain.Conflict, "approval_decided"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Refused(t, tt.kind, tt.code) })
	}
}

// Whoever votes for whomever in whatever order: an approval has at most one
// outcome, an approved one has its quorum, and nobody has a part in two votes.
func TestQuorumIsMadeOfPeople(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 4).Draw(t, "count")
		s := given(requested(func(r *approval.Requested) { r.Requirement.Count = count; escalating(r) })).State()
		outcomes := 0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			at := opened.Add(time.Duration(rapid.IntRange(0, 250).Draw(t, "minutes")) * time.Minute)
			events, err := s.Decide(drawCommand(t, at))
			if err != nil {
				continue
			}
			s = domain.Fold(s, events...)
			for _, e := range events {
				switch e.(type) {
				case approval.Approved, approval.Denied, approval.Expired, approval.Withdrawn:
					outcomes++
				}
			}
			part := map[domain.Actor]bool{}
			for _, v := range s.Votes {
				for _, who := range []domain.Actor{v.By, v.OnBehalf} {
					if part[who] || who == bot || who == carol {
						t.Fatalf("%v has a part that it may not have: %+v", who, s.Votes)
					}
					part[who] = who != domain.Actor{}
				}
			}
			if s.Status == approval.StatusApproved && (s.Approvals() < count || len(s.Votes) != count) {
				t.Fatalf("approved by %d of %d", s.Approvals(), count)
			}
			if outcomes > 1 || s.Open() != (outcomes == 0) {
				t.Fatalf("%d outcomes, open %v", outcomes, s.Open())
			}
		}
	})
}

func drawCommand(t *rapid.T, at time.Time) approval.Command {
	people := []domain.Actor{alice, bob, carol, dave, bot}
	by := rapid.SampledFrom(people).Draw(t, "by")
	switch rapid.IntRange(0, 12).Draw(t, "command") {
	case 0:
		return approval.Withdraw{By: by, At: at}
	case 1:
		return approval.Expire{At: at}
	case 2:
		return approval.Escalate{At: at}
	}
	v := vote(by, approval.Approve, as(rapid.SampledFrom([][]domain.RoleName{supervisor, owner, nil}).Draw(t, "roles"), at))
	if rapid.IntRange(0, 9).Draw(t, "deny") == 0 {
		v.Choice = approval.Deny
	}
	if rapid.Bool().Draw(t, "for another") {
		v.OnBehalf = rapid.SampledFrom(people).Draw(t, "absent")
		v.Delegation = domain.DelegationID(fmt.Sprint("dg_", v.OnBehalf.ID))
	}
	return v
}
