package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

func roleRoutes() []route {
	return []route{
		{"GET", "/people/roles", showRoles},
		{"GET", "/people/new-role", func(v *visit) error { return v.roleForm(http.StatusOK, roleView{New: true, ETag: `"0"`}) }},
		{"POST", "/people/new-role", func(v *visit) error { return writeRole(v, strings.TrimSpace(v.form("name")), true) }},
		{"GET", "/people/roles/{name}", func(v *visit) error { return v.role(http.StatusOK, roleView{}) }},
		{"POST", "/people/roles/{name}", func(v *visit) error { return writeRole(v, v.value("name"), false) }},
		{"POST", "/people/roles/{name}/delete", deleteRole},
	}
}

func showRoles(v *visit) error {
	list, err := read[api.RoleList](v.api.ListRoles(v.ctx(), v.ws, &api.ListRolesParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	return v.page("roles.html", "people", "Roles", list)
}

// roleView is the page of one role, and the form for one.
type roleView struct {
	New     bool
	Role    api.Role
	ETag    string
	Groups  []permissionGroup
	Problem *refusal
}

// permissionGroup is the permissions that begin with the same word.
type permissionGroup struct {
	Name  string
	Items []permissionChoice
}

// permissionChoice is a permission with its sentence, ticked or not.
type permissionChoice struct {
	api.Permission
	Held bool
}

// permissionGroups lists every permission, those of held ticked.
func (v *visit) permissionGroups(held []string) ([]permissionGroup, error) {
	list, err := read[api.PermissionList](v.api.ListPermissions(v.ctx(), v.ws))
	if err != nil {
		return nil, err
	}
	var groups []permissionGroup
	for _, p := range list.Items {
		name, _, _ := strings.Cut(p.Permission, ".")
		at := slices.IndexFunc(groups, func(g permissionGroup) bool { return g.Name == name })
		if at < 0 {
			at = len(groups)
			groups = append(groups, permissionGroup{Name: name})
		}
		groups[at].Items = append(groups[at].Items, permissionChoice{p, slices.Contains(held, p.Permission)})
	}
	return groups, nil
}

func (v *visit) role(status int, view roleView) error {
	got, err := send[api.Role](v.api.GetRole(v.ctx(), v.ws, v.value("name"), &api.GetRoleParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	if view.Problem == nil {
		view.Role, view.ETag = got.Body, got.ETag
	}
	view.Role.Version, view.Role.Builtin = got.Body.Version, got.Body.Builtin
	return v.roleForm(status, view)
}

func (v *visit) roleForm(status int, view roleView) error {
	var err error
	if view.Groups, err = v.permissionGroups(view.Role.Permissions); err != nil {
		return err
	}
	title := "Role " + view.Role.Name
	if view.New {
		title = "New role"
	}
	return v.pageStatus(status, "role.html", "people", title, view)
}

// writeRole defines a role, unless somebody did meanwhile.
func writeRole(v *visit, name string, isNew bool) error {
	view := roleView{New: isNew, ETag: v.form("etag"), Role: api.Role{Name: name, Description: strings.TrimSpace(v.form("description")),
		Permissions: append([]string{}, v.r.PostForm["permissions"]...)}}
	if name == "" {
		view.Problem = refuse(http.StatusBadRequest, "role_unnamed", "A role needs a name", "Letters, digits and . _ : - are possible.")
		return v.roleForm(http.StatusBadRequest, view)
	}
	done, err := send[api.Role](v.api.PutRole(v.ctx(), v.ws, name, &api.PutRoleParams{IdempotencyKey: v.key(), IfMatch: given(view.ETag)},
		api.RoleInput{Permissions: view.Role.Permissions, Description: view.Role.Description}))
	if r := correctable(err); r != nil {
		view.Problem = r
		if isNew {
			return v.roleForm(r.Status, view)
		}
		return v.role(r.Status, view)
	}
	if err != nil {
		return err
	}
	return v.done(v.RoleURL(name), "The role is defined, and in force for all who hold it.", done.Position)
}

func deleteRole(v *visit) error {
	done, err := send[none](v.api.DeleteRole(v.ctx(), v.ws, v.value("name"), &api.DeleteRoleParams{IdempotencyKey: v.key()}))
	if r := correctable(err); r != nil && r.Status != http.StatusNotFound {
		return v.deleteRefused(r)
	}
	if err != nil {
		return err
	}
	return v.done(v.RolesURL(), "The role "+v.value("name")+" is deleted.", done.Position)
}

// deleteRefused shows the role as it is, with why it can't go.
func (v *visit) deleteRefused(r *refusal) error {
	got, err := send[api.Role](v.api.GetRole(v.ctx(), v.ws, v.value("name"), nil))
	if err != nil {
		return err
	}
	return v.roleForm(r.Status, roleView{Role: got.Body, ETag: got.ETag, Problem: r})
}
