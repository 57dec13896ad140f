package http

import (
	"context"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/http/api"
)

// apiGrant is a grant without its uses.
func apiGrant(g grant.Grant, now time.Time) api.Grant {
	return api.Grant{ID: string(g.ID), Status: api.GrantStatus(g.Status(now)), Kinds: texts[api.ActionKind](g.Terms.Kinds),
		Workflows: texts[api.Workflow](g.Terms.Workflows), Agents: texts[api.ID](g.Terms.Agents), When: g.Terms.When,
		MaxUses: g.Terms.MaxUses, Used: g.Used, Until: g.Terms.Until.UTC(), Reason: g.Terms.Reason, GivenBy: g.By.String(),
		GivenAt: g.At.UTC(), Roles: texts[api.RoleName](g.Roles), RevokedAt: g.RevokedAt.UTC()}
}

// apiUses is a grant's newest uses, the newest first.
func apiUses(g grant.Grant) []api.GrantUse {
	out := make([]api.GrantUse, 0, len(g.Uses))
	for _, u := range slices.Backward(g.Uses) {
		out = append(out, api.GrantUse{Use: u.Use, Execution: string(u.Execution), ActionID: string(u.Action), Kind: string(u.Kind),
			ActionDigest: string(u.Digest), Requester: u.Requester.String(), At: u.At.UTC()})
	}
	return out
}

// ListGrants answers the standing grants that are known, newest first. They
// are read from the log, so there is no position to wait for.
func (h *handlers) ListGrants(ctx context.Context, r api.ListGrantsRequestObject) (api.ListGrantsResponseObject, error) {
	s, err := h.service.Grants(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	out := api.ListGrants200JSONResponse{Items: []api.Grant{}}
	for _, g := range s.Grants() {
		out.Items = append(out.Items, apiGrant(g, h.now()))
	}
	return out, nil
}

// GiveGrant approves actions in advance.
func (h *handlers) GiveGrant(ctx context.Context, r api.GiveGrantRequestObject) (api.GiveGrantResponseObject, error) {
	b := r.Body
	g, receipt, err := h.service.GiveGrant(ctx, h.call(ctx), grant.Terms{Kinds: texts[domain.ActionKind](b.Kinds),
		Workflows: texts[domain.Workflow](b.Workflows), Agents: texts[domain.AgentID](b.Agents), When: b.When, MaxUses: b.MaxUses,
		Until: b.Until, Reason: b.Reason})
	if err != nil {
		return nil, err
	}
	return api.GiveGrant201JSONResponse{Body: apiGrant(g, h.now()),
		Headers: api.GiveGrant201ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// GetGrant answers one grant with its newest uses.
func (h *handlers) GetGrant(ctx context.Context, r api.GetGrantRequestObject) (api.GetGrantResponseObject, error) {
	s, err := h.service.Grants(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	g, ok := s.Grant(domain.GrantID(r.ID))
	if !ok {
		return nil, errNotFound
	}
	out := apiGrant(g, h.now())
	out.Uses = apiUses(g)
	return api.GetGrant200JSONResponse(out), nil
}

// RevokeGrant ends a grant, at once on all replicas: each use is decided on by
// the stream that now holds the revocation.
func (h *handlers) RevokeGrant(ctx context.Context, r api.RevokeGrantRequestObject) (api.RevokeGrantResponseObject, error) {
	receipt, err := h.service.RevokeGrant(ctx, h.call(ctx), domain.GrantID(r.ID), given(r.Body).Reason)
	return api.RevokeGrant204Response{Headers: api.RevokeGrant204ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}
