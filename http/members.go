package http

import (
	"context"
	"errors"
	"slices"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/directory"
)

// member shows a membership with the person's name and address, which are
// content and read from their record, or as erased when their key is gone.
func (h *handlers) member(ctx context.Context, ws domain.WorkspaceID, id domain.MemberID, m workspace.Member) (api.Member, error) {
	out := api.Member{ID: string(id), Status: api.MemberStatus(m.Status), Roles: texts[api.RoleName](m.Roles), Until: timeOf(m.Until),
		InvitedAt: m.At.UTC(), JoinedAt: m.JoinedAt.UTC()}
	stream, revision, err := h.profileOf(ctx, ws, m)
	if errors.Is(err, directory.ErrNotFound) { // erased before the directory was made, perhaps since m was read
		out.Erased = true
		return out, nil
	}
	if err != nil {
		return out, err
	}
	profile, erased, err := h.service.Profile(ctx, commands.Place{Stream: stream, Revision: revision})
	out.Name, out.Email, out.Erased = profile.Name, profile.Email, erased
	return out, err
}

// profileOf answers where a member's profile is recorded. Rights come from the
// log and places from the directory: one that has not got there yet is waited
// for, so that nobody is shown without a name because a model is late.
func (h *handlers) profileOf(ctx context.Context, ws domain.WorkspaceID, m workspace.Member) (stream string, revision int64, err error) {
	stream, revision, err = h.directory.Profile(ctx, ws, m.Profile)
	if m.Erased || !errors.Is(err, directory.ErrNotFound) {
		return stream, revision, err
	}
	err = h.server.aside(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, readWait)
		defer cancel()
		return h.models.CatchUp(ctx, directory.Name)
	})
	if err != nil {
		return "", 0, err
	}
	return h.directory.Profile(ctx, ws, m.Profile)
}

