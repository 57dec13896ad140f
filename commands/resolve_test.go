package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// tokens limits what a workspace may spend, so that reservations show.
func (w *world) tokens(limit domain.Tokens) {
	w.t.Helper()
	_, _, err := w.s.DefineBudget(context.Background(), w.call(w.owner, "budget"), "tokens", budget.Spec{Scope: budget.Scope{Workspace: true},
		Window: budget.Total, Timezone: "UTC", Limits: budget.Limits{TotalTokens: &limit}, Mode: budget.Enforce}, nil)
	w.must(err)
}

// prompted records a prompt of 100 tokens.
func (w *world) prompted(ex domain.ExecutionID, key string) domain.PromptID {
	w.t.Helper()
	out, err := w.s.RecordPrompt(context.Background(), w.call(w.agent, key), ex, RecordPrompt{Model: "m1",
		Content: json.RawMessage(`"p"`), PromptTokens: 40, MaxOutputTokens: 60})
	w.must(err)
	return out.Prompt.Prompt
}

// spent answers what the budget has as used and as reserved.
func (w *world) spent() (used, reserved int64) {
	w.t.Helper()
	book, err := w.s.Book(context.Background(), "acme")
	w.must(err)
	u, ok := book.Usage("tokens", w.s.now())
	at := slices.IndexFunc(u.Lines, func(l budget.Line) bool { return l.Limit == "total_tokens" })
	if !ok || at < 0 {
		w.t.Fatalf("the usage is %+v", u)
	}
	return u.Lines[at].Used, u.Lines[at].Reserved
}

func (w *world) kinds(stream string) []string {
	w.t.Helper()
	var kinds []string
	for r, err := range w.s.log.ReadStream(context.Background(), stream, ledger.NoTail()) {
		w.must(err)
		if !isContent(r.Type) {
			kinds = append(kinds, r.Type)
		}
	}
	return kinds
}

func TestResolveExecution(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	w.tokens(1000)
	ex := w.started("ask")
	w.prompted(ex, "one")
	late := w.prompted(ex, "two")
	waits, err := w.s.RequestAction(ctx, w.call(w.agent, "further"), ex, Action{Kind: "payment.initiate", Params: json.RawMessage(`{}`)}, nil)
	w.must(err)
	if used, reserved := w.spent(); used != 0 || reserved != 200 {
		t.Fatalf("%d used and %d reserved", used, reserved)
	}
	if _, _, err := w.s.ResolveExecution(ctx, w.call(w.agent, "resolve"), ex, execution.OutcomeUnknown, "I forgot"); code(err) != "human_required" {
		t.Errorf("by the agent: %v", err)
	}
	call := w.call(w.supervisor, "resolve")
	state, receipt, err := w.s.ResolveExecution(ctx, call, ex, execution.OutcomeUnknown, "the agent is gone")
	if err != nil || state.Status != execution.StatusResolved || state.Outcome != execution.OutcomeUnknown || state.Unresolved() {
		t.Fatalf("the execution is %s, unresolved %v, %v", state.Status, state.Unresolved(), err)
	}
	if used, reserved := w.spent(); used != 0 || reserved != 0 {
		t.Errorf("afterwards %d are used and %d reserved", used, reserved)
	}
	if a, err := w.s.Approval(ctx, "acme", waits.Approval); err != nil || a.Status != approval.StatusWithdrawn {
		t.Errorf("the approval that nobody needs is %s, %v", a.Status, err)
	}
	before := count(t, w.f.Log)
	again, repeat, err := w.s.ResolveExecution(ctx, call, ex, execution.OutcomeUnknown, "the agent is gone")
	if err != nil || again.Status != execution.StatusResolved || !repeat.Replayed || repeat.Position != receipt.Position || count(t, w.f.Log) != before {
		t.Errorf("the repeat answers %+v, %v and wrote %d records", repeat, err, count(t, w.f.Log)-before)
	}
	if _, _, err := w.s.ResolveExecution(ctx, w.call(w.owner, "also"), ex, execution.OutcomeFailed, "no"); code(err) != "execution_ended" {
		t.Errorf("somebody else's word: %v", err)
	}
	if _, err := w.s.RecordCompletion(ctx, w.call(w.agent, "late"), ex, late, RecordCompletion{Content: json.RawMessage(`"late"`)}); code(err) != "prompt_closed" {
		t.Errorf("an answer that comes after it: %v", err)
	}
	want := []string{"execution.prompt_resolved.v1", "execution.prompt_resolved.v1", "execution.resolved.v1"}
	if kinds := w.kinds(ledger.ExecutionStream("acme", ex)); !slices.Equal(kinds[len(kinds)-3:], want) {
		t.Errorf("recorded was %v", kinds)
	}
}

