package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

func peopleRoutes() []route {
	return []route{
		{"GET", "/people", showPeople},
		{"GET", "/people/invite", func(v *visit) error { return v.inviteForm(http.StatusOK, inviteView{}) }},
		{"POST", "/people/invite", invite},
	}
}

// peopleView is the list of members.
type peopleView struct {
	Members  []api.Member
	Statuses []choice
	Roles    []choice
	Role     string // that members are held against
	Filtered bool
	Next     string
}

const membersPage = 100

func showPeople(v *visit) error {
	status, role := v.query("status"), v.query("role")
	view := peopleView{Role: role, Filtered: status != "" || role != ""}
	var err error
	if role != "" { // the API has no such filter, so all members are read
		var all []api.Member
		all, err = v.allMembers(status)
		view.Members = slices.DeleteFunc(all, func(m api.Member) bool { return !slices.Contains(m.Roles, role) })
	} else {
		view.Members, view.Next, err = v.somePeople(status)
	}
	if err != nil {
		return err
	}
	if view.Next == "" && v.query("cursor") == "" { // all of them: in the order of their names, not of their ids
		slices.SortStableFunc(view.Members, func(a, b api.Member) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	}
	for _, s := range []string{"", "joined", "invited", "removed"} {
		label := words(s)
		if s == "" {
			label = "All"
		}
		view.Statuses = append(view.Statuses, choice{label, v.PeopleURL("status", s, "role", role), s == status})
	}
	roles, err := read[api.RoleList](v.api.ListRoles(v.ctx(), v.ws, nil))
	if err != nil {
		return err
	}
	view.Roles = append(view.Roles, choice{"Any role", v.PeopleURL("status", status), role == ""})
	for _, r := range roles.Items {
		view.Roles = append(view.Roles, choice{words(r.Name), v.PeopleURL("status", status, "role", r.Name), r.Name == role})
	}
	return v.page("people.html", "people", "People", view)
}

// somePeople is one page of members and the address of the next.
func (v *visit) somePeople(status string) ([]api.Member, string, error) {
	params := &api.ListMembersParams{Limit: given(membersPage), Cursor: given(v.query("cursor")), Status: given(api.MemberStatus(status)), MinPosition: v.after()}
	list, err := read[api.MemberList](v.api.ListMembers(v.ctx(), v.ws, params))
	if err != nil || list.Next == "" {
		return list.Items, "", err
	}
	return list.Items, v.PeopleURL("status", status, "cursor", list.Next), nil
}

// allMembers reads the whole list of members.
func (v *visit) allMembers(status string) ([]api.Member, error) {
	var all []api.Member
	cursor := ""
	for range 50 {
		list, err := read[api.MemberList](v.api.ListMembers(v.ctx(), v.ws, &api.ListMembersParams{Limit: given(1000), Cursor: given(cursor),
			Status: given(api.MemberStatus(status)), MinPosition: v.after()}))
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if cursor = list.Next; cursor == "" {
			return all, nil
		}
	}
	return nil, errors.New("a workspace has more members than this page reads")
}

// inviteView is the form for an invitation, and its link once.
type inviteView struct {
	Name, Email string
	Roles       []roleChoice
	Problem     *refusal
	Made        *api.MemberInvited
	Link        string
}

// roleChoice is a role that can be ticked.
type roleChoice struct {
	api.Role
	Held bool
}

// roleChoices lists all roles, those of held ticked.
func (v *visit) roleChoices(held []string) ([]roleChoice, error) {
	list, err := read[api.RoleList](v.api.ListRoles(v.ctx(), v.ws, nil))
	if err != nil {
		return nil, err
	}
	var out []roleChoice
	for _, r := range list.Items {
		out = append(out, roleChoice{r, slices.Contains(held, r.Name)})
	}
	return out, nil
}

func (v *visit) inviteForm(status int, view inviteView) error {
	held := v.r.PostForm["roles"]
	if v.r.Method == http.MethodGet {
		held = []string{"member"}
	}
	var err error
	if view.Roles, err = v.roleChoices(held); err != nil {
		return err
	}
	return v.pageStatus(status, "invite.html", "people", "Invite a person", view)
}

// invite asks a person in and shows the link for it, this once.
func invite(v *visit) error {
	view := inviteView{Name: strings.TrimSpace(v.form("name")), Email: strings.TrimSpace(v.form("email"))}
	made, err := read[api.MemberInvited](v.api.InviteMember(v.ctx(), v.ws, &api.InviteMemberParams{IdempotencyKey: v.key()},
		api.MemberInput{Email: view.Email, Name: view.Name, Roles: append(api.Roles{}, v.r.PostForm["roles"]...)}))
	if r := correctable(err); r != nil {
		view.Problem = r
		return v.inviteForm(r.Status, view)
	}
	if err != nil {
		return err
	}
	v.secret()
	view.Made = &made
	if made.InvitationToken != "" {
		view.Link = v.origin() + root + "join#" + made.InvitationToken
	}
	return v.page("invited.html", "people", "Invitation", view)
}

// origin is this service as the browser names it.
func (d *door) origin() string {
	scheme := "http"
	if d.secure || d.r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + d.r.Host
}

// formTime reads a field of the type datetime-local, which has no zone and is
// meant in UTC. Nothing typed is the zero time.
func formTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, refuse(http.StatusBadRequest, "time_unreadable", "This is no time", "Write it as 2026-11-02T09:30, in UTC.")
}
