package execution_test

import (
	"fmt"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
)

// TestFull reaches the bound on actions and prompts.
func TestFull(t *testing.T) {
	s := given(running()...).State()
	for i := range 199_999 {
		s = s.Evolve(execution.PromptRecorded{Prompt: domain.PromptID(fmt.Sprint("pr_", i))})
	}
	refusedAs := func(c execution.Command) string {
		_, err := s.Decide(c)
		if refusal, ok := err.(*domain.Error); ok {
			return refusal.Code
		}
		return fmt.Sprint(err)
	}
	if code := refusedAs(further(allow)); code != "execution_full" {
		t.Errorf("one more action: %s, want execution_full", code)
	}
	if code := refusedAs(execution.RecordPrompt{Prompt: prompt("pr_new"), By: bot, At: later}); code != "execution_full" {
		t.Errorf("one more prompt: %s, want execution_full", code)
	}
	if _, err := s.Decide(execution.Complete{By: bot, At: later}); err != nil {
		t.Errorf("a full execution can't be completed: %v", err)
	}
	if _, err := s.Decide(execution.RecordCompletion{Completion: completion("pr_7"), By: bot, At: later}); err != nil {
		t.Errorf("a prompt of a full execution can't be completed: %v", err)
	}
}

// BenchmarkLongExecution requests and starts actions one after another in an
// execution that has 60,000; an operation is one decision and its fold.
func BenchmarkLongExecution(b *testing.B) {
	s := given(running()...).State()
	n := 2
	step := func() {
		id := fmt.Sprintf("%026d", n*7919%1_000_003)
		ask := further(allow)
		ask.Action.ID, ask.Permit.ID = domain.ActionID("ac_"+id), domain.PermitID("pm_"+id)
		s = decided(b, s, ask)
		s = decided(b, s, startOf(id, func(c *execution.Start) { c.Digest = ask.Action.Digest }))
		n++
	}
	for range 60_000 {
		step()
	}
	long := s
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += 2 {
		if i%100_000 == 0 {
			s = long // it must not become full
		}
		step()
	}
}

func decided(tb testing.TB, s execution.State, c execution.Command) execution.State {
	tb.Helper()
	events, err := s.Decide(c)
	if err != nil {
		tb.Fatal(err)
	}
	return domain.Fold(s, events...)
}
