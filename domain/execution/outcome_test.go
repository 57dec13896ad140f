package execution_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
)

func TestPrompts(t *testing.T) {
	record := func(change ...func(*execution.RecordPrompt)) execution.RecordPrompt {
		c := execution.RecordPrompt{Prompt: prompt("pr_1"), By: bot, At: later}
		for _, f := range change {
			f(&c)
		}
		c.Prompt.At = expiry // ignored
		return c
	}
	run(t, []accepted{
		{"recorded", running(), record(), list(prompt("pr_1"))},
	}, []refused{
		{"by somebody else", running(), record(func(c *execution.RecordPrompt) { c.By = other }), domain.Forbidden, "not_requester"},
		{"before the start", list(requested(allow)), record(), domain.Conflict, "not_started"},
		{"after the end", running(execution.Completed{At: later}), record(), domain.Conflict, "execution_ended"},
		{"after a denial", list(requested(deny)), record(), domain.Conflict, "execution_ended"},
		{"twice", running(prompt("pr_1")), record(), domain.Conflict, "prompt_exists"},
		{"no model", running(), record(func(c *execution.RecordPrompt) { c.Prompt.Model = "" }), domain.Invalid, "invalid_prompt"},
		{"negative tokens", running(), record(func(c *execution.RecordPrompt) { c.Prompt.PromptTokens = -1 }), domain.Invalid, "invalid_amount"},
		{"too many tokens", running(), record(func(c *execution.RecordPrompt) { c.Prompt.MaxOutputTokens = 1e15 + 1 }), domain.Invalid, "invalid_amount"},
	})
}

func TestPromptOutcome(t *testing.T) {
	complete := func(change ...func(*execution.RecordCompletion)) execution.RecordCompletion {
		c := execution.RecordCompletion{Completion: completion("pr_1"), By: bot, At: later}
		for _, f := range change {
			f(&c)
		}
		c.Completion.At = expiry // ignored
		return c
	}
	failed := execution.PromptFailed{Prompt: "pr_1", Reason: "timeout", At: later}
	fail := execution.FailPrompt{Prompt: "pr_1", Reason: "timeout", By: bot, At: later}
	failByOther, long := fail, fail
	failByOther.By, long.Reason = other, string(make([]byte, 4097))
	ended := execution.Cancelled{By: bob, At: later}
	negative := domain.Micros(-1)
	run(t, []accepted{
		{"completed", running(prompt("pr_1")), complete(), list(completion("pr_1"))},
		{"completed after the end", running(prompt("pr_1"), ended), complete(), list(completion("pr_1"))},
		{"failed", running(prompt("pr_1")), fail, list(failed)},
		{"failed after the end", running(prompt("pr_1"), ended), fail, list(failed)},
	}, []refused{
		{"completion by somebody else", running(prompt("pr_1")), complete(func(c *execution.RecordCompletion) { c.By = other }), domain.Forbidden, "not_requester"},
		{"failure by somebody else", running(prompt("pr_1")), failByOther, domain.Forbidden, "not_requester"},
		{"completion of nothing", running(), complete(), domain.NotFound, "prompt_unknown"},
		{"failure of nothing", running(), fail, domain.NotFound, "prompt_unknown"},
		{"completed twice", running(prompt("pr_1"), completion("pr_1")), complete(), domain.Conflict, "prompt_closed"},
		{"failed after completion", running(prompt("pr_1"), completion("pr_1")), fail, domain.Conflict, "prompt_closed"},
		{"completed after failure", running(prompt("pr_1"), failed), complete(), domain.Conflict, "prompt_closed"},
		{"a long reason", running(prompt("pr_1")), long, domain.Invalid, "invalid_reason"},
		{"negative use", running(prompt("pr_1")), complete(func(c *execution.RecordCompletion) { c.Completion.Usage.OutputTokens = -1 }), domain.Invalid, "invalid_amount"},
		{"negative cost", running(prompt("pr_1")), complete(func(c *execution.RecordCompletion) { c.Completion.CostMicros = &negative }), domain.Invalid, "invalid_amount"},
	})
}

