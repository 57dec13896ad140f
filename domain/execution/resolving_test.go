package execution_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
)

func resolved(o execution.Outcome) execution.Resolved {
	return execution.Resolved{Outcome: o, Reason: "asked the bank", By: bob, At: later}
}

func promptResolved(id domain.PromptID) execution.PromptResolved {
	return execution.PromptResolved{Prompt: id, Reason: "asked the bank", By: bob, At: later}
}

func TestResolve(t *testing.T) {
	resolve := func(o execution.Outcome, change ...func(*execution.Resolve)) execution.Resolve {
		c := execution.Resolve{Outcome: o, Reason: "asked the bank", By: bob, At: later}
		for _, f := range change {
			f(&c)
		}
		return c
	}
	long := func(c *execution.Resolve) { c.Reason = string(make([]byte, 4097)) }
	done := execution.Completed{At: later}
	run(t, []accepted{
		{"without prompts", running(), resolve("completed"), list(resolved("completed"))},
		{"with an outcome nobody knows", running(), resolve("unknown"), list(resolved("unknown"))},
		{"with open prompts, in order of ids", running(prompt("pr_2"), prompt("pr_1"), prompt("pr_3"), completion("pr_3")), resolve("failed"),
			list(promptResolved("pr_1"), promptResolved("pr_2"), resolved("failed"))},
		{"by the requester who is a person", []execution.Event{requestedBy(bob), started("1")}, resolve("completed"), list(resolved("completed"))},
		{"while a further action waits", running(furtherRequested(ask)), resolve("completed"), list(resolved("completed"))},
	}, []refused{
		{"of nothing", nil, resolve("completed"), domain.NotFound, "execution_unknown"},
		{"before the start", list(requested(allow)), resolve("completed"), domain.Conflict, "not_started"},
		{"while awaiting", list(requested(ask)), resolve("completed"), domain.Conflict, "not_started"},
		{"after a denial", list(requested(deny)), resolve("completed"), domain.Conflict, "execution_ended"},
		{"after the end, though a prompt is open", running(prompt("pr_1"), done), resolve("completed"), domain.Conflict, "execution_ended"},
		{"twice", running(resolved("unknown")), resolve("failed"), domain.Conflict, "execution_ended"},
		{"by an agent", running(), resolve("completed", func(c *execution.Resolve) { c.By = bot }), domain.Forbidden, "human_required"},
		{"by the service", running(), resolve("completed", func(c *execution.Resolve) { c.By = domain.Service("process") }), domain.Forbidden, "human_required"},
		{"without a reason", running(), resolve("completed", func(c *execution.Resolve) { c.Reason = "" }), domain.Invalid, "invalid_reason"},
		{"with a long reason", running(), resolve("completed", long), domain.Invalid, "invalid_reason"},
		{"with another outcome", running(), resolve("perhaps"), domain.Invalid, "invalid_outcome"},
		{"with more open prompts than fit", running(prompts(execution.MaxResolved + 1)...), resolve("completed"), domain.Conflict, "too_many_open_prompts"},
	})
}

func requestedBy(by domain.Actor) execution.Requested {
	e := requested(allow)
	e.By = by
	return e
}

func prompts(n int) (list []execution.Event) {
	for i := range n {
		list = append(list, prompt(domain.PromptID(fmt.Sprintf("pr_%03d", i))))
	}
	return list
}

func TestResolvePrompt(t *testing.T) {
	resolve := func(change ...func(*execution.ResolvePrompt)) execution.ResolvePrompt {
		c := execution.ResolvePrompt{Prompt: "pr_1", Reason: "asked the bank", By: bob, At: later}
		for _, f := range change {
			f(&c)
		}
		return c
	}
	cost, negative := domain.Micros(9), domain.Micros(-1)
	used := func(c *execution.ResolvePrompt) {
		c.Usage, c.CostMicros = &execution.Usage{PromptTokens: 4, OutputTokens: 5}, &cost
	}
	settled := promptResolved("pr_1")
	settled.Usage, settled.CostMicros = &execution.Usage{PromptTokens: 4, OutputTokens: 5}, &cost
	run(t, []accepted{
		{"given back", running(prompt("pr_1")), resolve(), list(promptResolved("pr_1"))},
		{"with what it used", running(prompt("pr_1")), resolve(used), list(settled)},
		{"after the end", running(prompt("pr_1"), execution.Completed{At: later}), resolve(used), list(settled)},
	}, []refused{
		{"of an unknown prompt", running(), resolve(), domain.NotFound, "prompt_unknown"},
		{"of one that has its answer", running(prompt("pr_1"), completion("pr_1")), resolve(), domain.Conflict, "prompt_closed"},
		{"twice", running(prompt("pr_1"), promptResolved("pr_1")), resolve(), domain.Conflict, "prompt_closed"},
		{"by an agent", running(prompt("pr_1")), resolve(func(c *execution.ResolvePrompt) { c.By = bot }), domain.Forbidden, "human_required"},
		{"without a reason", running(prompt("pr_1")), resolve(func(c *execution.ResolvePrompt) { c.Reason = "" }), domain.Invalid, "invalid_reason"},
		{"with negative tokens", running(prompt("pr_1")), resolve(func(c *execution.ResolvePrompt) { c.Usage = &execution.Usage{OutputTokens: -1} }), domain.Invalid, "invalid_amount"},
		{"with a negative cost", running(prompt("pr_1")), resolve(used, func(c *execution.ResolvePrompt) { c.CostMicros = &negative }), domain.Invalid, "invalid_amount"},
		{"with a cost and no usage", running(prompt("pr_1")), resolve(func(c *execution.ResolvePrompt) { c.CostMicros = &cost }), domain.Invalid, "invalid_amount"},
	})
}

