package http

import (
	"context"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/directory"
)

// historyLimit is how many events an execution's history shows; the rest is in
// the list of records.
const historyLimit = 1000

func domainAction(in api.ActionInput) commands.Action {
	return commands.Action{Kind: domain.ActionKind(in.Kind), Params: in.Params}
}

// RequestExecution asks for a run of a workflow.
func (h *handlers) RequestExecution(ctx context.Context, r api.RequestExecutionRequestObject) (api.RequestExecutionResponseObject, error) {
	b := r.Body
	made, err := h.service.RequestExecution(ctx, h.call(ctx), commands.RequestExecution{Workflow: domain.Workflow(b.Workflow),
		Action: domainAction(b.Action), Subject: b.Subject, Context: b.Context})
	if err != nil {
		return nil, err
	}
	return api.RequestExecution201JSONResponse{
		Body: api.ExecutionRequested{ID: string(made.Execution), ActionID: string(made.Action), Status: api.ExecutionStatus(made.Status),
			Decision: apiDecision(made.Decision), ActionDigest: string(made.Digest), ApprovalID: string(made.Approval), Permit: made.Permit},
		Headers: api.RequestExecution201ResponseHeaders{LedgerPosition: positionOf(made.Receipt)}}, nil
}

// RequestAction asks for a further action.
func (h *handlers) RequestAction(ctx context.Context, r api.RequestActionRequestObject) (api.RequestActionResponseObject, error) {
	made, err := h.service.RequestAction(ctx, h.call(ctx), domain.ExecutionID(r.ID), domainAction(r.Body.Action), r.Body.Context)
	if err != nil {
		return nil, err
	}
	return api.RequestAction201JSONResponse{
		Body: api.ActionRequested{ID: string(made.Execution), ActionID: string(made.Action), Status: api.ActionStatus(made.Status),
			Decision: apiDecision(made.Decision), ActionDigest: string(made.Digest), ApprovalID: string(made.Approval), Permit: made.Permit},
		Headers: api.RequestAction201ResponseHeaders{LedgerPosition: positionOf(made.Receipt)}}, nil
}

func changed(s execution.State, action domain.ActionID) api.ExecutionChanged {
	return api.ExecutionChanged{ID: string(s.Execution), ActionID: string(action), Status: api.ExecutionStatus(s.Status)}
}

