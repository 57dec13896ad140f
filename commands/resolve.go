package commands

import (
	"context"
	"errors"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
)

// ResolveExecution ends a started execution whose outcome nobody recorded, and
// closes its open prompts. Who may is checked above. What follows (reservations
// given back, approvals withdrawn) is done by the process if it fails here.
func (s *Service) ResolveExecution(ctx context.Context, c Call, id domain.ExecutionID, outcome execution.Outcome, reason string) (execution.State, Receipt, error) {
	if _, _, err := s.rules(c.Workspace); err != nil {
		return execution.State{}, Receipt{}, err
	}
	state, err := s.Execution(ctx, c.Workspace, id)
	if err != nil {
		return state, Receipt{}, err
	}
	if err := s.resolveExcess(ctx, c, state, reason); err != nil {
		return state, Receipt{}, err
	}
	r, err := s.onExecution(ctx, c, id, func(at time.Time) execution.Command {
		return execution.Resolve{Outcome: outcome, Reason: reason, By: c.Actor, At: at}
	})
	if err != nil {
		return r.State, r.Receipt, err
	}
	for _, event := range r.Events {
		if e, ok := event.(execution.PromptResolved); ok {
			closed := s.closeReservation(ctx, c, r.State, e)
			r.Position = max(r.Position, closed.Position)
		}
	}
	s.withdrawWaiting(ctx, c, r.State, reason)
	return r.State, r.Receipt, nil
}

// resolveExcess closes prompts one by one until one append holds the rest.
func (s *Service) resolveExcess(ctx context.Context, c Call, state execution.State, reason string) error {
	excess := state.Open - execution.MaxResolved
	if excess <= 0 || state.Status != execution.StatusStarted {
		return nil
	}
	for _, id := range state.OpenPrompts()[:excess] {
		_, err := s.ResolvePrompt(ctx, s.then(c, "resolve-"+string(id)), state.Execution, id, ResolvePrompt{Reason: reason})
		var refusal *domain.Error
		if errors.As(err, &refusal) && refusal.Code == "prompt_closed" {
			continue // its outcome came meanwhile
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ResolvePrompt is what a person knows of a prompt without an outcome.
type ResolvePrompt struct {
	Usage      *execution.Usage // nil: it used nothing
	CostMicros *domain.Micros   // with Usage only
	Reason     string
}

// ResolvePrompt closes a prompt whose outcome nobody recorded, and settles what
// it used or gives its reservation back. Who may is checked above.
func (s *Service) ResolvePrompt(ctx context.Context, c Call, ex domain.ExecutionID, prompt domain.PromptID, in ResolvePrompt) (Receipt, error) {
	if _, _, err := s.rules(c.Workspace); err != nil {
		return Receipt{}, err
	}
	if _, err := s.Execution(ctx, c.Workspace, ex); err != nil {
		return Receipt{}, err
	}
	r, err := s.onExecution(ctx, c, ex, func(at time.Time) execution.Command {
		return execution.ResolvePrompt{Prompt: prompt, Usage: in.Usage, CostMicros: in.CostMicros, Reason: in.Reason, By: c.Actor, At: at}
	})
	if err != nil {
		return r.Receipt, err
	}
	e, ok := first[execution.PromptResolved](r.Events)
	if !ok {
		return r.Receipt, errNoEvent
	}
	closed := s.closeReservation(ctx, c, r.State, e)
	r.Position = max(r.Position, closed.Position)
	return r.Receipt, nil
}

// closeReservation settles or releases what a resolved prompt had reserved. The
// resolution is recorded; where this fails, the process does it.
func (s *Service) closeReservation(ctx context.Context, c Call, state execution.State, e execution.PromptResolved) (done Receipt) {
	p, ok := state.Prompt(e.Prompt)
	if !ok {
		return done
	}
	var err error
	if e.Usage != nil {
		done, err = s.settleUse(ctx, c, p.Reservation, *e.Usage, e.CostMicros)
	} else {
		err = s.release(ctx, c, p.Reservation, "prompt resolved")
	}
	var refusal *domain.Error
	if err != nil && !errors.As(err, &refusal) { // a refusal: the reservation is over
		s.logger.WarnContext(ctx, "a prompt is resolved, but its reservation is not closed yet; it will be tried again",
			"workspace", c.Workspace, "reservation", p.Reservation, "error", err)
	}
	return done
}

// withdrawWaiting gives up the approvals that actions of an ended execution
// wait for.
func (s *Service) withdrawWaiting(ctx context.Context, c Call, state execution.State, reason string) {
	for id := range state.Actions.All() {
		act, _ := state.Action(id)
		if act.Approval == "" || act.Permit != nil || act.Status != execution.StatusCancelled {
			continue
		}
		if err := s.withdraw(ctx, c, act.Approval, reason); err != nil {
			s.logger.WarnContext(ctx, "an approval could not be withdrawn; it will be tried again",
				"workspace", c.Workspace, "approval", act.Approval, "error", err)
		}
	}
}
