package http

import (
	"context"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
)

// issue makes a token for an actor and answers once it works.
func (h *handlers) issue(ctx context.Context, actor domain.Actor, in api.TokenInput) (api.TokenCreated, api.Position, error) {
	made, err := h.service.IssueToken(ctx, h.call(ctx), actor, in.Name, optional(in.ExpiresAt))
	if err != nil {
		return api.TokenCreated{}, "", err
	}
	return api.TokenCreated{ID: string(made.ID), Name: in.Name, Token: made.Token.Token, SecretShown: made.Token.Shown, ExpiresAt: in.ExpiresAt},
		positionOf(made.Receipt), h.inForceUnless(ctx, made.Token.Shown, made.Receipt)
}

// CreateAgentToken issues a token to an agent.
func (h *handlers) CreateAgentToken(ctx context.Context, r api.CreateAgentTokenRequestObject) (api.CreateAgentTokenResponseObject, error) {
	body, position, err := h.issue(ctx, domain.AgentActor(domain.AgentID(r.ID)), *r.Body)
	return api.CreateAgentToken201JSONResponse{Body: body, Headers: api.CreateAgentToken201ResponseHeaders{LedgerPosition: position}}, err
}

// CreateMemberToken issues a token to the member who asks.
func (h *handlers) CreateMemberToken(ctx context.Context, r api.CreateMemberTokenRequestObject) (api.CreateMemberTokenResponseObject, error) {
	body, position, err := h.issue(ctx, domain.MemberActor(domain.MemberID(r.ID)), *r.Body)
	return api.CreateMemberToken201JSONResponse{Body: body, Headers: api.CreateMemberToken201ResponseHeaders{LedgerPosition: position}}, err
}

// RevokeToken ends a token, and answers once it does not work any more.
func (h *handlers) RevokeToken(ctx context.Context, r api.RevokeTokenRequestObject) (api.RevokeTokenResponseObject, error) {
	ws, id := domain.WorkspaceID(r.Ws), domain.CredentialID(r.Tid)
	s, err := h.service.Workspace(ctx, ws)
	if err != nil {
		return nil, err
	}
	token, ok := s.TokenByID(id)
	if !ok {
		return nil, errNotFound
	}
	if err := mayRevoke(ctx, token.Actor); err != nil {
		return nil, err
	}
	receipt, err := h.service.RevokeToken(ctx, h.call(ctx), id)
	if err != nil {
		return nil, err
	}
	err = h.gone(ctx, receipt, ws, func(s workspace.State) bool {
		t, ok := s.TokenByID(id)
		return !ok || t.Revoked
	})
	return api.RevokeToken204Response{Headers: api.RevokeToken204ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}

// mayRevoke says who may end a token of owner's. An actor without any right to
// tokens learns only of its own that there are any.
func mayRevoke(ctx context.Context, owner domain.Actor) error {
	c := callOf(ctx)
	need := domain.MemberRemove
	if owner.Kind == domain.KindAgent {
		need = domain.TokenManage
	}
	switch {
	case c.caller.Actor == owner && owner.Kind == domain.KindMember, c.holds(need):
		return nil
	case len(c.held) == 0:
		c.concealed = true
		return errNotFound
	}
	return domain.Refuse(domain.Forbidden, "permission_denied", "This call needs the permission %s.", need).With("permission", string(need))
}
