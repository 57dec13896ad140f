package commands

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Action is what an agent wants to do, as it said it.
type Action struct {
	Kind   domain.ActionKind
	Params json.RawMessage // an object
}

// Requested is what came of asking for an action.
type Requested struct {
	Receipt
	Execution domain.ExecutionID
	Action    domain.ActionID
	Status    execution.Status // authorized, awaiting_approval or denied
	Decision  gate.Decision
	Digest    domain.Digest
	Approval  domain.ApprovalID // if it awaits one
	Permit    string            // if it is authorized
}

// RequestExecution is what an agent asks for.
type RequestExecution struct {
	Workflow domain.Workflow
	Action   Action
	Subject  string          // whom the work is about; "" for nobody
	Context  json.RawMessage // the agent's claim, an object or nothing
}

// asking is an action on its way through the policies.
type asking struct {
	service *Service
	call    Call
	state   workspace.State
	rules   *policy.Evaluator
	ex      domain.ExecutionID
	flow    domain.Workflow
	claim   json.RawMessage
	roles   []domain.RoleName
	guess   gate.Decision // before the stream's turn came
	digest  domain.Digest // of the action under guess
}

// RequestExecution decides about an execution's first action and records both.
func (s *Service) RequestExecution(ctx context.Context, c Call, in RequestExecution) (Requested, error) {
	a, err := s.asking(c, in.Workflow, in.Context)
	if err != nil {
		return Requested{}, err
	}
	a.ex = domain.ExecutionID(s.secret.DeriveID("ex_", c.ID, 0))
	if err := a.prepare(in.Action); err != nil {
		return Requested{}, err
	}
	subject := domain.SubjectTag("")
	if in.Subject != "" {
		subject = s.secret.SubjectTag(c.Workspace, in.Subject)
	}
	r, err := s.executions.Do(ctx, ledger.ExecutionStream(c.Workspace, a.ex), c, func(at time.Time) execution.Command {
		action, decision, permit, approval := a.decide(in.Action, at)
		return execution.Request{Execution: a.ex, Workflow: in.Workflow, Subject: subject, Context: in.Context, Action: action,
			Decision: decision, Permit: permit, Approval: approval, By: c.Actor, Roles: a.roles, Involved: a.involved(decision), At: at}
	})
	if err != nil {
		return Requested{}, err
	}
	e, ok := first[execution.Requested](r.Events)
	if !ok {
		return Requested{}, errNoEvent
	}
	out := Requested{Receipt: r.Receipt, Execution: a.ex, Action: e.Action.ID, Status: statusOf(e.Permit, e.Approval),
		Decision: e.Decision, Digest: e.Action.Digest, Approval: e.Approval}
	return s.follow(ctx, a, out, r.State)
}

// RequestAction decides about a further action of a running execution.
func (s *Service) RequestAction(ctx context.Context, c Call, ex domain.ExecutionID, in Action, claim json.RawMessage) (Requested, error) {
	state, err := s.Execution(ctx, c.Workspace, ex)
	if err != nil {
		return Requested{}, err
	}
	a, err := s.asking(c, state.Workflow, claim)
	if err != nil {
		return Requested{}, err
	}
	a.ex = ex
	if err := a.prepare(in); err != nil {
		return Requested{}, err
	}
	r, err := s.executions.Do(ctx, ledger.ExecutionStream(c.Workspace, ex), c, func(at time.Time) execution.Command {
		action, decision, permit, approval := a.decide(in, at)
		return execution.RequestAction{Action: action, Context: claim, Decision: decision, Permit: permit, Approval: approval, By: c.Actor, Roles: a.roles, Involved: a.involved(decision), At: at}
	})
	if err != nil {
		return Requested{}, err
	}
	e, ok := first[execution.ActionRequested](r.Events)
	if !ok {
		return Requested{}, errNoEvent
	}
	out := Requested{Receipt: r.Receipt, Execution: ex, Action: e.Action.ID, Status: statusOf(e.Permit, e.Approval),
		Decision: e.Decision, Digest: e.Action.Digest, Approval: e.Approval}
	return s.follow(ctx, a, out, r.State)
}

