package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/internal/ledger"
)

// openApproval asks humans about an action. Its call follows from the
// request's, so that a repeat of the request repairs what a crash left undone.
func (s *Service) openApproval(ctx context.Context, a *asking, out Requested, action execution.Action) (Receipt, error) {
	d := out.Decision
	request := approval.Requested{Approval: out.Approval, Execution: out.Execution, Action: action.ID, Workflow: a.flow,
		Kind: action.Kind, Params: action.Params, Digest: action.Digest, Policy: d.Policy, Version: d.Version, Rule: d.Rule,
		Reason: d.Reason, Requester: a.call.Actor}
	if d.Approval != nil {
		request.Requirement = *d.Approval
	}
	if request.Requirement.SeparationOfDuties {
		request.Excluded = a.involved()
		if d.Author != (domain.Actor{}) {
			request.Excluded = append(request.Excluded, d.Author)
		}
	}
	r, err := s.approvals.Do(ctx, ledger.ApprovalStream(a.call.Workspace, out.Approval), s.then(a.call, "approval"),
		func(at time.Time) approval.Command { return approval.Open{Request: request, At: at} })
	return r.Receipt, err
}

// involved lists who made the requesting agent and who issued its credential:
// with separation of duties they may not approve what it asks for.
func (a *asking) involved() []domain.Actor {
	var list []domain.Actor
	if agent, ok := a.state.Agents.Get(domain.AgentID(a.call.Actor.ID)); ok && a.call.Actor.Kind == domain.KindAgent {
		list = append(list, agent.By)
	}
	if token, ok := a.state.TokenByID(a.call.Credential); ok && !slices.Contains(list, token.By) {
		list = append(list, token.By)
	}
	return list
}

// Approval answers an approval as the log has it now. One that is overdue but
// not yet written as expired is shown as expired.
func (s *Service) Approval(ctx context.Context, ws domain.WorkspaceID, id domain.ApprovalID) (approval.State, error) {
	if !domain.ValidName(string(id)) {
		return approval.State{}, notFound()
	}
	state, exists, err := s.approvals.Load(ctx, ledger.ApprovalStream(ws, id))
	if err == nil && !exists {
		err = notFound()
	}
	if err == nil && state.Overdue(s.now()) {
		state.Status = approval.StatusExpired
	}
	return state, err
}

// Decide records a person's vote on the action with this digest, and what
// follows from it.
func (s *Service) Decide(ctx context.Context, c Call, id domain.ApprovalID, choice approval.Choice, reason string, digest domain.Digest) (approval.State, Receipt, error) {
	rules, _, err := s.rules(c.Workspace)
	if err != nil {
		return approval.State{}, Receipt{}, err
	}
	if _, err := s.Approval(ctx, c.Workspace, id); err != nil {
		return approval.State{}, Receipt{}, err
	}
	stream := ledger.ApprovalStream(c.Workspace, id)
	r, err := s.approvals.Do(ctx, stream, c, func(at time.Time) approval.Command {
		return approval.Vote{By: c.Actor, Roles: rules.RolesOf(c.Actor, at), Choice: choice, Reason: reason, Digest: digest, At: at}
	})
	if err != nil {
		return r.State, r.Receipt, err
	}
	followed, err := s.bring(ctx, c.Workspace, r.State)
	r.Position = max(r.Position, followed.Position)
	if err != nil {
		s.logger.WarnContext(ctx, "an approval's outcome is recorded but not yet passed on; it will be tried again",
			"workspace", c.Workspace, "approval", id, "error", err)
	}
	if r.State.Status == approval.StatusExpired {
		return r.State, r.Receipt, domain.Refuse(domain.Conflict, "approval_expired", "Nobody decided in time, so the action was denied. It can be requested again.")
	}
	return r.State, r.Receipt, nil
}

// FollowApproval brings an approval's outcome to its execution. It may be
// called any number of times, by any replica.
func (s *Service) FollowApproval(ctx context.Context, ws domain.WorkspaceID, state approval.State) error {
	_, err := s.bring(ctx, ws, state)
	return err
}

// bring is FollowApproval, and says where the execution's event is.
func (s *Service) bring(ctx context.Context, ws domain.WorkspaceID, state approval.State) (Receipt, error) {
	if !state.Exists() || state.Open() {
		return Receipt{}, nil
	}
	request := state.Request
	c := s.own(ws, "approvals", "outcome", string(request.Approval))
	r, err := s.onExecution(ctx, c, request.Execution, func(at time.Time) execution.Command {
		if state.Status == approval.StatusApproved {
			return execution.Authorize{Action: request.Action, Approval: request.Approval, At: at,
				Permit: execution.Permit{ID: domain.PermitID(s.secret.DeriveID("pm_", c.ID, 0)), ExpiresAt: at.Add(permitLife)}}
		}
		return execution.DenyAction{Action: request.Action, Approval: request.Approval, Reason: string(state.Status), At: at}
	})
	var refusal *domain.Error
	if errors.As(err, &refusal) { // the execution ended meanwhile; there is nothing to bring
		return Receipt{}, nil
	}
	return r.Receipt, err
}

// withdraw gives up an approval that nobody needs any more. Its failure leaves
// an approval that can still be voted on and leads to nothing.
func (s *Service) withdraw(ctx context.Context, c Call, id domain.ApprovalID, reason string) {
	_, err := s.approvals.Do(ctx, ledger.ApprovalStream(c.Workspace, id), s.then(c, "withdraw-"+string(id)),
		func(at time.Time) approval.Command {
			return approval.Withdraw{By: c.Actor, Control: true, Reason: reason, At: at}
		})
	var refusal *domain.Error
	if err != nil && !errors.As(err, &refusal) {
		s.logger.WarnContext(ctx, "an approval could not be withdrawn", "workspace", c.Workspace, "approval", id, "error", err)
	}
}