func TestEnd(t *testing.T) {
	result := &execution.Content{Digest: "result", Size: 3}
	completed := execution.Completed{Result: result, Reason: "done", At: later}
	failed := execution.Failed{Result: result, Reason: "no", At: later}
	cancelled := execution.Cancelled{Reason: "stop", By: bot, At: later}
	complete := execution.Complete{Result: result, Reason: "done", By: bot, At: later}
	fail := execution.Fail{Result: result, Reason: "no", By: bot, At: later}
	cancel := execution.Cancel{Reason: "stop", By: bot, At: later}
	inControl := execution.Cancel{Reason: "stop", By: bob, Control: true, At: later}
	byControl := execution.Cancelled{Reason: "stop", By: bob, At: later}
	completeByOther, failByOther, cancelByOther, longComplete, longCancel := complete, fail, inControl, complete, cancel
	completeByOther.By, failByOther.By, cancelByOther.Control = bob, other, false
	longComplete.Reason, longCancel.Reason = string(make([]byte, 4097)), string(make([]byte, 4097))
	run(t, []accepted{
		{"completed", running(), complete, list(completed)},
		{"failed", running(), fail, list(failed)},
		{"cancelled while authorized", list(requested(allow)), cancel, list(cancelled)},
		{"cancelled while awaiting", list(requested(ask)), cancel, list(cancelled)},
		{"cancelled while running", running(), cancel, list(cancelled)},
		{"cancelled by somebody in control", running(), inControl, list(byControl)},
	}, []refused{
		{"completed by somebody else", running(), completeByOther, domain.Forbidden, "not_requester"},
		{"failed by somebody else", running(), failByOther, domain.Forbidden, "not_requester"},
		{"cancelled by somebody else", running(), cancelByOther, domain.Forbidden, "not_requester"},
		{"completed before the start", list(requested(allow)), complete, domain.Conflict, "not_started"},
		{"failed while awaiting", list(requested(ask)), fail, domain.Conflict, "not_started"},
		{"completed twice", running(completed), complete, domain.Conflict, "execution_ended"},
		{"failed after completion", running(completed), fail, domain.Conflict, "execution_ended"},
		{"cancelled after failure", running(failed), cancel, domain.Conflict, "execution_ended"},
		{"cancelled twice", running(cancelled), cancel, domain.Conflict, "execution_ended"},
		{"cancelled after a denial", list(requested(deny)), cancel, domain.Conflict, "execution_ended"},
		{"completed with a long reason", running(), longComplete, domain.Invalid, "invalid_reason"},
		{"cancelled with a long reason", running(), longCancel, domain.Invalid, "invalid_reason"},
	})
}

