package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/internal/ledger"
)

// involved lists who made the requesting agent and who issued its credential:
// where duties are separated they may not approve what it asks for.
func (a *asking) involved(d gate.Decision) []domain.Actor {
	if d.Approval == nil || !d.Approval.SeparationOfDuties {
		return nil
	}
	var list []domain.Actor
	if agent, ok := a.state.Agents.Get(domain.AgentID(a.call.Actor.ID)); ok && a.call.Actor.Kind == domain.KindAgent {
		list = append(list, agent.By)
	}
	if token, ok := a.state.TokenByID(a.call.Credential); ok && !slices.Contains(list, token.By) {
		list = append(list, token.By)
	}
	return list
}

// Approval answers an approval as it stands now: with the escalation or the
// expiry that is due, whether or not it was written yet.
func (s *Service) Approval(ctx context.Context, ws domain.WorkspaceID, id domain.ApprovalID) (approval.State, error) {
	if !domain.ValidName(string(id)) {
		return approval.State{}, notFound()
	}
	state, exists, err := s.approvals.Load(ctx, ledger.ApprovalStream(ws, id))
	if err == nil && !exists {
		err = notFound()
	}
	return state.AsOf(s.now()), err
}

// Decide records a person's vote on the action with this digest, and what
// follows from it. With onBehalfOf the vote is that absent member's, who must
// have delegated it to the caller.
func (s *Service) Decide(ctx context.Context, c Call, id domain.ApprovalID, choice approval.Choice, reason string, digest domain.Digest, onBehalfOf domain.MemberID) (approval.State, Receipt, error) {
	rules, _, err := s.rules(c.Workspace)
	if err != nil {
		return approval.State{}, Receipt{}, err
	}
	if _, err := s.Approval(ctx, c.Workspace, id); err != nil {
		return approval.State{}, Receipt{}, err
	}
	return s.judge(ctx, c, id, func(at time.Time) approval.Command {
		v := approval.Vote{By: c.Actor, Choice: choice, Reason: reason, Digest: digest, At: at}
		if onBehalfOf == "" {
			v.Roles = rules.RolesOf(c.Actor, at)
			return v
		}
		v.OnBehalf = domain.MemberActor(onBehalfOf)
		if c.Actor.Kind == domain.KindMember {
			v.Delegation, v.Roles = rules.Delegated(domain.MemberID(c.Actor.ID), onBehalfOf, at)
		}
		return v
	})
}

// WithdrawApproval gives up an approval: nobody need decide any more, and the
// action is denied. control says that c's actor may withdraw what others
// requested.
func (s *Service) WithdrawApproval(ctx context.Context, c Call, id domain.ApprovalID, reason string, control bool) (approval.State, Receipt, error) {
	if _, _, err := s.rules(c.Workspace); err != nil {
		return approval.State{}, Receipt{}, err
	}
	if _, err := s.Approval(ctx, c.Workspace, id); err != nil {
		return approval.State{}, Receipt{}, err
	}
	return s.judge(ctx, c, id, func(at time.Time) approval.Command {
		return approval.Withdraw{By: c.Actor, Control: control, Reason: reason, At: at}
	})
}

// judge does a person's command on an approval that exists, and passes on the
// outcome that comes of it.
func (s *Service) judge(ctx context.Context, c Call, id domain.ApprovalID, build func(at time.Time) approval.Command) (approval.State, Receipt, error) {
	r, err := s.approvals.Do(ctx, ledger.ApprovalStream(c.Workspace, id), c, build)
	if err != nil {
		return r.State, r.Receipt, err
	}
	followed, err := s.bring(ctx, c.Workspace, r.State)
	r.Position = max(r.Position, followed.Position)
	if err != nil {
		s.logger.WarnContext(ctx, "an approval's outcome is recorded but not yet passed on; it will be tried again",
			"workspace", c.Workspace, "approval", id, "error", err)
	}
	if _, expired := first[approval.Expired](r.Events); expired { // it came too late, and so does its repeat
		return r.State, r.Receipt, domain.Refuse(domain.Conflict, "approval_expired", "Nobody decided in time, so the action was denied. It can be requested again.")
	}
	return r.State, r.Receipt, nil
}

// bring brings an approval's outcome to its execution, and says where the
// execution's event is. It may be called any number of times, by any replica.
func (s *Service) bring(ctx context.Context, ws domain.WorkspaceID, state approval.State) (Receipt, error) {
	if !state.Exists() || state.Open() {
		return Receipt{}, nil
	}
	request := state.Request
	c := s.step(Call{Workspace: ws, Actor: domain.Service(processName)}, process.BringOutcome, string(request.Approval))
	r, err := s.onExecution(ctx, c, request.Execution, func(at time.Time) execution.Command {
		if state.Status == approval.StatusApproved {
			return execution.Authorize{Action: request.Action, Approval: request.Approval, At: at, Permit: s.permitFor(c, at)}
		}
		return execution.DenyAction{Action: request.Action, Approval: request.Approval, Reason: string(state.Status), At: at}
	})
	var refusal *domain.Error
	if errors.As(err, &refusal) { // the execution ended meanwhile; there is nothing to bring
		return Receipt{}, nil
	}
	return r.Receipt, err
}

// withdraw gives up an approval that nobody needs any more. One that is over
// stays as it is.
func (s *Service) withdraw(ctx context.Context, c Call, id domain.ApprovalID, reason string) error {
	_, err := s.approvals.Do(ctx, ledger.ApprovalStream(c.Workspace, id), s.step(c, process.Withdraw, string(id)),
		func(at time.Time) approval.Command {
			return approval.Withdraw{By: c.Actor, Control: true, Reason: reason, At: at}
		})
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		return nil
	}
	return err
}
