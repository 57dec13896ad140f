package console

import (
	"net/http"
	"slices"

	"github.com/clawoffice/ledger/http/api"
)

func memberRoutes() []route {
	return []route{
		{"GET", "/people/members/{id}", func(v *visit) error { return v.member(http.StatusOK, memberView{}) }},
		{"POST", "/people/members/{id}/roles", setMemberRoles},
		{"POST", "/people/members/{id}/remove", removeMember},
		{"POST", "/people/members/{id}/tokens/{tid}/revoke", revokeMemberToken},
	}
}

// memberView is the page of one member.
type memberView struct {
	Member    api.Member
	Actor     string
	ETag      string
	Roles     []roleChoice
	Until     string // as the form field has it
	Tokens    []api.Token
	Ended     int  // tokens that are over and not listed
	All       bool // list those too
	Problem   *refusal
	MayRevoke bool
}

func (v *visit) member(status int, view memberView) error {
	id := v.value("id")
	got, err := send[api.Member](v.api.GetMember(v.ctx(), v.ws, id, &api.GetMemberParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	view.Member, view.Actor = got.Body, "member:"+id
	if view.ETag == "" {
		view.ETag = got.ETag
	}
	held := view.Member.Roles
	if view.Problem != nil {
		held = v.r.PostForm["roles"]
	} else if !view.Member.Until.IsZero() {
		view.Until = view.Member.Until.UTC().Format("2006-01-02T15:04")
	}
	if view.Roles, err = v.roleChoices(held); err != nil {
		return err
	}
	if v.May("token.manage") || view.Actor == v.me.Actor {
		if view.Tokens, err = v.tokensOf(view.Actor); err != nil {
			return err
		}
		view.All = v.query("all") == "1"
		view.Tokens, view.Ended = working(view.Tokens, view.All)
	}
	view.MayRevoke = v.May("member.remove") || view.Actor == v.me.Actor
	title := view.Member.Name
	if title == "" {
		title = "Member " + id
	}
	return v.pageStatus(status, "member.html", "people", title, view)
}

// liveFirst puts tokens that work before those that do not, the newest first.
func liveFirst(tokens []api.Token) []api.Token {
	rank := func(t api.Token) int {
		if t.Status == api.TokenStatusLive {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(tokens, func(a, b api.Token) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return b.IssuedAt.Compare(a.IssuedAt)
	})
	return tokens
}

// setMemberRoles replaces what a member holds, unless somebody did meanwhile.
func setMemberRoles(v *visit) error {
	view := memberView{ETag: v.form("etag"), Until: v.form("until")}
	until, err := formTime(view.Until)
	var done reply[api.Member]
	if err == nil {
		done, err = send[api.Member](v.api.SetMemberRoles(v.ctx(), v.ws, v.value("id"),
			&api.SetMemberRolesParams{IdempotencyKey: v.key(), IfMatch: given(view.ETag)}, api.RolesInput{Roles: append(api.Roles{}, v.r.PostForm["roles"]...), Until: until}))
	}
	if r := correctable(err); r != nil {
		view.Problem = r
		if r.Status == http.StatusPreconditionFailed {
			view.ETag = "" // the one of now; the page shows what was set meanwhile
		}
		return v.member(r.Status, view)
	}
	if err != nil {
		return err
	}
	return v.done(v.MemberURL(v.value("id")), "The roles are set, and in force.", done.Position)
}

// removeMember ends a membership.
func removeMember(v *visit) error {
	done, err := send[none](v.api.RemoveMember(v.ctx(), v.ws, v.value("id"), &api.RemoveMemberParams{IdempotencyKey: v.key()}))
	if r := correctable(err); r != nil && r.Status != http.StatusNotFound {
		return v.member(r.Status, memberView{Problem: r})
	}
	if err != nil {
		return err
	}
	return v.done(v.MemberURL(v.value("id")), "The member is removed. None of their tokens works any more.", done.Position)
}

func revokeMemberToken(v *visit) error {
	done, err := send[none](v.api.RevokeToken(v.ctx(), v.ws, v.value("tid"), &api.RevokeTokenParams{IdempotencyKey: v.key()}))
	if err != nil {
		return err
	}
	return v.done(v.MemberURL(v.value("id")), "The token is revoked and works nowhere any more.", done.Position)
}
