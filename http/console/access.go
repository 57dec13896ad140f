package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

func accessRoutes() []route {
	return []route{{"GET", "/access", showAccess}}
}

// accessView is the page on who may do what. Without an actor and a permission
// it is the matrix of all; with one of them a list; with both the answer why.
type accessView struct {
	Actor, Permission string
	At                string // as the form field has it
	AsOf              time.Time
	Actors            []actorChoice
	Permissions       []api.Permission
	Sentence          string // of the permission asked for
	Problem           *refusal
	Rights            []api.Right
	Carriers          []string // roles that have the permission asked for
	Matrix            []matrixRow
}

// actorChoice is somebody whom one can ask about.
type actorChoice struct {
	Actor, Name, Status string
	Roles               []string
	Until               time.Time
}

// Label names an actor.
func (a actorChoice) Label() string {
	if a.Name == "" {
		return a.Actor
	}
	return a.Name
}

// matrixRow is what one actor may do, a cell for each permission.
type matrixRow struct {
	actorChoice
	Cells []matrixCell
	Count int
}

// matrixCell is one permission of an actor: the roles that give it.
type matrixCell struct {
	Permission string
	Roles      []string
}

func showAccess(v *visit) error {
	view := accessView{Actor: v.query("actor"), Permission: v.query("permission"), At: v.query("at")}
	permissions, err := read[api.PermissionList](v.api.ListPermissions(v.ctx(), v.ws))
	if err != nil {
		return err
	}
	view.Permissions = permissions.Items
	if view.Actors, err = v.actors(); err != nil {
		return err
	}
	for _, p := range view.Permissions {
		if p.Permission == view.Permission {
			view.Sentence = p.Description
		}
	}
	err = v.answerAccess(&view)
	if r := correctable(err); r != nil && r.Status == http.StatusBadRequest {
		view.Problem = r
		return v.pageStatus(r.Status, "access.html", "access", "Access", view)
	}
	if err != nil {
		return err
	}
	return v.page("access.html", "access", "Access", view)
}

// answerAccess asks what the view is about.
func (v *visit) answerAccess(view *accessView) error {
	at, err := formTime(view.At)
	if err != nil {
		return err
	}
	view.AsOf = v.now()
	switch {
	case view.Actor == "" && view.Permission == "" && !at.IsZero():
		return refuse(http.StatusBadRequest, "access_question", "Choose somebody, or a permission", "A moment of the past is read from the log for one actor or one permission at a time.")
	case view.Actor == "" && view.Permission == "":
		return v.fillMatrix(view)
	}
	answer, err := read[api.Access](v.api.GetAccess(v.ctx(), v.ws, &api.GetAccessParams{Actor: given(view.Actor), Permission: given(view.Permission), At: given(at)}))
	if err != nil {
		return err
	}
	view.Rights, view.AsOf = answer.Rights, answer.At
	if view.Permission == "" {
		return nil
	}
	roles, err := read[api.RoleList](v.api.ListRoles(v.ctx(), v.ws, nil))
	for _, r := range roles.Items {
		if slices.Contains(r.Permissions, view.Permission) {
			view.Carriers = append(view.Carriers, r.Name)
		}
	}
	return err
}

// actors lists who is in the workspace: members, and agents as far as the
// member may see them.
func (v *visit) actors() ([]actorChoice, error) {
	members, err := v.allMembers("")
	if err != nil {
		return nil, err
	}
	var out []actorChoice
	for _, m := range members {
		if m.Status != "removed" {
			out = append(out, actorChoice{"member:" + m.ID, m.Name, string(m.Status), m.Roles, m.Until})
		}
	}
	slices.SortStableFunc(out, func(a, b actorChoice) int {
		return strings.Compare(strings.ToLower(a.Label()), strings.ToLower(b.Label()))
	})
	if !v.May("agent.manage") {
		return out, nil
	}
	agents, err := v.allAgents()
	if err != nil {
		return nil, err
	}
	for _, a := range agents {
		if a.Status == api.AgentStatusActive {
			out = append(out, actorChoice{Actor: "agent:" + a.ID, Name: a.Name, Status: string(a.Status), Roles: a.Roles})
		}
	}
	return out, nil
}

// fillMatrix asks for the holders of each permission. Actors whose names may not
// be seen appear by their ids.
func (v *visit) fillMatrix(view *accessView) error {
	rows := map[string]*matrixRow{}
	var order []*matrixRow
	row := func(a actorChoice) *matrixRow {
		if rows[a.Actor] == nil {
			rows[a.Actor] = &matrixRow{actorChoice: a, Cells: make([]matrixCell, len(view.Permissions))}
			order = append(order, rows[a.Actor])
		}
		return rows[a.Actor]
	}
	for _, a := range view.Actors {
		row(a)
	}
	for i, p := range view.Permissions {
		holders, err := read[api.Access](v.api.GetAccess(v.ctx(), v.ws, &api.GetAccessParams{Permission: &p.Permission}))
		if err != nil {
			return err
		}
		for _, right := range holders.Rights {
			r := row(actorChoice{Actor: right.Actor})
			if len(r.Cells[i].Roles) == 0 {
				r.Count++
			}
			r.Cells[i].Roles = append(r.Cells[i].Roles, right.Role)
		}
	}
	for _, r := range order {
		for i, p := range view.Permissions {
			r.Cells[i].Permission = p.Permission
		}
		view.Matrix = append(view.Matrix, *r)
	}
	return nil
}
