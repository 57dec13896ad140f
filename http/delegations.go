package http

import (
	"context"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/access"
)

func apiDelegation(id domain.DelegationID, d workspace.Delegation) api.Delegation {
	return api.Delegation{ID: string(id), From: string(d.From), To: string(d.To), Roles: texts[api.RoleName](d.Roles),
		Start: d.Start.UTC(), Until: d.Until.UTC(), Reason: d.Reason}
}

// ListDelegations answers the delegations in force or to come; to a caller
// without member.read only its own.
func (h *handlers) ListDelegations(ctx context.Context, r api.ListDelegationsRequestObject) (api.ListDelegationsResponseObject, error) {
	if err := h.reach(ctx, access.Name, given(r.Params.MinPosition)); err != nil {
		return nil, err
	}
	s, err := h.service.Workspace(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	me, now := CallerFrom(ctx).Actor, h.now()
	all := s.Allows(me, domain.MemberRead, now)
	out := api.ListDelegations200JSONResponse{Items: []api.Delegation{}}
	for _, id := range s.LiveDelegations(now) {
		d, _ := s.Delegations.Get(id)
		if all || me == domain.MemberActor(d.From) || me == domain.MemberActor(d.To) {
			out.Items = append(out.Items, apiDelegation(id, d))
		}
	}
	return out, nil
}

// CreateDelegation lets another member vote in the caller's place, and answers
// once this replica decides by it.
func (h *handlers) CreateDelegation(ctx context.Context, r api.CreateDelegationRequestObject) (api.CreateDelegationResponseObject, error) {
	in := commands.Delegation{To: domain.MemberID(r.Body.To), Roles: texts[domain.RoleName](r.Body.Roles), Start: r.Body.Start,
		Until: r.Body.Until, Reason: r.Body.Reason}
	made, receipt, err := h.service.Delegate(ctx, h.call(ctx), in)
	if err != nil {
		return nil, err
	}
	if err := h.inForce(ctx, receipt); err != nil {
		return nil, err
	}
	return api.CreateDelegation201JSONResponse{
		Body: apiDelegation(made.Delegation, workspace.Delegation{From: made.From, To: made.To, Roles: made.Roles, Start: made.Start,
			Until: made.Until, Reason: made.Reason}),
		Headers: api.CreateDelegation201ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// EndDelegation ends a delegation, and answers once nobody votes under it any
// more.
func (h *handlers) EndDelegation(ctx context.Context, r api.EndDelegationRequestObject) (api.EndDelegationResponseObject, error) {
	ws, id := domain.WorkspaceID(r.Ws), domain.DelegationID(r.ID)
	receipt, err := h.service.EndDelegation(ctx, h.call(ctx), id)
	if err != nil {
		return nil, err
	}
	err = h.gone(ctx, receipt, ws, func(s workspace.State) bool { return !s.Delegations.Has(id) })
	return api.EndDelegation204Response{Headers: api.EndDelegation204ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}
