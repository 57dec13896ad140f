package index

import (
	"strings"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/projections/search"
)

// The severities, as in OCSF.
const (
	informational = 1
	low           = 2
	medium        = 3
	high          = 4
	critical      = 5
)

// The outcomes. Texts of the query language and durable in saved searches.
const (
	Authorized = "authorized"
	Awaiting   = "awaiting_approval"
	Denied     = "denied"
	Approved   = "approved"
	Expired    = "expired"
	Withdrawn  = "withdrawn"
	Started    = "started"
	Completed  = "completed"
	Failed     = "failed"
	Cancelled  = "cancelled"
	Unknown    = "unknown"
	Reserved   = "reserved"
	Settled    = "settled"
	Overrun    = "overrun"
	Released   = "released"
	Alerted    = "alerted"
)

// describe fills in what a row says of its event: what the event tells, and what
// is known about its stream. event is nil for content.
func describe(row *search.Row, event domain.Event, a *about) {
	row.Execution, row.Workflow, row.Approval, row.Policy, row.Rule = a.execution, a.workflow, a.approval, a.policy, a.rule
	if row.Subject == "" {
		row.Subject = a.subject
	}
	switch e := event.(type) {
	case execution.Event:
		ofExecution(row, e, a)
	case approval.Event:
		row.Action, row.Severity = a.kind, risky(a.risk)
		ofApproval(row, e)
	case budget.Event:
		ofBudget(row, e)
	case grant.Event:
		ofGrant(row, e)
	case policy.Event:
		if written, ok := e.(policy.Written); ok {
			row.Policy, row.Severity = written.ID, medium
		}
	case workspace.Event:
		ofWorkspace(row, e)
	case journal.Event:
		ofJournal(row, e)
	case webhook.Event:
		ofWebhook(row, e)
	}
}

func ofExecution(row *search.Row, event execution.Event, a *about) {
	switch e := event.(type) {
	case execution.Requested:
		decided(row, e.Action.Kind, e.Decision, e.Approval)
	case execution.ActionRequested:
		decided(row, e.Action.Kind, e.Decision, e.Approval)
	case execution.ActionAuthorized:
		row.Action, row.Approval, row.Outcome = a.kinds[e.Action], e.Approval, Authorized
	case execution.ActionDenied:
		row.Action, row.Approval, row.Outcome, row.Severity = a.kinds[e.Action], e.Approval, Denied, medium
	case execution.ActionStarted:
		row.Action, row.Outcome, row.Policy, row.Rule = a.kinds[e.Action], Started, e.Decision.Policy, e.Decision.Rule
	case execution.PromptRecorded:
		row.Action, row.Model, row.Outcome = "llm.call", e.Model, Started
		row.PromptTokens, row.Cost = e.PromptTokens, e.CostMicros
	case execution.CompletionRecorded:
		row.Action, row.Model, row.Outcome = "llm.call", a.models[e.Prompt], Completed
		row.PromptTokens, row.OutputTokens = e.Usage.PromptTokens, e.Usage.OutputTokens
		if e.CostMicros != nil {
			row.Cost = *e.CostMicros
		}
	case execution.PromptFailed:
		row.Action, row.Model, row.Outcome, row.Severity = "llm.call", a.models[e.Prompt], Failed, low
	case execution.PromptResolved:
		row.Action, row.Model, row.Outcome, row.Severity = "llm.call", a.models[e.Prompt], Unknown, medium
	default:
		ended(row, event, a)
	}
}

func ended(row *search.Row, event execution.Event, a *about) {
	row.Action = a.kind
	switch e := event.(type) {
	case execution.Completed:
		row.Outcome = Completed
	case execution.Failed:
		row.Outcome, row.Severity = Failed, low
	case execution.Cancelled:
		row.Outcome, row.Severity = Cancelled, low
	case execution.Resolved:
		row.Outcome, row.Severity = string(e.Outcome), medium
	}
}

