package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/domain/schema"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// owes folds the whole log into what acme is owed.
func (w *world) owes() process.State {
	w.t.Helper()
	var state process.State
	for r, err := range w.f.Ledger.Read(context.Background(), eventlog.Query{}) {
		w.must(err)
		if r.Workspace != "acme" || ledger.IsBookkeeping(r.Stream) || ledger.IsContent(r.Type) {
			continue
		}
		_, data, err := ledger.UnwrapFact(r.Payload)
		w.must(err)
		event, err := schema.Decode(r.Type, data)
		w.must(err)
		_, stream, _ := strings.Cut(r.Stream, "-")
		state, _ = state.Evolve(process.Happened{Workspace: "acme", Stream: stream, Record: ledger.EventID(r.ID), Time: r.Time, Event: event})
	}
	return state
}

// due lists what is owed and due.
func due(s process.State, now time.Time) (owed []process.Command) {
	for _, e := range s.Entries.All() {
		if e.Owed != nil && !e.Owed.Due.After(now) {
			owed = append(owed, e.Owed.Command)
		}
	}
	return owed
}

// drain takes steps until none is due, each twice, as two replicas might.
func (w *world) drain() {
	w.t.Helper()
	for range 20 {
		owed := due(w.owes(), w.s.now())
		if len(owed) == 0 {
			return
		}
		for _, c := range owed {
			w.must(w.s.Perform(context.Background(), "acme", c))
			w.must(w.s.Perform(context.Background(), "acme", c))
		}
	}
	w.t.Fatalf("steps stay owed: %+v", due(w.owes(), w.s.now()))
}

// wait moves the clock.
func (w *world) wait(d time.Duration) { w.clock = w.clock.Add(d) }

// story is a whole flow. It stops at the first error, as an agent that dies
// with the service would.
func (w *world) story() error {
	ctx := context.Background()
	action := Action{Kind: "payment.initiate", Params: json.RawMessage(`{"amount":1}`)}
	out, err := w.s.RequestExecution(ctx, w.call(w.agent, "ask"), RequestExecution{Workflow: "invoices", Action: action})
	if err != nil {
		return err
	}
	if _, _, err = w.s.Decide(ctx, w.call(w.supervisor, "yes"), out.Approval, approval.Approve, "", out.Digest, ""); err != nil {
		return err
	}
	state, err := w.s.Execution(ctx, "acme", out.Execution)
	if err != nil {
		return err
	}
	permit := w.s.Permit("acme", state, "", w.agent)
	if _, _, err = w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", permit, action); err != nil {
		return err
	}
	for _, key := range []string{"first", "second", "third"} {
		p, err := w.s.RecordPrompt(ctx, w.call(w.agent, key), out.Execution, RecordPrompt{Model: "gpt", Content: json.RawMessage(`"hi"`), PromptTokens: 10, MaxOutputTokens: 10})
		if err != nil {
			return err
		}
		switch key {
		case "first":
			_, err = w.s.RecordCompletion(ctx, w.call(w.agent, key+" done"), out.Execution, p.Prompt.Prompt,
				RecordCompletion{Content: json.RawMessage(`"ho"`), Usage: execution.Usage{PromptTokens: 9, OutputTokens: 5}})
		case "second":
			_, err = w.s.FailPrompt(ctx, w.call(w.agent, key+" failed"), out.Execution, p.Prompt.Prompt, "no answer")
		}
		if err != nil {
			return err
		}
	}
	if _, err = w.s.RequestAction(ctx, w.call(w.agent, "another"), out.Execution, action, nil); err != nil {
		return err
	}
	_, _, err = w.s.Complete(ctx, w.call(w.agent, "complete"), out.Execution, nil, "")
	return err
}

// The service and its caller die at each append of a whole flow, before it is
// kept and after. What the log then says is owed is taken by another process,
// and in the end nothing is left open that should not be, or happened twice.
func TestProcessSurvivesACrashAtEachAppend(t *testing.T) {
	for _, kept := range []bool{false, true} {
		for at := 0; ; at++ {
			if at > 60 {
				t.Fatal("the flow does not end")
			}
			done := false
			t.Run(fmt.Sprintf("append %d kept %v", at, kept), func(t *testing.T) { done = crashAt(t, kept, at) })
			if done {
				break
			}
		}
	}
}

// crashing is a log that is gone from one append on, as for a process that
// died, or from one deletion on. That one is kept or not. Making keys does not
// count.
type crashing struct {
	eventlog.Log
	armed, dead bool
	kept        bool
	at          int
}