// ListMembers answers who is, was or is asked to be in the workspace.
func (h *handlers) ListMembers(ctx context.Context, r api.ListMembersRequestObject) (api.ListMembersResponseObject, error) {
	ws := domain.WorkspaceID(r.Ws)
	s, err := h.service.Workspace(ctx, ws)
	if err != nil {
		return nil, err
	}
	if err := h.reach(ctx, directory.Name, given(r.Params.MinPosition)); err != nil {
		return nil, err
	}
	var ids []domain.MemberID
	for id, m := range s.Members.All() {
		if given(r.Params.Status) == "" || api.MemberStatus(m.Status) == given(r.Params.Status) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids, next := page(ids, func(id domain.MemberID) string { return string(id) }, given(r.Params.Cursor), pageSize(given(r.Params.Limit)))
	out := api.ListMembers200JSONResponse{Items: make([]api.Member, len(ids)), Next: next}
	for i, id := range ids {
		m, _ := s.Members.Get(id)
		if out.Items[i], err = h.member(ctx, ws, id, m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// InviteMember asks a person in.
func (h *handlers) InviteMember(ctx context.Context, r api.InviteMemberRequestObject) (api.InviteMemberResponseObject, error) {
	made, err := h.service.InviteMember(ctx, h.call(ctx), r.Body.Email, r.Body.Name, texts[domain.RoleName](r.Body.Roles))
	if err != nil {
		return nil, err
	}
	if err := h.inForceUnless(ctx, made.Token.Shown, made.Receipt); err != nil {
		return nil, err
	}
	return api.InviteMember201JSONResponse{
		Body: api.MemberInvited{ID: string(made.Member), Status: api.MemberStatus(workspace.Invited), InvitationToken: made.Token.Token,
			SecretShown: made.Token.Shown, ExpiresAt: made.ExpiresAt.UTC()},
		Headers: api.InviteMember201ResponseHeaders{LedgerPosition: positionOf(made.Receipt)}}, nil
}

// AcceptInvitation joins whoever has the invitation.
func (h *handlers) AcceptInvitation(ctx context.Context, r api.AcceptInvitationRequestObject) (api.AcceptInvitationResponseObject, error) {
	c := callOf(ctx)
	made, err := h.service.AcceptInvitation(ctx, r.Body.InvitationToken, c.key, c.body)
	if unknownInvitation(err) && h.look(ctx) {
		made, err = h.service.AcceptInvitation(ctx, r.Body.InvitationToken, c.key, c.body)
	}
	if err != nil {
		return nil, err
	}
	if err := h.inForceUnless(ctx, made.Token.Shown, made.Receipt); err != nil {
		return nil, err
	}
	return api.AcceptInvitation201JSONResponse{
		Body: api.InvitationAccepted{Workspace: string(made.Workspace), Member: string(made.Member), Token: made.Token.Token,
			SecretShown: made.Token.Shown},
		Headers: api.AcceptInvitation201ResponseHeaders{LedgerPosition: positionOf(made.Receipt)}}, nil
}

// unknownInvitation reports whether an invitation was refused for being nobody's.
func unknownInvitation(err error) bool {
	refused, _, _ := refusal(err)
	return err != nil && refused.Code == "invitation_unknown"
}

// GetMember answers one member.
func (h *handlers) GetMember(ctx context.Context, r api.GetMemberRequestObject) (api.GetMemberResponseObject, error) {
	ws, id := domain.WorkspaceID(r.Ws), domain.MemberID(r.ID)
	m, err := h.membership(ctx, ws, id)
	if err != nil {
		return nil, err
	}
	if err := h.reach(ctx, directory.Name, given(r.Params.MinPosition)); err != nil {
		return nil, err
	}
	body, err := h.member(ctx, ws, id, m)
	return api.GetMember200JSONResponse{Body: body, Headers: api.GetMember200ResponseHeaders{ETag: etag(m.RolesVersion)}}, err
}

func (h *handlers) membership(ctx context.Context, ws domain.WorkspaceID, id domain.MemberID) (workspace.Member, error) {
	s, err := h.service.Workspace(ctx, ws)
	if err != nil {
		return workspace.Member{}, err
	}
	m, ok := s.Members.Get(id)
	if !ok {
		return m, errNotFound
	}
	return m, nil
}

// RemoveMember ends a membership, and answers once none of the member's tokens
// works any more.
func (h *handlers) RemoveMember(ctx context.Context, r api.RemoveMemberRequestObject) (api.RemoveMemberResponseObject, error) {
	ws, id := domain.WorkspaceID(r.Ws), domain.MemberID(r.ID)
	receipt, err := h.service.RemoveMember(ctx, h.call(ctx), id)
	if err != nil {
		return nil, err
	}
	err = h.gone(ctx, receipt, ws, func(s workspace.State) bool {
		m, ok := s.Members.Get(id)
		return !ok || m.Status == workspace.Removed
	})
	return api.RemoveMember204Response{Headers: api.RemoveMember204ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}

// SetMemberRoles replaces what a member holds.
func (h *handlers) SetMemberRoles(ctx context.Context, r api.SetMemberRolesRequestObject) (api.SetMemberRolesResponseObject, error) {
	ws, id := domain.WorkspaceID(r.Ws), domain.MemberID(r.ID)
	receipt, err := h.service.SetRoles(ctx, h.call(ctx), domain.MemberActor(id), texts[domain.RoleName](r.Body.Roles), optional(r.Body.Until), ifVersion(given(r.Params.IfMatch)))
	if err != nil {
		return nil, err
	}
	if err := h.gone(ctx, receipt, ws, func(workspace.State) bool { return true }); err != nil {
		return nil, err
	}
	m, err := h.membership(ctx, ws, id)
	if err != nil {
		return nil, err
	}
	body, err := h.member(ctx, ws, id, m)
	return api.SetMemberRoles200JSONResponse{Body: body,
		Headers: api.SetMemberRoles200ResponseHeaders{ETag: etag(m.RolesVersion), LedgerPosition: positionOf(receipt)}}, err
}
