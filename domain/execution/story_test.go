package execution_test

import (
	"encoding/json"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
)

var (
	start  = time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
	later  = start.Add(time.Minute)
	expiry = start.Add(15 * time.Minute)

	bot   = domain.AgentActor("ag_bot")
	other = domain.AgentActor("ag_other")
	bob   = domain.MemberActor("mb_bob")

	allow = gate.Decision{Effect: gate.Allow, Rule: "builtin"}
	ask   = gate.Decision{Effect: gate.RequireApproval, Rule: "builtin", Approval: &gate.Approval{Count: 1}}
	deny  = gate.Decision{Effect: gate.Deny, Policy: "p", Version: 2, Rule: "never"}
)

func action(id domain.ActionID) execution.Action {
	return execution.Action{ID: id, Kind: "payment.initiate", Params: json.RawMessage(`{"amount":5}`), Digest: domain.Digest("digest of " + id)}
}

func permit(id domain.PermitID) execution.Permit { return execution.Permit{ID: id, ExpiresAt: expiry} }

func request(d gate.Decision) execution.Request {
	return execution.Request{Execution: "ex_1", Workflow: "invoices", Subject: "tag", Context: json.RawMessage(`{"n":1}`),
		Action: action("ac_1"), Decision: d, Permit: permit("pm_1"), Approval: "ap_1", By: bot,
		Roles: []domain.RoleName{"agent"}, At: start}
}

// requested is what request is answered with.
func requested(d gate.Decision) execution.Requested {
	e := execution.Requested{Execution: "ex_1", Workflow: "invoices", Subject: "tag", Context: json.RawMessage(`{"n":1}`),
		Action: action("ac_1"), Decision: d, By: bot, Roles: []domain.RoleName{"agent"}, At: start}
	switch d.Effect {
	case gate.Allow:
		p := permit("pm_1")
		e.Permit = &p
	case gate.RequireApproval:
		e.Approval = "ap_1"
	}
	return e
}

func further(d gate.Decision) execution.RequestAction {
	return execution.RequestAction{Action: action("ac_2"), Context: json.RawMessage(`{"n":2}`), Decision: d,
		Permit: permit("pm_2"), Approval: "ap_2", By: bot, At: later}
}

// furtherRequested is what further is answered with.
func furtherRequested(d gate.Decision) execution.ActionRequested {
	e := execution.ActionRequested{Action: action("ac_2"), Context: json.RawMessage(`{"n":2}`), Decision: d, At: later}
	switch d.Effect {
	case gate.Allow:
		p := permit("pm_2")
		e.Permit = &p
	case gate.RequireApproval:
		e.Approval = "ap_2"
	}
	return e
}

func authorized(n string) execution.ActionAuthorized {
	return execution.ActionAuthorized{Action: domain.ActionID("ac_" + n), Approval: domain.ApprovalID("ap_" + n),
		Permit: permit(domain.PermitID("pm_" + n)), At: later}
}

func denied(n string) execution.ActionDenied {
	return execution.ActionDenied{Action: domain.ActionID("ac_" + n), Approval: domain.ApprovalID("ap_" + n), Reason: "denied", At: later}
}

func started(n string) execution.ActionStarted {
	return execution.ActionStarted{Action: domain.ActionID("ac_" + n), Permit: domain.PermitID("pm_" + n), Decision: allow, At: later}
}

// startOf asks to start an action; change makes it differ from what is right.
func startOf(n string, change ...func(*execution.Start)) execution.Start {
	c := execution.Start{Action: domain.ActionID("ac_" + n), Permit: domain.PermitID("pm_" + n),
		Digest: domain.Digest("digest of ac_" + n), Decision: allow, By: bot, At: later}
	for _, f := range change {
		f(&c)
	}
	return c
}

func prompt(id domain.PromptID) execution.PromptRecorded {
	return execution.PromptRecorded{Prompt: id, Model: "m", Subject: "tag", Content: execution.Content{Digest: "text", Size: 9},
		PromptTokens: 10, MaxOutputTokens: 20, Reservation: domain.ReservationID("rs_" + id), ExpiresAt: expiry, At: later}
}

func completion(id domain.PromptID) execution.CompletionRecorded {
	cost := domain.Micros(7)
	return execution.CompletionRecorded{Prompt: id, Content: execution.Content{Digest: "answer", Size: 5},
		Usage: execution.Usage{PromptTokens: 10, OutputTokens: 3}, CostMicros: &cost, FinishReason: "stop", At: later}
}

func running(events ...execution.Event) []execution.Event {
	return append([]execution.Event{requested(allow), started("1")}, events...)
}

func given(events ...execution.Event) domaintest.Story[execution.State, execution.Command, execution.Event] {
	return domaintest.Given[execution.State](events...)
}
