package http

import (
	"context"
	"slices"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
)

// role shows a built-in role, or one of the workspace's own.
func role(s workspace.State, name domain.RoleName) (api.Role, bool) {
	if permissions, ok := domain.BuiltinRole(name); ok {
		return api.Role{Name: string(name), Permissions: texts[string](permissions), Description: "Built in.", Builtin: true}, true
	}
	own, ok := s.Roles.Get(name)
	return api.Role{Name: string(name), Permissions: texts[string](own.Permissions), Description: own.Description, Version: own.Version}, ok
}

// ListRoles answers all roles there are in the workspace.
func (h *handlers) ListRoles(ctx context.Context, r api.ListRolesRequestObject) (api.ListRolesResponseObject, error) {
	s, err := h.service.Workspace(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	own := s.Roles.Keys()
	slices.Sort(own)
	out := api.ListRoles200JSONResponse{Items: []api.Role{}}
	for _, name := range append(domain.BuiltinRoles(), own...) {
		shown, _ := role(s, name)
		out.Items = append(out.Items, shown)
	}
	return out, nil
}

// GetRole answers one role.
func (h *handlers) GetRole(ctx context.Context, r api.GetRoleRequestObject) (api.GetRoleResponseObject, error) {
	s, err := h.service.Workspace(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	shown, ok := role(s, domain.RoleName(r.Role))
	if !ok {
		return nil, errNotFound
	}
	return api.GetRole200JSONResponse{Body: shown, Headers: api.GetRole200ResponseHeaders{ETag: etag(shown.Version)}}, nil
}

// PutRole makes or changes a role of the workspace's own.
func (h *handlers) PutRole(ctx context.Context, r api.PutRoleRequestObject) (api.PutRoleResponseObject, error) {
	ws, name := domain.WorkspaceID(r.Ws), domain.RoleName(r.Role)
	s, receipt, err := h.service.DefineRole(ctx, h.call(ctx), name, texts[domain.Permission](r.Body.Permissions), r.Body.Description, ifVersion(given(r.Params.IfMatch)))
	if err != nil {
		return nil, err
	}
	if err := h.gone(ctx, receipt, ws, func(workspace.State) bool { return true }); err != nil {
		return nil, err
	}
	shown, _ := role(s, name)
	return api.PutRole200JSONResponse{Body: shown,
		Headers: api.PutRole200ResponseHeaders{ETag: etag(shown.Version), LedgerPosition: positionOf(receipt)}}, nil
}

// DeleteRole removes a role that nobody holds, so that nobody loses a right.
func (h *handlers) DeleteRole(ctx context.Context, r api.DeleteRoleRequestObject) (api.DeleteRoleResponseObject, error) {
	receipt, err := h.service.DeleteRole(ctx, h.call(ctx), domain.RoleName(r.Role))
	if err != nil {
		return nil, err
	}
	return api.DeleteRole204Response{Headers: api.DeleteRole204ResponseHeaders{LedgerPosition: positionOf(receipt)}}, h.inForce(ctx, receipt)
}

// ListPermissions answers every permission with its sentence.
func (h *handlers) ListPermissions(context.Context, api.ListPermissionsRequestObject) (api.ListPermissionsResponseObject, error) {
	out := api.ListPermissions200JSONResponse{Items: []api.Permission{}}
	for _, p := range domain.Permissions() {
		out.Items = append(out.Items, api.Permission{Permission: string(p.Permission), Description: p.Sentence})
	}
	return out, nil
}