func (c *crashing) Append(ctx context.Context, stream string, expected int64, events []eventlog.Event) (eventlog.Appended, error) {
	var done eventlog.Appended
	act := func() (err error) {
		done, err = c.Log.Append(ctx, stream, expected, events)
		return err
	}
	if ledger.IsKeyStream(stream) {
		return done, act()
	}
	if err := c.do(act); err != nil {
		return eventlog.Appended{}, err
	}
	return done, nil
}

// Delete destroys a key, which is a write like any other.
func (c *crashing) Delete(ctx context.Context, stream string) error {
	return c.do(func() error { return c.Log.Delete(ctx, stream) })
}

func (c *crashing) do(act func() error) error {
	if !c.armed {
		return act()
	}
	if c.at--; c.at == -1 {
		c.dead = true
		if c.kept {
			if err := act(); err != nil {
				return err
			}
		}
	}
	if c.dead {
		return eventlog.ErrClosed
	}
	return act()
}

// crashAt reports whether the flow ended before the append came.
func crashAt(t *testing.T, kept bool, at int) bool {
	log := &crashing{Log: ledgertest.Engine(t), kept: kept, at: at}
	w := newWorld(t, log)
	log.armed = true
	_ = w.story()
	log.armed = false
	w.restart()
	w.wait(process.Grace + time.Second)
	w.drain()
	w.settled()
	w.wait(25 * time.Hour) // everything expires that can
	w.drain()
	w.settled()
	w.over()
	return !log.dead
}

// settled holds the promises that do not need time: who waits can be heard,
// who was heard was told, what was used is counted, and nothing came twice.
func (w *world) settled() {
	w.t.Helper()
	ctx := context.Background()
	once := map[string]string{} // a thing that may happen once, by the event that did it
	approvals := map[domain.ApprovalID]approval.State{}
	var executions []domain.ExecutionID
	used := map[domain.PromptID]bool{}
	for r, err := range w.f.Ledger.Read(ctx, eventlog.Query{TypePrefixes: []string{"execution.", "approval.", "budget."}}) {
		w.must(err)
		_, data, err := ledger.UnwrapFact(r.Payload)
		w.must(err)
		event, err := schema.Decode(r.Type, data)
		w.must(err)
		_, id, _ := strings.Cut(r.Stream, "-")
		note := func(thing string) {
			w.t.Helper()
			if before, ok := once[thing]; ok {
				w.t.Errorf("%s came after %s, and one of them may", r.Type, before)
			}
			once[thing] = r.Type
		}
		switch e := event.(type) {
		case execution.Requested:
			executions = append(executions, e.Execution)
		case execution.ActionAuthorized:
			note("action " + string(e.Action))
		case execution.ActionDenied:
			note("action " + string(e.Action))
		case execution.CompletionRecorded:
			used[e.Prompt] = true
		case approval.Requested:
			note("approval " + id)
			approvals[e.Approval], err = w.s.Approval(ctx, "acme", e.Approval)
			w.must(err)
		case approval.Approved, approval.Denied, approval.Expired, approval.Withdrawn:
			note("outcome of " + id)
		case budget.Settled:
			note("reservation " + string(e.Reservation))
			delete(used, e.Call.Prompt)
		case budget.Released:
			note("reservation " + string(e.Reservation))
		}
	}
	if len(used) > 0 {
		w.t.Errorf("prompts %v were answered and not settled", used)
	}
	for _, ex := range executions {
		state, err := w.s.Execution(ctx, "acme", ex)
		w.must(err)
		for id := range state.Actions.All() {
			w.heard(state, id, approvals)
		}
	}
}

// heard holds that an action and its approval agree.
func (w *world) heard(state execution.State, id domain.ActionID, approvals map[domain.ApprovalID]approval.State) {
	w.t.Helper()
	act, _ := state.Action(id)
	a, opened := approvals[act.Approval]
	waits := act.Status == execution.StatusAwaiting
	switch {
	case waits && !opened:
		w.t.Errorf("action %s waits for an approval that nobody was asked for", id)
	case waits != a.Open() && opened:
		w.t.Errorf("action %s is %s and its approval %s", id, act.Status, a.Status)
	}
}

// over holds that nothing is reserved any more, and no prompt unaccounted for.
func (w *world) over() {
	w.t.Helper()
	book, err := w.s.Book(context.Background(), "acme")
	w.must(err)
	for id, held := range book.Reservations.All() {
		if held.LapsedAt.IsZero() {
			w.t.Errorf("%s is still held", id)
		}
	}
	for key, e := range w.owes().Entries.All() {
		if e.Owed != nil {
			w.t.Errorf("%s is still owed", key)
		}
	}
}