func TestResolvePrompt(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	w.tokens(1000)
	ex := w.started("ask")
	used, unused := w.prompted(ex, "one"), w.prompted(ex, "two")
	_, _, err := w.s.Complete(ctx, w.call(w.agent, "complete"), ex, nil, "")
	w.must(err)
	if state, err := w.s.Execution(ctx, "acme", ex); err != nil || !state.Unresolved() {
		t.Fatalf("a completed execution whose prompts are open is resolved, %v", err)
	}
	cost := domain.Micros(12)
	known := ResolvePrompt{Usage: &execution.Usage{PromptTokens: 40, OutputTokens: 7}, CostMicros: &cost, Reason: "the provider's bill says so"}
	if _, err := w.s.ResolvePrompt(ctx, w.call(w.agent, "r"), ex, used, known); code(err) != "human_required" {
		t.Errorf("by the agent: %v", err)
	}
	if _, err := w.s.ResolvePrompt(ctx, w.call(w.owner, "r0"), ex, "pr_none", known); code(err) != "prompt_unknown" {
		t.Errorf("of no prompt: %v", err)
	}
	if _, err := w.s.ResolvePrompt(ctx, w.call(w.owner, "r0"), "ex_none", used, known); code(err) != "not_found" {
		t.Errorf("in no execution: %v", err)
	}
	for range 2 { // the repeat changes nothing
		_, err = w.s.ResolvePrompt(ctx, w.call(w.owner, "r1"), ex, used, known)
		w.must(err)
		_, err = w.s.ResolvePrompt(ctx, w.call(w.owner, "r2"), ex, unused, ResolvePrompt{Reason: "it never got there"})
		w.must(err)
		if settled, reserved := w.spent(); settled != 47 || reserved != 0 {
			t.Errorf("%d are used and %d reserved, want 47 and none", settled, reserved)
		}
	}
	if _, err := w.s.ResolvePrompt(ctx, w.call(w.supervisor, "r3"), ex, used, known); code(err) != "prompt_closed" {
		t.Errorf("of one that is closed: %v", err)
	}
	if state, err := w.s.Execution(ctx, "acme", ex); err != nil || state.Unresolved() || state.Status != execution.StatusCompleted {
		t.Errorf("the execution is %s, unresolved %v, %v", state.Status, state.Unresolved(), err)
	}
}

// A process that dies between the resolution and the release leaves a step to
// the process across aggregates; taking it there and repeating the call comes
// to one release.
func TestResolutionThatStoppedHalfway(t *testing.T) {
	broken := ""
	log := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, stream string) eventlogtest.Fault {
		if stream == broken {
			return eventlogtest.Before
		}
		return eventlogtest.None
	})
	w, ctx := newWorld(t, log), context.Background()
	w.tokens(1000)
	ex := w.started("ask")
	prompt := w.prompted(ex, "one")
	state, err := w.s.Execution(ctx, "acme", ex)
	w.must(err)
	held, _ := state.Prompt(prompt)
	broken = ledger.BudgetStream("acme")
	state, _, err = w.s.ResolveExecution(ctx, w.call(w.owner, "resolve"), ex, execution.OutcomeFailed, "it is gone")
	if err != nil || state.Status != execution.StatusResolved {
		t.Fatalf("the execution is %s, %v; what is recorded must be answered as recorded", state.Status, err)
	}
	if _, reserved := w.spent(); reserved != 100 {
		t.Fatalf("%d are reserved, though the book could not be written", reserved)
	}
	broken = ""
	w.restart()
	owed := process.Command{Step: process.Release, Execution: ex, Prompt: prompt, Reservation: held.Reservation}
	for range 2 {
		w.must(w.s.Perform(ctx, "acme", owed))
		_, _, err = w.s.ResolveExecution(ctx, w.call(w.owner, "resolve"), ex, execution.OutcomeFailed, "it is gone")
		w.must(err)
	}
	if used, reserved := w.spent(); used != 0 || reserved != 0 {
		t.Errorf("%d are used and %d reserved", used, reserved)
	}
	released := slices.DeleteFunc(w.kinds(ledger.BudgetStream("acme")), func(kind string) bool { return kind != budget.Released{}.EventType() })
	if len(released) != 1 {
		t.Errorf("the reservation was released %d times", len(released))
	}
}

// More open prompts than one append holds are closed before.
func TestResolveManyPrompts(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	w.tokens(1_000_000)
	ex := w.started("ask")
	for i := range execution.MaxResolved + 3 {
		w.prompted(ex, fmt.Sprint("prompt ", i))
	}
	state, _, err := w.s.ResolveExecution(ctx, w.call(w.owner, "resolve"), ex, execution.OutcomeCompleted, "seen on the account")
	if err != nil || state.Status != execution.StatusResolved || state.Open != 0 {
		t.Fatalf("the execution is %s with %d open prompts, %v", state.Status, state.Open, err)
	}
	if used, reserved := w.spent(); used != 0 || reserved != 0 {
		t.Errorf("%d are used and %d reserved", used, reserved)
	}
}
