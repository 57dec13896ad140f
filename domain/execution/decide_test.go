package execution_test

import (
	"encoding/json"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
)

type accepted struct {
	name  string
	given []execution.Event
	when  execution.Command
	then  []execution.Event
}

type refused struct {
	name  string
	given []execution.Event
	when  execution.Command
	kind  domain.Kind
	code  string
}

func run(t *testing.T, good []accepted, bad []refused) {
	t.Helper()
	for _, tt := range good {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Then(t, tt.then...) })
	}
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Refused(t, tt.kind, tt.code) })
	}
}

func list(events ...execution.Event) []execution.Event { return events }

func TestRequest(t *testing.T) {
	change := func(f func(*execution.Request)) execution.Request {
		c := request(allow)
		f(&c)
		return c
	}
	none := requested(allow)
	none.Action.Params, none.Context = json.RawMessage(`{}`), nil
	run(t, []accepted{
		{"allowed gets a permit", nil, request(allow), list(requested(allow))},
		{"to be approved names the approval and gets no permit", nil, request(ask), list(requested(ask))},
		{"denied gets neither", nil, request(deny), list(requested(deny))},
		{"no parameters are an empty object", nil, change(func(c *execution.Request) { c.Action.Params, c.Context = nil, nil }), list(none)},
	}, []refused{
		{"twice", list(requested(allow)), request(allow), domain.Conflict, "execution_exists"},
		{"after it ended", list(requested(deny)), request(allow), domain.Conflict, "execution_exists"},
		{"no id", nil, change(func(c *execution.Request) { c.Execution = "" }), domain.Invalid, "invalid_execution"},
		{"no workflow", nil, change(func(c *execution.Request) { c.Workflow = "" }), domain.Invalid, "invalid_execution"},
		{"nobody", nil, change(func(c *execution.Request) { c.By = domain.Actor{} }), domain.Invalid, "invalid_execution"},
		{"no digest", nil, change(func(c *execution.Request) { c.Action.Digest = "" }), domain.Invalid, "invalid_action"},
		{"damaged parameters", nil, change(func(c *execution.Request) { c.Action.Params = json.RawMessage(`{`) }), domain.Invalid, "invalid_action"},
		{"damaged context", nil, change(func(c *execution.Request) { c.Context = json.RawMessage(`{`) }), domain.Invalid, "invalid_action"},
		{"no decision", nil, change(func(c *execution.Request) { c.Decision.Effect = "" }), domain.Invalid, "invalid_decision"},
		{"allowed without a permit", nil, change(func(c *execution.Request) { c.Permit.ID = "" }), domain.Invalid, "invalid_permit"},
		{"to be approved without an approval", nil, change(func(c *execution.Request) { c.Decision, c.Approval = ask, "" }), domain.Invalid, "invalid_approval"},
		{"of something else that is not there", nil, startOf("1"), domain.NotFound, "execution_unknown"},
	})
}

func TestRequestAction(t *testing.T) {
	byOther, again := further(allow), further(allow)
	byOther.By, again.Action.ID = other, "ac_1"
	run(t, []accepted{
		{"allowed", running(), further(allow), list(furtherRequested(allow))},
		{"to be approved", running(), further(ask), list(furtherRequested(ask))},
		{"denied", running(), further(deny), list(furtherRequested(deny))},
	}, []refused{
		{"by somebody else", running(), byOther, domain.Forbidden, "not_requester"},
		{"before the start", list(requested(allow)), further(allow), domain.Conflict, "not_started"},
		{"while awaiting", list(requested(ask)), further(allow), domain.Conflict, "not_started"},
		{"after the end", running(execution.Completed{At: later}), further(allow), domain.Conflict, "execution_ended"},
		{"with the id of another action", running(), again, domain.Conflict, "action_exists"},
	})
}

func TestApprovalOutcome(t *testing.T) {
	authorize := func(n string) execution.Authorize {
		e := authorized(n)
		return execution.Authorize{Action: e.Action, Approval: e.Approval, Permit: e.Permit, At: later}
	}
	refuse := func(n string) execution.DenyAction {
		e := denied(n)
		return execution.DenyAction{Action: e.Action, Approval: e.Approval, Reason: e.Reason, At: later}
	}
	mismatch, noPermit := authorize("1"), authorize("1")
	mismatch.Approval, noPermit.Permit.ID = "ap_9", ""
	cancelled := execution.Cancelled{By: bot, At: later}
	run(t, []accepted{
		{"approved", list(requested(ask)), authorize("1"), list(authorized("1"))},
		{"approved again", list(requested(ask), authorized("1")), authorize("1"), nil},
		{"approved again after the start", list(requested(ask), authorized("1"), started("1")), authorize("1"), nil},
		{"approved again after the end", list(requested(ask), authorized("1"), cancelled), authorize("1"), nil},
		{"a further action approved", running(furtherRequested(ask)), authorize("2"), list(authorized("2"))},
		{"denied", list(requested(ask)), refuse("1"), list(denied("1"))},
		{"denied again", list(requested(ask), denied("1")), refuse("1"), nil},
		{"a further action denied", running(furtherRequested(ask)), refuse("2"), list(denied("2"))},
	}, []refused{
		{"of an unknown action", list(requested(ask)), authorize("2"), domain.NotFound, "action_unknown"},
		{"denial of an unknown action", list(requested(ask)), refuse("2"), domain.NotFound, "action_unknown"},
		{"of another approval", list(requested(ask)), mismatch, domain.Conflict, "approval_mismatch"},
		{"of an action that waits for none", list(requested(allow)), authorize("1"), domain.Conflict, "approval_mismatch"},
		{"approved without a permit", list(requested(ask)), noPermit, domain.Invalid, "invalid_permit"},
		{"approved after it was denied", list(requested(ask), denied("1")), authorize("1"), domain.Conflict, "action_denied"},
		{"denied after it was approved", list(requested(ask), authorized("1")), refuse("1"), domain.Conflict, "action_authorized"},
		{"approved after it was cancelled", list(requested(ask), cancelled), authorize("1"), domain.Conflict, "execution_ended"},
		{"denied after it was cancelled", list(requested(ask), cancelled), refuse("1"), domain.Conflict, "execution_ended"},
		{"approved after the execution was done", running(furtherRequested(ask), execution.Completed{At: later}), authorize("2"),
			domain.Conflict, "execution_ended"},
	})
}