func decided(row *search.Row, kind domain.ActionKind, d gate.Decision, ap domain.ApprovalID) {
	row.Action, row.Policy, row.Rule, row.Approval = kind, d.Policy, d.Rule, ap
	switch d.Effect {
	case gate.Allow:
		row.Outcome = Authorized
	case gate.RequireApproval:
		row.Outcome, row.Severity = Awaiting, low
		if d.Approval != nil {
			row.Severity = risky(d.Approval.Risk)
		}
	case gate.Deny:
		row.Outcome, row.Severity = Denied, medium
	}
}

// risky is the severity of what waits for a person.
func risky(risk string) uint8 {
	switch risk {
	case "medium":
		return medium
	case "high":
		return high
	case "critical":
		return critical
	}
	return low
}

func ofApproval(row *search.Row, event approval.Event) {
	switch e := event.(type) {
	case approval.Requested:
		row.Outcome = Awaiting
	case approval.VoteCast:
		row.Outcome = Approved
		if e.Choice == approval.Deny {
			row.Outcome = Denied
		}
	case approval.Escalated:
		row.Outcome = Awaiting
	case approval.Approved:
		row.Outcome = Approved
	case approval.Denied:
		row.Outcome = Denied
	case approval.Expired:
		row.Outcome = Expired
	case approval.Withdrawn:
		row.Outcome = Withdrawn
	}
}

func ofBudget(row *search.Row, event budget.Event) {
	switch e := event.(type) {
	case budget.Reserved:
		called(row, e.Call, e.Amounts, Reserved)
	case budget.Settled:
		called(row, e.Call, e.Used, Settled)
		if e.Late || e.Overrun {
			row.Outcome, row.Severity = Overrun, medium
		}
	case budget.Released:
		row.Outcome = Released
	case budget.Expired:
		row.Outcome, row.Severity = Expired, low
	case budget.Alerted:
		row.Outcome, row.Severity = Alerted, medium
		if e.Threshold >= 100 {
			row.Severity = high
		}
	case budget.Defined, budget.Deleted, budget.PricesSet:
		row.Severity = low
	}
}

func called(row *search.Row, c budget.Call, used budget.Amounts, outcome string) {
	row.Execution, row.Workflow, row.Model, row.Action, row.Outcome = c.Execution, c.Workflow, c.Model, "llm.call", outcome
	row.PromptTokens, row.OutputTokens, row.Cost = used.PromptTokens, used.OutputTokens, used.CostMicros
}

func ofGrant(row *search.Row, event grant.Event) {
	row.Severity = medium
	if e, ok := event.(grant.Used); ok {
		row.Execution, row.Action, row.Approval, row.Outcome, row.Severity = e.Execution, e.Kind, e.Approval, Authorized, low
	}
}

// ofWorkspace grades administration: what gives or takes rights stands out.
func ofWorkspace(row *search.Row, event workspace.Event) {
	row.Severity = low
	switch event.(type) {
	case workspace.RolesSet, workspace.RoleDefined, workspace.RoleDeleted, workspace.TokenIssued, workspace.Delegated, workspace.Suspended,
		workspace.SubjectErasureOrdered, workspace.SubjectErased:
		row.Severity = medium
	}
}

func ofJournal(row *search.Row, event journal.Event) {
	row.Severity = low
	switch e := event.(type) {
	case journal.Denied:
		row.Outcome, row.Severity = Denied, medium
		if strings.Contains(e.Code, "several") {
			row.Severity = high
		}
	case journal.ContentOpened, journal.Exported:
		row.Severity = medium
	}
}

func ofWebhook(row *search.Row, event webhook.Event) {
	switch event.(type) {
	case webhook.Delivered:
		row.Outcome = Completed
	case webhook.AttemptFailed:
		row.Outcome, row.Severity = Failed, low
	case webhook.Abandoned:
		row.Outcome, row.Severity = Failed, medium
	case webhook.Registered, webhook.Changed, webhook.SecretRotated, webhook.Removed:
		row.Severity = medium
	}
}
