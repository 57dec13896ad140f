package http

import (
	"context"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/access"
)

func apiWorkspace(s workspace.State) api.Workspace {
	status := api.WorkspaceStatusActive
	if s.Suspended {
		status = api.WorkspaceStatusSuspended
	}
	return api.Workspace{ID: string(s.Workspace), Name: s.Name, Currency: s.Currency, Status: status, CreatedAt: s.At.UTC()}
}

// ListWorkspaces answers the operator, who sees that workspaces exist and
// nothing of what is in them.
func (h *handlers) ListWorkspaces(ctx context.Context, r api.ListWorkspacesRequestObject) (api.ListWorkspacesResponseObject, error) {
	if err := h.reach(ctx, access.Name, given(r.Params.MinPosition)); err != nil {
		return nil, err
	}
	all := h.access.List()
	items, next := page(all, func(w *access.Workspace) string { return string(w.ID()) }, given(r.Params.Cursor), pageSize(given(r.Params.Limit)))
	out := api.ListWorkspaces200JSONResponse{Items: make([]api.Workspace, len(items)), Next: next}
	for i, w := range items {
		out.Items[i] = apiWorkspace(w.Access())
	}
	return out, nil
}

// CreateWorkspace makes a workspace with its owner.
func (h *handlers) CreateWorkspace(ctx context.Context, r api.CreateWorkspaceRequestObject) (api.CreateWorkspaceResponseObject, error) {
	call := h.callIn(ctx, domain.System) // one idempotency key makes one workspace
	call.Workspace = domain.WorkspaceID(r.Body.ID)
	made, err := h.service.CreateWorkspace(ctx, call, commands.CreateWorkspace{
		Name: r.Body.Name, Currency: r.Body.Currency, OwnerEmail: r.Body.Owner.Email, OwnerName: r.Body.Owner.Name})
	if err != nil {
		return nil, err
	}
	if err := h.inForceUnless(ctx, made.Token.Shown, made.Receipt); err != nil {
		return nil, err
	}
	w := apiWorkspace(made.State)
	body := api.WorkspaceCreated{ID: w.ID, Name: w.Name, Currency: w.Currency, Status: api.WorkspaceCreatedStatus(w.Status), CreatedAt: w.CreatedAt}
	if made.Owner != "" {
		body.Owner = api.OwnerCreated{ID: string(made.Owner), Token: made.Token.Token, SecretShown: made.Token.Shown}
	}
	return api.CreateWorkspace201JSONResponse{Body: body,
		Headers: api.CreateWorkspace201ResponseHeaders{LedgerPosition: positionOf(made.Receipt)}}, nil
}

// GetWorkspace answers the workspace the caller is in.
func (h *handlers) GetWorkspace(ctx context.Context, r api.GetWorkspaceRequestObject) (api.GetWorkspaceResponseObject, error) {
	s, err := h.service.Workspace(ctx, domain.WorkspaceID(r.Ws))
	return api.GetWorkspace200JSONResponse(apiWorkspace(s)), err
}

// SuspendWorkspace stops a workspace.
func (h *handlers) SuspendWorkspace(ctx context.Context, r api.SuspendWorkspaceRequestObject) (api.SuspendWorkspaceResponseObject, error) {
	ws := domain.WorkspaceID(r.Ws)
	receipt, err := h.service.Suspend(ctx, h.callIn(ctx, ws), given(r.Body).Reason)
	if err != nil {
		return nil, err
	}
	if err := h.gone(ctx, receipt, ws, func(s workspace.State) bool { return s.Suspended }); err != nil {
		return nil, err
	}
	s, err := h.service.Workspace(ctx, ws)
	return api.SuspendWorkspace200JSONResponse{Body: apiWorkspace(s),
		Headers: api.SuspendWorkspace200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}

// ResumeWorkspace ends a suspension.
func (h *handlers) ResumeWorkspace(ctx context.Context, r api.ResumeWorkspaceRequestObject) (api.ResumeWorkspaceResponseObject, error) {
	ws := domain.WorkspaceID(r.Ws)
	receipt, err := h.service.Resume(ctx, h.callIn(ctx, ws))
	if err != nil {
		return nil, err
	}
	if err := h.inForce(ctx, receipt); err != nil {
		return nil, err
	}
	s, err := h.service.Workspace(ctx, ws)
	return api.ResumeWorkspace200JSONResponse{Body: apiWorkspace(s),
		Headers: api.ResumeWorkspace200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}