func TestStatus(t *testing.T) {
	cancelled := execution.Cancelled{By: bob, At: later}
	tests := []struct {
		name       string
		given      []execution.Event
		want       execution.Status
		first      execution.Status
		unresolved bool
	}{
		{"nothing", nil, "", "", false},
		{"allowed", list(requested(allow)), execution.StatusAuthorized, execution.StatusAuthorized, false},
		{"to be approved", list(requested(ask)), execution.StatusAwaiting, execution.StatusAwaiting, false},
		{"denied", list(requested(deny)), execution.StatusDenied, execution.StatusDenied, false},
		{"approved", list(requested(ask), authorized("1")), execution.StatusAuthorized, execution.StatusAuthorized, false},
		{"denied by a human", list(requested(ask), denied("1")), execution.StatusDenied, execution.StatusDenied, false},
		{"running", running(), execution.StatusStarted, execution.StatusStarted, true},
		{"a further action is denied", running(furtherRequested(ask), denied("2")), execution.StatusStarted, execution.StatusStarted, true},
		{"cancelled in time", list(requested(allow), cancelled), execution.StatusCancelled, execution.StatusCancelled, false},
		{"completed", running(execution.Completed{At: later}), execution.StatusCompleted, execution.StatusStarted, false},
		{"failed", running(execution.Failed{At: later}), execution.StatusFailed, execution.StatusStarted, false},
		{"completed with an open prompt", running(prompt("pr_1"), execution.Completed{At: later}), execution.StatusCompleted, execution.StatusStarted, true},
		{"its prompt failed afterwards", running(prompt("pr_1"), execution.Completed{At: later},
			execution.PromptFailed{Prompt: "pr_1"}), execution.StatusCompleted, execution.StatusStarted, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := given(tt.given...).State()
			first, _ := s.FirstAction()
			if s.Status != tt.want || first.Status != tt.first || s.Unresolved() != tt.unresolved {
				t.Errorf("status %q, first action %q, unresolved %v; want %q, %q, %v",
					s.Status, first.Status, s.Unresolved(), tt.want, tt.first, tt.unresolved)
			}
		})
	}
}

// TestKept checks what a State lets go of: a long execution must not hold the
// parameters of all it ever did, but the first action stays whole.
func TestKept(t *testing.T) {
	s := given(running(furtherRequested(allow), prompt("pr_1"))...).State()
	if second, _ := s.Action("ac_2"); len(second.Params) == 0 || len(second.Context) == 0 {
		t.Error("an action that may yet start lost its parameters or its context")
	}
	if open, _ := s.Prompt("pr_1"); open.Recorded == nil || open.Reservation != "rs_pr_1" {
		t.Errorf("an open prompt is %+v", open)
	}
	s = s.Evolve(started("2")).Evolve(completion("pr_1"))
	if second, _ := s.Action("ac_2"); second.Params != nil || second.Context != nil || second.Digest == "" {
		t.Errorf("an action that started is kept as %+v", second)
	}
	if first, _ := s.FirstAction(); len(first.Params) == 0 || len(first.Context) == 0 {
		t.Error("the first action lost its parameters or its context")
	}
	if closed, _ := s.Prompt("pr_1"); closed.Recorded != nil || closed.Reservation != "rs_pr_1" || closed.Status != execution.PromptCompleted {
		t.Errorf("a closed prompt is kept as %+v", closed)
	}
}

func TestUnknownActionAndPrompt(t *testing.T) {
	s := given(running()...).State()
	if _, ok := s.Action("ac_9"); ok {
		t.Error("found an action that was never requested")
	}
	if _, ok := s.Prompt("pr_9"); ok {
		t.Error("found a prompt that was never recorded")
	}
	if _, ok := (execution.State{}).FirstAction(); ok {
		t.Error("found the first action of nothing")
	}
}

func TestDecodeUnknown(t *testing.T) {
	if _, err := execution.Decode("execution.requested.v9", []byte(`{}`)); !errors.Is(err, execution.ErrUnknownEvent) {
		t.Errorf("error %v, want ErrUnknownEvent", err)
	}
}

// FuzzDecode folds whatever can be decoded.
func FuzzDecode(f *testing.F) {
	f.Add("execution.action_requested.v1", []byte(`{"action":{"id":"ac_2","params":null},"decision":{"effect":"allow"}}`))
	f.Add("execution.action_started.v1", []byte(`{"action":"ac_1"}`))
	f.Add("execution.prompt_failed.v1", []byte(`{"prompt":"pr_1"}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		event, err := execution.Decode(name, data)
		if err != nil {
			return
		}
		s := given(running(prompt("pr_1"))...).State().Evolve(event)
		if _, err := json.Marshal(s); err != nil {
			t.Fatalf("a state after %s can't be written: %v", name, err)
		}
		_, _ = s.Decide(startOf("1"))
		_ = s.Unresolved()
	})
}
