package projectionstest

import (
	"fmt"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
)

// prompt is the nth question to a model, from its reservation to its
// settlement.
func (l *life) prompt(n int) {
	l.wait(2 * time.Second)
	model := []domain.Model{"gpt-large", "small-fast"}[l.random.IntN(2)]
	held := budget.Reserved{Reservation: domain.ReservationID(l.name("rs_", n)), At: l.at, ExpiresAt: l.at.Add(10 * time.Minute),
		Call: budget.Call{Execution: l.id, Prompt: domain.PromptID(l.name("pr_", n)), Agent: domain.AgentID(l.agent.ID), Workflow: "invoices", Model: model,
			Roles: []domain.RoleName{domain.RoleAgent}},
		Amounts: budget.Amounts{Calls: 1, PromptTokens: 500, OutputTokens: 1000, CostMicros: 4500},
		Entries: []budget.Entry{window("daily", 1, l.at, 24*time.Hour), window("hourly", 2, l.at, time.Hour), {Budget: "ever", Epoch: 3}}}
	l.spend(held)
	text := l.say(1200)
	l.write(l.fact(execution.PromptRecorded{Prompt: held.Call.Prompt, Model: model, Provider: "example", Subject: domain.SubjectTag(l.office.id("", "subject", l.agent.ID)),
		Content: l.content(text), PromptTokens: 480, MaxOutputTokens: 1000, Reservation: held.Reservation, CostMicros: 4500, ExpiresAt: held.ExpiresAt, At: l.at}),
		l.office.content(l.agent, l.at, "content.prompt.v1", text))
	switch c := l.random.IntN(100); {
	case c < 94:
		l.wait(20 * time.Second)
		l.answered(held, false)
	case c < 96:
		l.wait(20 * time.Second)
		l.write(l.fact(execution.PromptFailed{Prompt: held.Call.Prompt, Reason: "rate limited by the provider", At: l.at}))
		l.spend(budget.Released{Reservation: held.Reservation, Reason: "no answer"})
	default:
		l.at = held.ExpiresAt.Add(time.Second)
		l.spend(budget.Expired{Reservation: held.Reservation, At: l.at})
		if c < 98 {
			l.answered(held, true)
		}
	}
}

func window(id domain.BudgetID, epoch int64, at time.Time, long time.Duration) budget.Entry {
	start := at.Truncate(long)
	return budget.Entry{Budget: id, Epoch: epoch, Start: start, End: start.Add(long)}
}

func (l *life) spend(events ...domain.Event) {
	l.facts(l.book, ledger.BudgetStream(l.ws), l.agent, l.at, events...)
}

// answered records an answer and settles what it took.
func (l *life) answered(held budget.Reserved, late bool) {
	text, cost := l.say(900), domain.Micros(3100)
	used := budget.Amounts{Calls: 1, PromptTokens: 480, OutputTokens: domain.Tokens(100 + l.random.IntN(920)), CostMicros: cost}
	l.write(l.fact(execution.CompletionRecorded{Prompt: held.Call.Prompt, Content: l.content(text), CostMicros: &cost, FinishReason: "stop",
		Usage: execution.Usage{PromptTokens: used.PromptTokens, OutputTokens: used.OutputTokens}, At: l.at}),
		l.office.content(l.agent, l.at, "content.completion.v1", text))
	l.spend(budget.Settled{Reservation: held.Reservation, Used: used, Reported: cost, Call: held.Call, Entries: held.Entries,
		Late: late, Overrun: used.OutputTokens > held.Amounts.OutputTokens, At: l.at})
}

