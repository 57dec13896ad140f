package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

func accountRoutes() []route {
	return []route{
		{"GET", "/account", func(v *visit) error { return v.account(http.StatusOK, accountView{}) }},
		{"POST", "/account/tokens", createOwnToken},
		{"POST", "/account/tokens/{id}/revoke", revokeOwnToken},
	}
}

// accountView is the member's own page: who it is, its sessions and its tokens.
type accountView struct {
	Member   api.Member
	Sessions []api.Token
	Tokens   []api.Token
	Current  string // id of this session's token
	Ended    int    // sessions and tokens that are over and not listed
	All      bool   // list those too
	Problem  *refusal
	Name     string // as typed into the form
	Days     string
	Made     *api.TokenCreated
}

func (v *visit) account(status int, view accountView) error {
	var err error
	if view.Member, err = read[api.Member](v.api.GetMember(v.ctx(), v.ws, v.session.Member, nil)); err != nil {
		return err
	}
	tokens, err := v.ownTokens()
	if err != nil {
		return err
	}
	slices.SortStableFunc(tokens, func(a, b api.Token) int { return b.IssuedAt.Compare(a.IssuedAt) })
	view.Current, view.All = v.session.ID, v.query("all") == "1"
	for _, t := range tokens {
		switch {
		case t.Status != api.TokenStatusLive && !view.All:
			view.Ended++
		case t.Name == sessionName:
			view.Sessions = append(view.Sessions, t)
		default:
			view.Tokens = append(view.Tokens, t)
		}
	}
	return v.pageStatus(status, "account.html", "account", "Account", view)
}

// ownTokens lists all tokens of the member.
func (v *visit) ownTokens() ([]api.Token, error) { return v.tokensOf(v.me.Actor) }

// tokensOf lists all tokens of an actor that the member may see.
func (v *visit) tokensOf(actor string) ([]api.Token, error) {
	var all []api.Token
	cursor := ""
	for range 50 { // pages of a thousand; an actor has nowhere near as many
		list, err := read[api.TokenList](v.api.ListTokens(v.ctx(), v.ws, &api.ListTokensParams{Actor: &actor, Limit: given(1000), Cursor: given(cursor), MinPosition: v.after()}))
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if cursor = list.Next; cursor == "" {
			return all, nil
		}
	}
	return nil, errors.New("an actor has more tokens than this page reads")
}

// createOwnToken makes a token for the member's scripts. It is shown once.
func createOwnToken(v *visit) error {
	view := accountView{Name: strings.TrimSpace(v.form("name")), Days: v.form("days")}
	in := api.TokenInput{Name: view.Name, ExpiresAt: v.endsAfter(view.Days)}
	if in.Name == sessionName {
		view.Problem = refuse(http.StatusBadRequest, "name_taken", "This name is for sessions", "Choose another, so that signing out everywhere leaves the token alone.")
		return v.account(http.StatusBadRequest, view)
	}
	made, err := send[api.TokenCreated](v.api.CreateMemberToken(v.ctx(), v.ws, v.session.Member, &api.CreateMemberTokenParams{IdempotencyKey: v.key()}, in))
	if r := correctable(err); r != nil {
		view.Problem = r
		return v.account(r.Status, view)
	}
	if err != nil {
		return err
	}
	v.secret()
	v.flash.Position = made.Position
	return v.account(http.StatusOK, accountView{Made: &made.Body})
}

// revokeOwnToken ends one of the member's tokens, or sessions.
func revokeOwnToken(v *visit) error {
	id := v.value("id")
	if id == v.session.ID {
		return signOut(v)
	}
	done, err := send[none](v.api.RevokeToken(v.ctx(), v.ws, id, &api.RevokeTokenParams{IdempotencyKey: v.key()}))
	if err != nil {
		return err
	}
	return v.done(v.AccountURL(), "The token is revoked and works nowhere any more.", done.Position)
}
