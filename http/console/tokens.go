package console

import (
	"net/http"
	"slices"

	"github.com/clawoffice/ledger/http/api"
)

func tokenRoutes() []route {
	return []route{
		{"GET", "/people/tokens", showTokens},
		{"POST", "/people/tokens/{tid}/revoke", revokeAnyToken},
	}
}

// tokensView is the list of tokens that the member may see: all of the
// workspace, or their own.
type tokensView struct {
	Rows     []tokenRow
	Statuses []choice
	Kinds    []choice
	Filtered bool
	Next     string
}

// tokenRow is a token, and whether the member may end it.
type tokenRow struct {
	api.Token
	MayRevoke bool
}

func showTokens(v *visit) error {
	status, kind := v.query("status"), v.query("kind")
	if !v.r.URL.Query().Has("status") {
		status = "live"
	}
	list, err := read[api.TokenList](v.api.ListTokens(v.ctx(), v.ws, &api.ListTokensParams{Limit: given(500), Cursor: given(v.query("cursor")), MinPosition: v.after()}))
	if err != nil {
		return err
	}
	view := tokensView{Filtered: status != "all" || kind != ""}
	for _, t := range list.Items {
		if (status == "all" || string(t.Status) == status) && (kind == "" || kindOfToken(t) == kind) {
			view.Rows = append(view.Rows, tokenRow{t, v.mayRevoke(t)})
		}
	}
	slices.SortStableFunc(view.Rows, func(a, b tokenRow) int { return b.IssuedAt.Compare(a.IssuedAt) })
	for _, s := range []string{"live", "expired", "revoked", "all"} {
		view.Statuses = append(view.Statuses, choice{s, v.TokensURL("status", s, "kind", kind), s == status})
	}
	for _, k := range [][2]string{{"", "Any kind"}, {"session", "Sessions of the console"}, {"member", "Members"}, {"agent", "Agents"}} {
		view.Kinds = append(view.Kinds, choice{k[1], v.TokensURL("status", status, "kind", k[0]), k[0] == kind})
	}
	if list.Next != "" {
		view.Next = v.TokensURL("status", status, "kind", kind, "cursor", list.Next)
	}
	return v.page("tokens.html", "people", "Tokens", view)
}

// kindOfToken is session, member or agent.
func kindOfToken(t api.Token) string {
	switch {
	case isAgent(t.Actor):
		return "agent"
	case t.Name == sessionName:
		return "session"
	}
	return "member"
}

// mayRevoke says what the ledger would: an agent's token with token.manage, a
// member's with member.remove, one's own always. The ledger decides.
func (v *visit) mayRevoke(t api.Token) bool {
	if isAgent(t.Actor) {
		return v.May("token.manage")
	}
	return t.Actor == v.me.Actor || v.May("member.remove")
}

func isAgent(actor string) bool { return len(actor) > 6 && actor[:6] == "agent:" }

func revokeAnyToken(v *visit) error {
	if v.value("tid") == v.session.ID {
		return signOut(v)
	}
	done, err := send[none](v.api.RevokeToken(v.ctx(), v.ws, v.value("tid"), &api.RevokeTokenParams{IdempotencyKey: v.key()}))
	if r := asRefusal(err); r != nil && r.Status == http.StatusNotFound {
		return v.done(v.TokensURL(), "There is no such token any more.", "")
	}
	if err != nil {
		return err
	}
	return v.done(v.TokensURL(), "The token is revoked and works nowhere any more.", done.Position)
}

// working leaves out tokens that are over, unless all are asked for, and says
// how many that were.
func working(tokens []api.Token, all bool) ([]api.Token, int) {
	if all {
		return liveFirst(tokens), 0
	}
	before := len(tokens)
	tokens = slices.DeleteFunc(tokens, func(t api.Token) bool { return t.Status != api.TokenStatusLive })
	return liveFirst(tokens), before - len(tokens)
}