func TestStart(t *testing.T) {
	first := startOf("1", func(c *execution.Start) { c.Action = "" })
	askNow := func(c *execution.Start) { c.Decision = ask }
	denyNow := func(c *execution.Start) { c.Decision = deny }
	startedUnder := started("1")
	startedUnder.Decision = ask
	atExpiry := startOf("1", func(c *execution.Start) { c.At = expiry })
	startedAtExpiry := started("1")
	startedAtExpiry.At = expiry
	approved := list(requested(ask), authorized("1"))
	run(t, []accepted{
		{"allowed", list(requested(allow)), startOf("1"), list(started("1"))},
		{"the first action without naming it", list(requested(allow)), first, list(started("1"))},
		{"in the last moment of the permit", list(requested(allow)), atExpiry, list(startedAtExpiry)},
		{"approved", approved, startOf("1"), list(started("1"))},
		{"approved, and the policies would ask a human again", approved, startOf("1", askNow), list(startedUnder)},
		{"a further action", running(furtherRequested(allow)), startOf("2"), list(started("2"))},
	}, []refused{
		{"by somebody else", list(requested(allow)), startOf("1", func(c *execution.Start) { c.By = bob }), domain.Forbidden, "not_requester"},
		{"an unknown action", list(requested(allow)), startOf("2"), domain.NotFound, "action_unknown"},
		{"a used permit", running(), startOf("1"), domain.Conflict, "permit_used"},
		{"a used permit that is expired, for another action, under a denial", running(), startOf("1", denyNow, func(c *execution.Start) {
			c.At, c.Digest = expiry.Add(1), "other"
		}), domain.Conflict, "permit_used"},
		{"a used permit after the end", running(execution.Completed{At: later}), startOf("1"), domain.Conflict, "permit_used"},
		{"another permit after the start", running(), startOf("1", func(c *execution.Start) { c.Permit = "pm_9" }), domain.Conflict, "permit_unknown"},
		{"awaiting", list(requested(ask)), startOf("1"), domain.Conflict, "awaiting_approval"},
		{"denied by the policies", list(requested(deny)), startOf("1"), domain.Conflict, "action_denied"},
		{"denied by a human", list(requested(ask), denied("1")), startOf("1"), domain.Conflict, "action_denied"},
		{"cancelled", list(requested(allow), execution.Cancelled{By: bob, At: later}), startOf("1"), domain.Conflict, "execution_ended"},
		{"a further action after the end", running(furtherRequested(allow), execution.Failed{At: later}), startOf("2"), domain.Conflict, "execution_ended"},
		{"another permit", list(requested(allow)), startOf("1", func(c *execution.Start) { c.Permit = "pm_2" }), domain.Conflict, "permit_unknown"},
		{"another action's permit", running(furtherRequested(allow)), startOf("2", func(c *execution.Start) { c.Permit = "pm_1" }), domain.Conflict, "permit_unknown"},
		{"no permit", list(requested(allow)), startOf("1", func(c *execution.Start) { c.Permit = "" }), domain.Conflict, "permit_unknown"},
		{"an expired permit", list(requested(allow)), startOf("1", func(c *execution.Start) { c.At = expiry.Add(1) }), domain.Conflict, "permit_expired"},
		{"a changed action", list(requested(allow)), startOf("1", func(c *execution.Start) { c.Digest = "other" }), domain.Conflict, "action_changed"},
		{"the policies deny now", list(requested(allow)), startOf("1", denyNow), domain.Conflict, "policy_changed"},
		{"the policies ask a human now", list(requested(allow)), startOf("1", askNow), domain.Conflict, "policy_changed"},
		{"approved, but the policies deny now", approved, startOf("1", denyNow), domain.Conflict, "policy_changed"},
		{"no decision of now", list(requested(allow)), startOf("1", func(c *execution.Start) { c.Decision.Effect = "" }), domain.Conflict, "policy_changed"},
	})
}