// errNoEvent says that a decision answered without the event it must have made.
var errNoEvent = errors.New("the decision made no event of the kind it must make")

// first finds the first event of a kind.
func first[W any, E any](events []E) (W, bool) {
	for _, e := range events {
		if w, ok := any(e).(W); ok {
			return w, true
		}
	}
	var none W
	return none, false
}

func statusOf(permit *execution.Permit, approval domain.ApprovalID) execution.Status {
	switch {
	case permit != nil:
		return execution.StatusAuthorized
	case approval != "":
		return execution.StatusAwaiting
	}
	return execution.StatusDenied
}

// asking gathers what a decision looks at, and refuses what can't be decided.
func (s *Service) asking(c Call, flow domain.Workflow, claim json.RawMessage) (*asking, error) {
	state, evaluator, err := s.rules(c.Workspace)
	if err != nil {
		return nil, err
	}
	if c.Actor.Kind == domain.KindAgent && !state.AgentAllowsWorkflow(domain.AgentID(c.Actor.ID), flow) {
		return nil, domain.Refuse(domain.Forbidden, "workflow_not_allowed",
			"This agent may not act in the workflow %q. An admin can register an agent for it.", flow)
	}
	return &asking{service: s, call: c, state: state, rules: evaluator, flow: flow, claim: claim,
		roles: state.RolesOf(c.Actor, s.now())}, nil
}

// prepare guesses the decision and takes the action's digest under it while
// nobody waits. Decisions of one stream are made one after another; whoever
// asks many at once on a busy stream would pay for the digests in a row.
func (a *asking) prepare(in Action) (err error) {
	a.guess = a.ask(in, a.service.now())
	if a.digest, err = a.digestOf(in, a.guess); err != nil {
		return invalidAction()
	}
	return nil
}

// invalidAction refuses params that have no canonical form.
func invalidAction() *domain.Error {
	return domain.Refuse(domain.Invalid, "invalid_action",
		"The action's params can't be brought into canonical form: send an object without inexact numbers, not too deep.")
}

// ask asks the policies.
func (a *asking) ask(in Action, at time.Time) gate.Decision {
	return a.rules.Evaluate(policy.Input{Workflow: a.flow, Kind: in.Kind, Params: in.Params, Actor: a.call.Actor,
		Roles: a.roles, Context: a.claim, Now: at})
}

func (a *asking) digestOf(in Action, d gate.Decision) (domain.Digest, error) {
	return ledgercrypto.ActionDigest(a.call.Workspace, a.ex, in.Kind, in.Params, d.Policy, d.Version)
}

// decide asks the policies about the action at stream time, and answers what
// the execution's command needs to record it.
func (a *asking) decide(in Action, at time.Time) (execution.Action, gate.Decision, execution.Permit, domain.ApprovalID) {
	s, id := a.service, a.call.ID
	decision := a.ask(in, at)
	if decision.Policy != a.guess.Policy || decision.Version != a.guess.Version {
		a.guess = decision
		a.digest, _ = a.digestOf(in, decision) // the params were good before
	}
	action := execution.Action{ID: domain.ActionID(s.secret.DeriveID("ac_", id, 1)), Kind: in.Kind, Params: in.Params, Digest: a.digest}
	var permit execution.Permit
	var approval domain.ApprovalID
	switch decision.Effect {
	case gate.Allow:
		permit = execution.Permit{ID: domain.PermitID(s.secret.DeriveID("pm_", id, 2)), ExpiresAt: at.Add(permitLife)}
	case gate.RequireApproval:
		approval = domain.ApprovalID(s.secret.DeriveID("ap_", id, 3))
	}
	return action, decision, permit, approval
}

// follow does what a decision calls for: a signed permit, or asking for
// approval. Where a standing grant took the approval's place, the answer is
// that of an action that was authorized.
func (s *Service) follow(ctx context.Context, a *asking, out Requested, state execution.State) (Requested, error) {
	if out.Status == execution.StatusAwaiting {
		sought, err := s.seekApproval(ctx, a.call, state, out.Action)
		if err != nil {
			return out, err
		}
		state, out.Position = sought.State, max(out.Position, sought.Position)
	}
	act, ok := state.Action(out.Action)
	if ok && act.Permit != nil && (out.Status == execution.StatusAuthorized || act.Grant != "") {
		out.Status = execution.StatusAuthorized
		out.Permit = s.signPermit(a.call.Workspace, out.Execution, a.call.Actor, act)
	}
	return out, nil
}

