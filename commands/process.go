package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/internal/ledger"
)

// processName is the part of the service that takes steps no call took.
const processName = "process"

// step is the call for a step of the process across aggregates. Its id is the
// same whoever takes the step, so that it happens once; c's actor is recorded.
func (s *Service) step(c Call, step process.Step, id string) Call {
	own := s.own(c.Workspace, processName, string(step), id)
	own.Actor, own.Credential, own.Correlation = c.Actor, c.Credential, c.Correlation
	return own
}

// Perform takes a step that is owed. It may be taken any number of times, by
// any replica: what it rests on is read from the streams, and they decide. A
// step that there is nothing to do for any more answers nil.
func (s *Service) Perform(ctx context.Context, ws domain.WorkspaceID, o process.Command) error {
	c := Call{Workspace: ws, Actor: domain.Service(processName)}
	switch o.Step {
	case process.SeekApproval, process.BringGrant:
		return s.seekAgain(ctx, c, o)
	case process.BringOutcome:
		return s.bringAgain(ctx, c, o)
	case process.Withdraw:
		return s.withdrawAgain(ctx, c, o)
	case process.Escalate:
		return s.onTime(ctx, c, o, func(at time.Time) approval.Command { return approval.Escalate{At: at} })
	case process.ExpireApproval:
		return s.onTime(ctx, c, o, func(at time.Time) approval.Command { return approval.Expire{At: at} })
	case process.Settle:
		return s.settleAgain(ctx, c, o)
	case process.Release:
		return s.releaseAgain(ctx, c, o)
	case process.ExpireReservation:
		return s.expireReservations(ctx, c)
	case process.Notify:
		if o.Notice == nil {
			break
		}
		return s.Deliver(ctx, ws, o.Webhook, *o.Notice)
	case process.Erase:
		return s.eraseAgain(ctx, c, o.Erasure)
	}
	return fmt.Errorf("taking a step: there is no step %q", o.Step)
}

// sought is what came of seeking approval: the execution as it is then.
type sought struct {
	Receipt
	State execution.State
}

// seekApproval asks humans about an action that waits, unless a standing grant
// covers it. The execution's state says everything that the request is made of.
func (s *Service) seekApproval(ctx context.Context, c Call, state execution.State, id domain.ActionID) (sought, error) {
	act, ok := state.Action(id)
	if !ok || act.Status != execution.StatusAwaiting {
		return sought{State: state}, nil
	}
	request := approvalOf(state, act)
	in := policy.Input{Workflow: state.Workflow, Kind: act.Kind, Params: act.Params, Actor: state.By, Roles: act.Roles,
		Context: act.Context, Now: s.now().UTC()}
	used, covered, receipt, err := s.useGrant(ctx, c, request, in)
	if err != nil {
		return sought{Receipt: receipt, State: state}, err
	}
	if !covered {
		call := s.step(c, process.SeekApproval, string(act.Approval))
		r, err := s.approvals.Do(ctx, ledger.ApprovalStream(c.Workspace, act.Approval), call,
			func(at time.Time) approval.Command { return approval.Open{Request: request, At: at} })
		return sought{Receipt: r.Receipt, State: state}, err
	}
	call := s.step(c, process.BringGrant, string(act.Approval))
	r, err := s.onExecution(ctx, call, state.Execution, func(at time.Time) execution.Command {
		return execution.Authorize{Action: act.ID, Approval: act.Approval, Grant: used.Grant, At: at, Permit: s.permitFor(call, at)}
	})
	return sought{Receipt: r.Receipt, State: r.State}, err
}

// permitFor makes the permit that a step brings.
func (s *Service) permitFor(c Call, at time.Time) execution.Permit {
	return execution.Permit{ID: domain.PermitID(s.secret.DeriveID("pm_", c.ID, 0)), ExpiresAt: at.Add(permitLife)}
}

// approvalOf makes the request for an approval out of what the execution
// recorded.
func approvalOf(state execution.State, act execution.Act) approval.Requested {
	d := act.Decision
	request := approval.Requested{Approval: act.Approval, Execution: state.Execution, Action: act.ID, Workflow: state.Workflow,
		Kind: act.Kind, Params: act.Params, Digest: act.Digest, Policy: d.Policy, Version: d.Version, Rule: d.Rule,
		Reason: d.Reason, Requester: state.By}
	if d.Approval != nil {
		request.Requirement = *d.Approval
	}
	if request.Requirement.SeparationOfDuties {
		request.Excluded = excluded(act.Involved, d)
	}
	return request
}

