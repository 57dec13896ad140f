package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

func grantRoutes() []route {
	return []route{
		{"GET", "/grants", func(v *visit) error { return v.grants(http.StatusOK, grantsView{}) }},
		{"POST", "/grants", giveGrant},
		{"GET", "/grants/{id}", func(v *visit) error { return v.grant(http.StatusOK, grantView{}) }},
		{"POST", "/grants/{id}/revoke", revokeGrant},
	}
}

// grantsView is the list of what was approved in advance, and the form for more.
type grantsView struct {
	Grants   []api.Grant
	Statuses []choice
	Status   string
	Problem  *refusal
	Typed    typedGrant
}

// typedGrant is what was typed into the form for a grant.
type typedGrant struct{ Kinds, Workflows, Agents, MaxUses, Until, When, Reason string }

func (v *visit) grants(status int, view grantsView) error {
	list, err := read[api.GrantList](v.api.ListGrants(v.ctx(), v.ws, &api.ListGrantsParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	view.Status = v.query("status")
	for _, g := range list.Items {
		if view.Status == "" || string(g.Status) == view.Status {
			view.Grants = append(view.Grants, g)
		}
	}
	view.Statuses = []choice{{"All", v.GrantsURL(), view.Status == ""}}
	for _, s := range []string{"active", "used_up", "ended", "revoked"} {
		view.Statuses = append(view.Statuses, choice{words(s), v.GrantsURL("status", s), s == view.Status})
	}
	return v.pageStatus(status, "grants.html", "approvals", "Standing grants", view)
}

// namesIn are the names in a field, apart by commas, spaces or lines.
func namesIn(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
}

func giveGrant(v *visit) error {
	t := typedGrant{v.form("kinds"), v.form("workflows"), v.form("agents"), strings.TrimSpace(v.form("max_uses")), v.form("until"), strings.TrimSpace(v.form("when")), strings.TrimSpace(v.form("reason"))}
	in, err := t.input()
	var done reply[api.Grant]
	if err == nil {
		done, err = send[api.Grant](v.api.GiveGrant(v.ctx(), v.ws, &api.GiveGrantParams{IdempotencyKey: v.key()}, in))
	}
	if r := correctable(err); r != nil {
		return v.grants(r.Status, grantsView{Problem: r, Typed: t})
	}
	if err != nil {
		return err
	}
	return v.done(v.GrantURL(done.Body.ID), "The grant is given. Each use of it is recorded.", done.Position)
}

func (t typedGrant) input() (api.GrantInput, error) {
	in := api.GrantInput{Kinds: append([]string{}, namesIn(t.Kinds)...), Workflows: namesIn(t.Workflows), Agents: namesIn(t.Agents), When: t.When, Reason: t.Reason}
	var err error
	if in.Until, err = formTime(t.Until); err == nil && t.Reason == "" {
		err = errNoReason
	}
	n, wrong := strconv.Atoi(t.MaxUses)
	if in.MaxUses = n; err == nil && wrong != nil {
		err = refuse(http.StatusBadRequest, "number_unreadable", "How often must be a whole number", "Nothing was changed.")
	}
	return in, err
}

// grantView is one grant with its newest uses.
type grantView struct {
	Grant   api.Grant
	Problem *refusal
	Reason  string
}

func (v *visit) grant(status int, view grantView) error {
	var err error
	if view.Grant, err = read[api.Grant](v.api.GetGrant(v.ctx(), v.ws, v.value("id"), &api.GetGrantParams{MinPosition: v.after()})); err != nil {
		return err
	}
	return v.pageStatus(status, "grant.html", "approvals", "Grant "+short(view.Grant.ID), view)
}

func revokeGrant(v *visit) error {
	view := grantView{Reason: strings.TrimSpace(v.form("reason"))}
	if view.Reason == "" {
		view.Problem = errNoReason
		return v.grant(http.StatusBadRequest, view)
	}
	done, err := send[none](v.api.RevokeGrant(v.ctx(), v.ws, v.value("id"), &api.RevokeGrantParams{IdempotencyKey: v.key()}, api.Reason{Reason: view.Reason}))
	if r := correctable(err); r != nil && r.Status != http.StatusNotFound {
		view.Problem = r
		return v.grant(r.Status, view)
	}
	if err != nil {
		return err
	}
	return v.done(v.GrantURL(v.value("id")), "The grant is revoked. What it covered before stays covered.", done.Position)
}

// Share is how much of a grant is used, of a hundred.
func (frame) Share(used, of int) int {
	if of <= 0 {
		return 0
	}
	return min(100*used/of, 100)
}
