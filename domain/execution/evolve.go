package execution

import (
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// Evolve folds one event. It never fails and leaves s as it was.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Requested:
		return s.requested(e)
	case ActionRequested:
		return s.withAct(act(e))
	case ActionAuthorized:
		return s.authorized(e)
	case ActionDenied:
		return s.denied(e)
	case ActionStarted:
		return s.started(e)
	case PromptRecorded:
		s.Prompts = s.Prompts.Set(e.Prompt, Prompt{Status: PromptOpen, Reservation: e.Reservation, Recorded: &e})
		s.Open++
	case CompletionRecorded:
		return s.closed(e.Prompt, PromptCompleted)
	case PromptFailed:
		return s.closed(e.Prompt, PromptFailure)
	case Completed:
		s.Status, s.EndedAt = StatusCompleted, e.At
	case Failed:
		s.Status, s.EndedAt = StatusFailed, e.At
	case Cancelled:
		s.Status, s.EndedAt = StatusCancelled, e.At
	case PromptResolved:
		return s.closed(e.Prompt, PromptSettled)
	case Resolved:
		s.Status, s.EndedAt, s.Outcome = StatusResolved, e.At, e.Outcome
	}
	return s
}

// standing is where an action stands right after a decision about it.
func standing(d gate.Decision) Status {
	switch d.Effect {
	case gate.Allow:
		return StatusAuthorized
	case gate.RequireApproval:
		return StatusAwaiting
	}
	return StatusDenied
}

func (s State) requested(e Requested) State {
	s.Execution, s.Workflow, s.Subject = e.Execution, e.Workflow, e.Subject
	s.By, s.Roles, s.At = e.By, e.Roles, e.At
	s.First, s.Status = e.Action.ID, standing(e.Decision)
	if s.Status.Ended() {
		s.EndedAt = e.At
	}
	return s.withAct(act(ActionRequested{Action: e.Action, Context: e.Context, Decision: e.Decision,
		Permit: e.Permit, Approval: e.Approval, Roles: e.Roles, Involved: e.Involved, At: e.At}))
}

func act(e ActionRequested) Act {
	a := e.Action
	return Act{ID: a.ID, Kind: a.Kind, Params: a.Params, Digest: a.Digest, Context: e.Context,
		Status: standing(e.Decision), Decision: e.Decision, Permit: e.Permit, Approval: e.Approval,
		Roles: e.Roles, Involved: e.Involved, At: e.At}
}

func (s State) authorized(e ActionAuthorized) State {
	act, ok := s.Actions.Get(e.Action)
	if !ok {
		return s
	}
	a := *act
	a.Status, a.Permit, a.Approval, a.Grant = StatusAuthorized, &e.Permit, e.Approval, e.Grant
	if e.Action == s.First && s.Status == StatusAwaiting {
		s.Status = StatusAuthorized
	}
	return s.withAct(a)
}

func (s State) denied(e ActionDenied) State {
	act, ok := s.Actions.Get(e.Action)
	if !ok {
		return s
	}
	a := *act
	a.Status = StatusDenied
	if e.Action == s.First && s.Status == StatusAwaiting {
		s.Status, s.EndedAt = StatusDenied, e.At
	}
	return s.withAct(a)
}

func (s State) started(e ActionStarted) State {
	act, ok := s.Actions.Get(e.Action)
	if !ok {
		return s
	}
	a := *act
	a.Status, a.Decision = StatusStarted, e.Decision
	if !s.Status.Ended() {
		s.Status = StatusStarted
	}
	return s.withAct(a)
}

// withAct stores an action, without what nobody will ask for again.
func (s State) withAct(a Act) State {
	if a.ID != s.First && (a.Status == StatusStarted || a.Status == StatusDenied) {
		a.Params, a.Context, a.Roles, a.Involved = nil, nil, nil, nil
	}
	s.Actions = s.Actions.Set(a.ID, &a)
	return s
}

func (s State) closed(id domain.PromptID, status PromptStatus) State {
	p, ok := s.Prompts.Get(id)
	if !ok || p.Status != PromptOpen {
		return s
	}
	s.Prompts = s.Prompts.Set(id, Prompt{Status: status, Reservation: p.Reservation})
	s.Open--
	return s
}
