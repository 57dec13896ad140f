package console

import (
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

// saveSearch gives a search a name. What the ledger keeps is a query and an
// order, so a span of time becomes a part of the query.
func saveSearch(v *visit) error {
	a, err := askIn(v.r.PostForm)
	if err == nil {
		err = v.recall(&a)
	}
	if err != nil {
		return err
	}
	pieces := split(queryOf(a.within) + " " + a.query())
	if from := addressTime(a.from); from != "" {
		pieces = append(pieces, newPiece("after:"+from))
	}
	if to := addressTime(a.to); to != "" {
		pieces = append(pieces, newPiece("before:"+to))
	}
	made, err := send[api.SavedSearch](v.api.SaveSearch(v.ctx(), v.ws, &api.SaveSearchParams{IdempotencyKey: v.key()},
		api.SavedSearchInput{Name: strings.TrimSpace(v.form("name")), Q: queryOf(pieces), Order: a.apiOrder()}))
	if err != nil {
		return err
	}
	return v.done(v.SearchURL("saved", made.Body.ID), "The search is saved. The address of this page leads to it and holds none of its words.", made.Position)
}

// deleteSearch forgets a search of the member's own.
func deleteSearch(v *visit) error {
	gone, err := send[none](v.api.DeleteSearch(v.ctx(), v.ws, v.value("id"), &api.DeleteSearchParams{IdempotencyKey: v.key()}))
	if err != nil {
		return err
	}
	return v.done(v.SearchURL(), "The search is forgotten.", gone.Position)
}