// notify delivers the notifications that an event calls for, as the process
// that owes them works them out.
func (l *life) notify(stream string, d ledger.Draft, e domain.Event) {
	s := process.State{}.Restore(process.Key("hook/"+string(l.hook(0))), process.Entry{Hook: &process.Hook{}}).
		Restore(process.Key("hook/"+string(l.hook(1))), process.Entry{Hook: &process.Hook{Types: []webhook.Type{webhook.ApprovalRequested, webhook.ApprovalEscalated}}})
	for _, o := range process.React(s, process.Happened{Workspace: l.ws, Stream: stream, Record: ledger.EventID(d.ID), Time: d.Time, Event: e}) {
		if o.Command.Step != process.Notify {
			continue
		}
		var events []domain.Event
		if l.chance(5) {
			events = append(events, webhook.AttemptFailed{Notice: *o.Command.Notice, Attempt: 1, Failure: webhook.FailedTimeout, Millis: 10_000, Next: l.at.Add(retryAfter), At: l.at})
		}
		events = append(events, webhook.Delivered{Notice: *o.Command.Notice, Attempt: 1 + len(events), Status: 204, Millis: 81, At: l.at})
		l.facts(l.rest, ledger.WebhookStream(l.ws, o.Command.Webhook), domain.Service("webhooks"), l.at, events...)
	}
}

// turn counts an office's executions.
func (l *life) turn() int { return int(l.n / offices) }

// given is the standing grant of the time.
func (l *life) given() domain.GrantID { return domain.GrantID(l.office.id("gr_", l.turn()/grantEvery)) }

// How often what else happens in an office does, in executions of it.
const (
	deniedEvery = 50
	grantEvery  = 1000
	tokenEvery  = 100
	policyEvery = 2000
	alertEvery  = 300
)

// routine is what happens beside executions.
func (o *office) routine(l *life) {
	turn, owner := l.turn(), o.person(0)
	in := func(w *writer, stream string, events ...domain.Event) { o.facts(w, stream, owner, l.at, events...) }
	if turn%deniedEvery == 0 {
		in(o.rest, ledger.AccessStream(o.ws, l.at), journal.Denied{Method: "POST", Path: "/v1/workspaces/{ws}/approvals/{id}/decide", Code: "permission_denied", Permission: domain.ApprovalDecide, Count: 1})
	}
	if turn%(2*deniedEvery) == 0 {
		in(o.rest, ledger.AccessStream(o.ws, l.at), journal.ContentOpened{Records: []string{ledger.EventID(identified(ledger.Draft{}).ID)}, Reason: "complaint of a supplier"})
	}
	if turn%grantEvery == 0 {
		in(o.rest, ledger.GrantStream(o.ws), grant.Given{Grant: l.given(), By: owner, Roles: []domain.RoleName{domain.RoleOwner}, At: l.at,
			Terms: grant.Terms{Kinds: []domain.ActionKind{"payment.initiate"}, Workflows: []domain.Workflow{"invoices"}, When: "action.params.amount_cents < 50000.0",
				MaxUses: 10_000, Until: l.at.AddDate(0, 1, 0), Reason: "the supplier is known"}})
	}
	if turn%tokenEvery == 0 {
		who, until := domain.AgentActor(o.agent(turn/tokenEvery)), l.at.AddDate(0, 3, 0)
		made := o.token(who, fmt.Sprint(" ", turn), l.at, &until)
		in(o.rest, ledger.WorkspaceStream(o.ws), made, workspace.RolesSet{Actor: o.person(1 + turn/tokenEvery%(people-1)),
			Roles: []domain.RoleName{domain.RoleOperationsSupervisor, domain.RoleMember}, By: owner, At: l.at})
		in(o.rest, ledger.WorkspaceStream(o.ws), workspace.TokenRevoked{Token: made.Token, By: owner})
	}
	if turn%policyEvery == policyEvery-1 {
		o.write(2+turn/policyEvery, l.at)
	}
	if turn%alertEvery == alertEvery-1 {
		w := window("daily", 1, l.at, 24*time.Hour)
		e := budget.Alerted{Budget: w.Budget, Limit: "cost_micros", Threshold: 80, Start: w.Start, Used: 80_000, Max: 100_000, At: l.at}
		list := o.facts(o.book, ledger.BudgetStream(o.ws), domain.Service("budget"), l.at, e)
		l.notify("book", list[0], e)
	}
}
