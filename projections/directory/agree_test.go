package directory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections/directory"
)

// Lists go by the names of events alone; they must say what the folds of the
// domain say, whatever happens to an execution.
func TestListsAgreeWithTheDomain(t *testing.T) {
	b, ctx, random := newBook(t), context.Background(), rand.New(rand.NewPCG(3, 4))
	states := map[domain.ExecutionID]execution.State{}
	for i := range 300 {
		id := domain.ExecutionID(fmt.Sprintf("ex_%d", i))
		effect := []gate.Effect{gate.Allow, gate.RequireApproval, gate.Deny}[random.IntN(3)]
		events := lifeOf(random, request(id, "w", domain.AgentActor("ag_1"), effect))
		var list []domain.Event
		var s execution.State
		for _, e := range events {
			list = append(list, e)
			s = s.Evolve(e)
		}
		cut := random.IntN(len(list)) + 1 // in two appends
		b.put(ledger.ExecutionStream("acme", id), list[:cut]...)
		if cut < len(list) {
			b.put(ledger.ExecutionStream("acme", id), list[cut:]...)
		}
		states[id] = s
	}
	m := built(t, b.Ledger, t.TempDir())
	p := must(m.Executions(ctx, "acme", directory.ExecutionFilter{}, "", 0))(t)
	if len(p.Items) != len(states) {
		t.Fatalf("%d executions, want %d", len(p.Items), len(states))
	}
	seen, unresolved := map[execution.Status]int{}, 0
	for _, e := range p.Items {
		s := states[e.ID]
		if seen[s.Status]++; e.Status != s.Status || e.Unresolved != s.Unresolved() || e.Ended.IsZero() != s.EndedAt.IsZero() {
			t.Errorf("%s is listed as %s, unresolved %v, ended %v; its fold says %s, %v, %v", e.ID, e.Status, e.Unresolved, e.Ended, s.Status, s.Unresolved(), s.EndedAt)
		}
		if s.Unresolved() {
			unresolved++
		}
	}
	if len(seen) != 8 {
		t.Errorf("only these statuses came up: %v", seen)
	}
	if n := must(m.Unresolved(ctx))(t); n != unresolved || n == 0 {
		t.Errorf("%d are counted as unresolved, want %d", n, unresolved)
	}
}

// lifeOf is a random sequence of events such as decisions make them.
func lifeOf(random *rand.Rand, first execution.Requested) []execution.Event {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	first.At = at
	events := []execution.Event{first}
	s := execution.State{}.Evolve(first)
	prompts := 0
	for range random.IntN(8) {
		var e execution.Event
		switch {
		case s.Status == execution.StatusAwaiting:
			e = []execution.Event{execution.ActionAuthorized{Action: "ac_1", At: at}, execution.ActionDenied{Action: "ac_1", At: at},
				execution.Cancelled{At: at}}[random.IntN(3)]
		case s.Status == execution.StatusAuthorized:
			e = []execution.Event{execution.ActionStarted{Action: "ac_1", At: at}, execution.Cancelled{At: at}}[random.IntN(2)]
		case s.Status == execution.StatusStarted && random.IntN(3) > 0:
			prompts++
			e = []execution.Event{execution.PromptRecorded{Prompt: domain.PromptID(fmt.Sprint(prompts)), At: at},
				execution.ActionRequested{Action: execution.Action{ID: "ac_2"}, Decision: gate.Decision{Effect: gate.RequireApproval}, At: at},
				execution.ActionDenied{Action: "ac_2", At: at}, execution.ActionAuthorized{Action: "ac_2", At: at}}[random.IntN(4)]
		case s.Open > 0 && random.IntN(2) == 0:
			for id, p := range s.Prompts.All() {
				if p.Status == execution.PromptOpen {
					e = []execution.Event{execution.CompletionRecorded{Prompt: id, At: at}, execution.PromptFailed{Prompt: id, At: at},
						execution.PromptResolved{Prompt: id, At: at}}[random.IntN(3)]
				}
			}
		case s.Status == execution.StatusStarted:
			e = []execution.Event{execution.Completed{At: at}, execution.Failed{At: at}, execution.Cancelled{At: at},
				execution.Resolved{Outcome: execution.OutcomeUnknown, At: at}}[random.IntN(4)]
		}
		if e != nil {
			events = append(events, e)
			s = s.Evolve(e)
		}
	}
	return events
}