// Execution answers an execution as the log has it now.
func (s *Service) Execution(ctx context.Context, ws domain.WorkspaceID, id domain.ExecutionID) (execution.State, error) {
	if !domain.ValidName(string(id)) {
		return execution.State{}, notFound()
	}
	state, exists, err := s.executions.Load(ctx, ledger.ExecutionStream(ws, id))
	if err == nil && !exists {
		err = notFound()
	}
	return state, err
}

// onExecution does a command on an execution that must exist.
func (s *Service) onExecution(ctx context.Context, c Call, id domain.ExecutionID, build func(at time.Time) execution.Command, contents ...Content) (Result[execution.State, execution.Event], error) {
	if !domain.ValidName(string(id)) {
		return Result[execution.State, execution.Event]{}, notFound()
	}
	return s.executions.Do(ctx, ledger.ExecutionStream(c.Workspace, id), c, build, contents...)
}

// Complete ends a started execution well. result is content, or nothing.
func (s *Service) Complete(ctx context.Context, c Call, id domain.ExecutionID, result json.RawMessage, reason string) (execution.State, Receipt, error) {
	return s.end(ctx, c, id, result, func(at time.Time, content *execution.Content) execution.Command {
		return execution.Complete{Result: content, Reason: reason, By: c.Actor, At: at}
	})
}

// Fail ends a started execution badly.
func (s *Service) Fail(ctx context.Context, c Call, id domain.ExecutionID, result json.RawMessage, reason string) (execution.State, Receipt, error) {
	return s.end(ctx, c, id, result, func(at time.Time, content *execution.Content) execution.Command {
		return execution.Fail{Result: content, Reason: reason, By: c.Actor, At: at}
	})
}

// end closes an execution with its result.
func (s *Service) end(ctx context.Context, c Call, id domain.ExecutionID, result json.RawMessage, build func(time.Time, *execution.Content) execution.Command) (execution.State, Receipt, error) {
	if _, _, err := s.rules(c.Workspace); err != nil {
		return execution.State{}, Receipt{}, err
	}
	var content *execution.Content
	var contents []Content
	if len(result) > 0 {
		state, err := s.Execution(ctx, c.Workspace, id)
		if err != nil {
			return state, Receipt{}, err
		}
		if _, err := state.Decide(build(s.now(), nil)); err != nil && !state.Status.Ended() {
			return state, Receipt{}, err // before any content is written; a repeat finds the execution ended
		}
		named, rides, err := s.content(ctx, c, ResultContent, s.subjectOf(c, state, ""), result)
		if err != nil {
			return state, Receipt{}, err
		}
		content, contents = &named, rides
	}
	r, err := s.onExecution(ctx, c, id, func(at time.Time) execution.Command { return build(at, content) }, contents...)
	return r.State, r.Receipt, err
}

// Cancel ends an execution and withdraws the approvals it waits for. control
// says that c's actor may close what others requested.
func (s *Service) Cancel(ctx context.Context, c Call, id domain.ExecutionID, result json.RawMessage, reason string, control bool) (execution.State, Receipt, error) {
	state, receipt, err := s.end(ctx, c, id, result, func(at time.Time, content *execution.Content) execution.Command {
		return execution.Cancel{Result: content, Reason: reason, Control: control, By: c.Actor, At: at}
	})
	if err != nil {
		return state, receipt, err
	}
	for _, act := range state.Actions.All() {
		if act.Approval != "" {
			if err := s.withdraw(ctx, c, act.Approval, reason); err != nil {
				s.logger.WarnContext(ctx, "an approval could not be withdrawn; it will be tried again",
					"workspace", c.Workspace, "approval", act.Approval, "error", err)
			}
		}
	}
	return state, receipt, nil
}