// What is resolved is final: the agent that comes back late is told so, and
// nothing is unresolved any more.
func TestResolvedIsFinal(t *testing.T) {
	story := given(running(prompt("pr_1"), furtherRequested(ask))...).
		When(execution.Resolve{Outcome: "unknown", Reason: "asked the bank", By: bob, At: later}).
		Then(t, promptResolved("pr_1"), resolved("unknown"))
	s := story.State()
	if s.Status != execution.StatusResolved || s.Outcome != execution.OutcomeUnknown || s.EndedAt != later || s.Unresolved() {
		t.Errorf("the execution is %s with outcome %s since %s, unresolved %v", s.Status, s.Outcome, s.EndedAt, s.Unresolved())
	}
	if p, _ := s.Prompt("pr_1"); p.Status != execution.PromptSettled || p.Reservation != "rs_pr_1" || p.Recorded != nil {
		t.Errorf("the prompt is %+v", p)
	}
	if act, _ := s.Action("ac_2"); act.Status != execution.StatusCancelled {
		t.Errorf("the action that waited is %s, want cancelled", act.Status)
	}
	story.When(execution.Complete{By: bot, At: later}).Refused(t, domain.Conflict, "execution_ended")
	story.When(execution.RecordCompletion{Completion: completion("pr_1"), By: bot, At: later}).Refused(t, domain.Conflict, "prompt_closed")
	story.When(execution.Authorize{Action: "ac_2", Approval: "ap_2", Permit: permit("pm_2"), At: later}).Refused(t, domain.Conflict, "execution_ended")
}

func TestOpenPrompts(t *testing.T) {
	s := given(running(prompt("pr_3"), prompt("pr_1"), prompt("pr_2"), completion("pr_3"))...).State()
	if diff := cmp.Diff([]domain.PromptID{"pr_1", "pr_2"}, s.OpenPrompts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if open := given(running(prompt("pr_3"), completion("pr_3"))...).State().OpenPrompts(); open != nil {
		t.Errorf("got %v, want none", open)
	}
}

// What the requester was when it asked is kept for the approval to come, and
// what it was at the start is in the event.
func TestFactsOfTheRequester(t *testing.T) {
	made := []domain.Actor{bob}
	ofFirst, ofFurther := request(ask), further(ask)
	ofFirst.Involved, ofFurther.Involved, ofFurther.Roles = made, made, []domain.RoleName{"agent", "payer"}
	wantFirst, wantFurther, wantStart := requested(ask), furtherRequested(ask), started("1")
	wantFirst.Involved, wantFurther.Involved, wantFurther.Roles = made, made, ofFurther.Roles
	wantStart.Roles = []domain.RoleName{"agent"}
	begin := startOf("1", func(c *execution.Start) { c.Roles = wantStart.Roles })
	grant := authorized("2")
	grant.Grant = "gr_1"
	byGrant := execution.Authorize{Action: "ac_2", Approval: "ap_2", Grant: "gr_1", Permit: grant.Permit, At: later}
	story := given().When(ofFirst).Then(t, wantFirst).And(authorized("1")).When(begin).Then(t, wantStart).When(ofFurther).Then(t, wantFurther)
	act, _ := story.State().Action("ac_2")
	if diff := cmp.Diff([]any{ofFurther.Roles, made}, []any{act.Roles, act.Involved}); diff != "" {
		t.Errorf("the waiting action keeps (-want +got):\n%s", diff)
	}
	if act, _ := story.When(byGrant).Then(t, grant).State().Action("ac_2"); act.Grant != "gr_1" || act.Status != execution.StatusAuthorized {
		t.Errorf("the action is %s under the grant %q", act.Status, act.Grant)
	}
}
