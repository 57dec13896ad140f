package http

import (
	"context"
	"slices"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/access"
)

// GetMe answers who calls, and what the caller may do.
func (h *handlers) GetMe(ctx context.Context, _ api.GetMeRequestObject) (api.GetMeResponseObject, error) {
	c := CallerFrom(ctx)
	w, ok := h.access.Workspace(c.Workspace)
	if !ok {
		return nil, errNotFound
	}
	state := w.Access()
	out := api.GetMe200JSONResponse{Workspace: string(c.Workspace), Actor: c.Actor.String(), Credential: string(c.Credential), Permissions: []string{}}
	if token, ok := state.TokenByID(c.Credential); ok {
		out.ExpiresAt = timeOf(token.ExpiresAt)
	}
	for _, p := range domain.Permissions() {
		if h.access.Allows(c.Workspace, c.Actor, p.Permission, h.now()) {
			out.Permissions = append(out.Permissions, string(p.Permission))
		}
	}
	return out, nil
}

// ListTokens answers tokens without their secrets; to a caller without
// token.manage its own.
func (h *handlers) ListTokens(ctx context.Context, r api.ListTokensRequestObject) (api.ListTokensResponseObject, error) {
	if err := h.reach(ctx, access.Name, given(r.Params.MinPosition)); err != nil {
		return nil, err
	}
	s, err := h.service.Workspace(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	me, now := CallerFrom(ctx).Actor, h.now()
	all, asked := s.Allows(me, domain.TokenManage, now), domain.ParseActor(given(r.Params.Actor))
	var ids []domain.CredentialID
	for id, t := range s.Tokens.All() {
		if (all || t.Actor == me) && (asked == domain.Actor{} || t.Actor == asked) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids, next := page(ids, func(id domain.CredentialID) string { return string(id) }, given(r.Params.Cursor), pageSize(given(r.Params.Limit)))
	out := api.ListTokens200JSONResponse{Items: make([]api.Token, len(ids)), Next: next}
	for i, id := range ids {
		t, _ := s.TokenByID(id)
		out.Items[i] = apiToken(id, t)
		if out.Items[i].Status == api.TokenStatusLive && !t.Live(now) {
			out.Items[i].Status = api.TokenStatusExpired
		}
	}
	return out, nil
}

func apiToken(id domain.CredentialID, t workspace.Credential) api.Token {
	status := api.TokenStatusLive
	if t.Revoked {
		status = api.TokenStatusRevoked
	}
	return api.Token{ID: string(id), Actor: t.Actor.String(), Name: t.Name, Status: status, IssuedAt: t.At.UTC(), IssuedBy: t.By.String(),
		ExpiresAt: timeOf(t.ExpiresAt)}
}
