package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

func delegationRoutes() []route {
	return []route{
		{"GET", "/delegations", func(v *visit) error { return v.delegations(http.StatusOK, delegationsView{}) }},
		{"POST", "/delegations", createDelegation},
		{"POST", "/delegations/{id}/end", endDelegation},
	}
}

// delegationsView is who votes for whom, and the form for the member's own absence.
type delegationsView struct {
	Delegations []delegationRow
	Members     []api.Member // who may stand in; none if the member may not see others
	Roles       []string     // of the member
	Problem     *refusal
	Typed       typedDelegation
}

type typedDelegation struct {
	To, Start, Until, Reason string
	Roles                    []string
}

// Held reports whether a role was ticked.
func (t typedDelegation) Held(role string) bool { return slices.Contains(t.Roles, role) }

// delegationRow is a delegation, in force or to come.
type delegationRow struct {
	api.Delegation
	Status string
	MayEnd bool
}

func (v *visit) delegations(status int, view delegationsView) error {
	list, err := read[api.DelegationList](v.api.ListDelegations(v.ctx(), v.ws, &api.ListDelegationsParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	for _, d := range list.Items {
		row := delegationRow{d, "active", v.May("role.write") || "member:"+d.From == v.me.Actor || "member:"+d.To == v.me.Actor}
		if d.Start.After(v.now()) {
			row.Status = "to come"
		}
		view.Delegations = append(view.Delegations, row)
	}
	if v.May("approval.decide") {
		if err := v.standIns(&view); err != nil {
			return err
		}
	}
	return v.pageStatus(status, "delegations.html", "approvals", "Delegations", view)
}

// standIns fills in what the form offers.
func (v *visit) standIns(view *delegationsView) error {
	me, err := read[api.Member](v.api.GetMember(v.ctx(), v.ws, v.session.Member, nil))
	if err != nil {
		return err
	}
	view.Roles = me.Roles
	if !v.May("member.read") {
		return nil
	}
	all, err := v.allMembers("joined")
	view.Members = slices.DeleteFunc(all, func(m api.Member) bool { return m.ID == v.session.Member })
	return err
}

func createDelegation(v *visit) error {
	t := typedDelegation{strings.TrimSpace(v.form("to")), v.form("start"), v.form("until"), strings.TrimSpace(v.form("reason")), v.r.PostForm["roles"]}
	in := api.DelegationInput{To: t.To, Roles: t.Roles, Reason: t.Reason}
	var err error
	if in.Start, err = formTime(t.Start); err == nil {
		in.Until, err = formTime(t.Until)
	}
	var done reply[api.Delegation]
	if err == nil {
		done, err = send[api.Delegation](v.api.CreateDelegation(v.ctx(), v.ws, &api.CreateDelegationParams{IdempotencyKey: v.key()}, in))
	}
	if r := correctable(err); r != nil {
		return v.delegations(r.Status, delegationsView{Problem: r, Typed: t})
	}
	if err != nil {
		return err
	}
	return v.done(v.DelegationsURL(), "Delegated. Votes in your place are recorded as such.", done.Position)
}

func endDelegation(v *visit) error {
	done, err := send[none](v.api.EndDelegation(v.ctx(), v.ws, v.value("id"), &api.EndDelegationParams{IdempotencyKey: v.key()}))
	if r := correctable(err); r != nil {
		return v.delegations(r.Status, delegationsView{Problem: r})
	}
	if err != nil {
		return err
	}
	return v.done(v.DelegationsURL(), "Ended. Nobody votes under it any more.", done.Position)
}
