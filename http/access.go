package http

import (
	"context"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/access"
)

// errAccessQuestion refuses a question that names nobody and nothing.
var errAccessQuestion = domain.Refuse(domain.Invalid, "access_question", "Ask what an actor may do, or who holds a permission: give actor, permission or both.")

// GetAccess answers who may do what, through which role: now by the model that
// decides, at a moment of the past by what the log says of it.
func (h *handlers) GetAccess(ctx context.Context, r api.GetAccessRequestObject) (api.GetAccessResponseObject, error) {
	p, now := r.Params, h.now()
	actor, permission := domain.ParseActor(given(p.Actor)), domain.Permission(given(p.Permission))
	switch {
	case p.Actor == nil && p.Permission == nil:
		return nil, errAccessQuestion
	case p.Actor != nil && actor == (domain.Actor{}):
		return nil, invalidParameter("actor", "This is no actor; write member:mb_… or agent:ag_….")
	case p.Permission != nil && !domain.ValidPermission(permission):
		return nil, invalidParameter("permission", "There is no such permission. See the list of permissions.")
	case p.At != nil && p.At.After(now):
		return nil, invalidParameter("at", "This lies in the future, of which nothing is recorded.")
	}
	if err := h.reach(ctx, access.Name, given(p.MinPosition)); err != nil {
		return nil, err
	}
	at, ws := or(given(p.At), now).UTC(), domain.WorkspaceID(r.Ws)
	state, err := h.accessAt(ctx, ws, p.At)
	if err != nil {
		return nil, err
	}
	out := api.GetAccess200JSONResponse{At: at, Rights: []api.Right{}}
	for _, right := range state.Rights(actor, permission, at) {
		out.Rights = append(out.Rights, api.Right{Actor: right.Actor.String(), Permission: string(right.Permission), Role: string(right.Role),
			Until: timeOf(right.Until), GrantedBy: right.By.String()})
	}
	return out, nil
}

// accessAt is the workspace as it is, or as it was.
func (h *handlers) accessAt(ctx context.Context, ws domain.WorkspaceID, at *api.Time) (workspace.State, error) {
	if at != nil {
		return h.service.WorkspaceAt(ctx, ws, *at)
	}
	w, ok := h.access.Workspace(ws)
	if !ok {
		return workspace.State{}, errNotFound
	}
	return w.Access(), nil
}