// StartExecution starts the first action.
func (h *handlers) StartExecution(ctx context.Context, r api.StartExecutionRequestObject) (api.StartExecutionResponseObject, error) {
	s, receipt, err := h.service.Start(ctx, h.call(ctx), domain.ExecutionID(r.ID), "", r.Body.Permit, domainAction(r.Body.Action))
	if err != nil {
		return nil, err
	}
	return api.StartExecution200JSONResponse{Body: changed(s, s.First),
		Headers: api.StartExecution200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// StartAction starts a further action.
func (h *handlers) StartAction(ctx context.Context, r api.StartActionRequestObject) (api.StartActionResponseObject, error) {
	action := domain.ActionID(r.Aid)
	s, receipt, err := h.service.Start(ctx, h.call(ctx), domain.ExecutionID(r.ID), action, r.Body.Permit, domainAction(r.Body.Action))
	if err != nil {
		return nil, err
	}
	return api.StartAction200JSONResponse{Body: changed(s, action),
		Headers: api.StartAction200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// CompleteExecution ends an execution well.
func (h *handlers) CompleteExecution(ctx context.Context, r api.CompleteExecutionRequestObject) (api.CompleteExecutionResponseObject, error) {
	s, receipt, err := h.service.Complete(ctx, h.call(ctx), domain.ExecutionID(r.ID), given(r.Body).Result, given(r.Body).Reason)
	if err != nil {
		return nil, err
	}
	return api.CompleteExecution200JSONResponse{Body: changed(s, ""),
		Headers: api.CompleteExecution200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// FailExecution ends an execution badly.
func (h *handlers) FailExecution(ctx context.Context, r api.FailExecutionRequestObject) (api.FailExecutionResponseObject, error) {
	s, receipt, err := h.service.Fail(ctx, h.call(ctx), domain.ExecutionID(r.ID), given(r.Body).Result, given(r.Body).Reason)
	if err != nil {
		return nil, err
	}
	return api.FailExecution200JSONResponse{Body: changed(s, ""),
		Headers: api.FailExecution200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// CancelExecution ends an execution before it is done.
func (h *handlers) CancelExecution(ctx context.Context, r api.CancelExecutionRequestObject) (api.CancelExecutionResponseObject, error) {
	control := callOf(ctx).holds(domain.ExecutionControl)
	s, receipt, err := h.service.Cancel(ctx, h.call(ctx), domain.ExecutionID(r.ID), given(r.Body).Result, given(r.Body).Reason, control)
	if err != nil {
		return nil, err
	}
	return api.CancelExecution200JSONResponse{Body: changed(s, ""),
		Headers: api.CancelExecution200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// ListExecutions answers executions from the directory, newest first.
func (h *handlers) ListExecutions(ctx context.Context, r api.ListExecutionsRequestObject) (api.ListExecutionsResponseObject, error) {
	p := r.Params
	if err := h.reach(ctx, directory.Name, given(p.MinPosition)); err != nil {
		return nil, err
	}
	found, err := h.directory.Executions(ctx, domain.WorkspaceID(r.Ws), directory.ExecutionFilter{Status: execution.Status(given(p.Status)),
		Workflow: domain.Workflow(given(p.Workflow)), Actor: domain.ParseActor(given(p.Requester)), Unresolved: given(p.Unresolved)}, given(p.Cursor), pageSize(given(p.Limit)))
	if err != nil {
		return nil, listError(err)
	}
	out := api.ListExecutions200JSONResponse{Items: make([]api.ExecutionSummary, len(found.Items)), Next: found.Next}
	for i, e := range found.Items {
		out.Items[i] = api.ExecutionSummary{ID: string(e.ID), Workflow: string(e.Workflow), Kind: string(e.Kind), Status: api.ExecutionStatus(e.Status),
			Requester: e.Actor.String(), RequestedAt: e.Created, EndedAt: e.Ended, Unresolved: e.Unresolved}
	}
	return out, nil
}

// GetExecution answers an execution as the log has it now.
func (h *handlers) GetExecution(ctx context.Context, r api.GetExecutionRequestObject) (api.GetExecutionResponseObject, error) {
	ws, id := domain.WorkspaceID(r.Ws), domain.ExecutionID(r.ID)
	s, err := h.service.Execution(ctx, ws, id)
	if err != nil {
		return nil, err
	}
	if err := requesterOnly(ctx, s.By); err != nil {
		return nil, err
	}
	history, err := h.service.History(ctx, ws, id, historyLimit)
	if err != nil {
		return nil, err
	}
	out := h.execution(ctx, ws, s)
	for _, e := range history {
		out.History = append(out.History, api.HistoryEntry{ID: e.ID, Type: e.Type, Revision: e.Revision, Time: e.Time.UTC(), Actor: e.Actor.String(), Event: e.Event})
	}
	return api.GetExecution200JSONResponse(out), nil
}

func (h *handlers) execution(ctx context.Context, ws domain.WorkspaceID, s execution.State) api.Execution {
	out := api.Execution{ID: string(s.Execution), Workflow: string(s.Workflow), Status: api.ExecutionStatus(s.Status), Requester: s.By.String(),
		RequestedAt: s.At.UTC(), EndedAt: s.EndedAt.UTC(), Unresolved: s.Unresolved(), Outcome: api.ResolvedOutcome(s.Outcome), Actions: []api.Action{}, Prompts: []api.Prompt{}, History: []api.HistoryEntry{}}
	for id := range s.Actions.All() {
		act, _ := s.Action(id)
		a := h.action(ctx, ws, s, act)
		if id == s.First {
			out.ActionDigest, out.ApprovalID, out.Permit, out.Decision, out.Context = a.Digest, a.ApprovalID, a.Permit, a.Decision, act.Context
			out.Actions = append([]api.Action{a}, out.Actions...)
			continue
		}
		out.Actions = append(out.Actions, a)
	}
	for id, p := range s.Prompts.All() {
		shown := api.Prompt{ID: string(id), Status: api.PromptStatus(p.Status), ReservationID: string(p.Reservation)}
		if p.Recorded != nil {
			shown.Model, shown.RecordedAt = string(p.Recorded.Model), p.Recorded.At.UTC()
		}
		out.Prompts = append(out.Prompts, shown)
	}
	return out
}

func (h *handlers) action(ctx context.Context, ws domain.WorkspaceID, s execution.State, act execution.Act) api.Action {
	a := api.Action{ID: string(act.ID), Kind: string(act.Kind), Params: act.Params, Digest: string(act.Digest), Status: api.ActionStatus(act.Status),
		Decision: apiDecision(act.Decision), ApprovalID: string(act.Approval), RequestedAt: act.At.UTC(),
		Permit: h.service.Permit(ws, s, act.ID, CallerFrom(ctx).Actor)}
	if act.Grant != "" { // in whose place nobody was asked: there is no such approval
		a.GrantID, a.ApprovalID = string(act.Grant), ""
	}
	if act.Permit != nil {
		a.PermitExpiresAt = act.Permit.ExpiresAt.UTC()
	}
	return a
}