// excluded lists who may not decide where duties are separated: who made the
// requester and its credential, and who wrote the rule.
func excluded(involved []domain.Actor, d gate.Decision) []domain.Actor {
	list := append([]domain.Actor(nil), involved...)
	if d.Author != (domain.Actor{}) {
		list = append(list, d.Author)
	}
	return list
}

func (s *Service) seekAgain(ctx context.Context, c Call, o process.Command) error {
	state, err := s.Execution(ctx, c.Workspace, o.Execution)
	if err != nil {
		return err
	}
	_, err = s.seekApproval(ctx, c, state, o.Action)
	return err
}

func (s *Service) bringAgain(ctx context.Context, c Call, o process.Command) error {
	state, _, err := s.approvals.Load(ctx, ledger.ApprovalStream(c.Workspace, o.Approval)) // as it is written, not as of now
	if err != nil {
		return err
	}
	_, err = s.bring(ctx, c.Workspace, state)
	return err
}

// withdrawAgain withdraws an approval whose action does not wait for it.
func (s *Service) withdrawAgain(ctx context.Context, c Call, o process.Command) error {
	state, err := s.Execution(ctx, c.Workspace, o.Execution)
	if err != nil {
		return err
	}
	if act, ok := state.Action(o.Action); ok && act.Status == execution.StatusAwaiting {
		return nil
	}
	return s.withdraw(ctx, c, o.Approval, "its execution does not wait for it any more")
}

// onTime has an approval write what is due, and passes on what comes of it.
func (s *Service) onTime(ctx context.Context, c Call, o process.Command, build func(time.Time) approval.Command) error {
	r, err := s.approvals.Do(ctx, ledger.ApprovalStream(c.Workspace, o.Approval), s.step(c, o.Step, string(o.Approval)), build)
	if err != nil {
		return err
	}
	_, err = s.bring(ctx, c.Workspace, r.State)
	return err
}

// settleAgain settles what the execution recorded that a prompt used.
func (s *Service) settleAgain(ctx context.Context, c Call, o process.Command) error {
	for r, err := range s.log.ReadStream(ctx, ledger.ExecutionStream(c.Workspace, o.Execution), ledger.NoTail()) {
		if err != nil {
			return translate(err)
		}
		if isContent(r.Type) {
			continue
		}
		_, event, err := s.executions.open(&r)
		if err != nil {
			return err
		}
		switch e := event.(type) {
		case execution.CompletionRecorded:
			if e.Prompt == o.Prompt {
				_, err := s.settleUse(ctx, c, o.Reservation, e.Usage, e.CostMicros)
				return err
			}
		case execution.PromptResolved:
			if e.Prompt == o.Prompt && e.Usage != nil {
				_, err := s.settleUse(ctx, c, o.Reservation, *e.Usage, e.CostMicros)
				return err
			}
		}
	}
	return nil
}

// releaseAgain gives back what a prompt reserved that got no answer.
func (s *Service) releaseAgain(ctx context.Context, c Call, o process.Command) error {
	state, err := s.Execution(ctx, c.Workspace, o.Execution)
	if err != nil {
		return err
	}
	p, ok := state.Prompt(o.Prompt)
	if !ok || p.Reservation != o.Reservation || p.Status != execution.PromptFailure && p.Status != execution.PromptSettled {
		return nil
	}
	var refusal *domain.Error
	if err := s.release(ctx, c, o.Reservation, "prompt failed"); !errors.As(err, &refusal) {
		return err
	}
	return nil // it is over
}

// expireReservations writes every expiry that is due, a few hundred at a time.
// Each time is a command of its own.
func (s *Service) expireReservations(ctx context.Context, c Call) error {
	for {
		r, err := s.budgets.Do(ctx, ledger.BudgetStream(c.Workspace), s.step(c, process.ExpireReservation, randomKey()),
			func(at time.Time) budget.Command { return budget.Expire{At: at} })
		if err != nil || len(r.Events) == 0 {
			return err
		}
		if next, ok := r.State.NextExpiry(); !ok || next.After(s.now()) {
			return nil
		}
	}
}
