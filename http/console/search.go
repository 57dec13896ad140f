package console

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

func searchRoutes() []route {
	return []route{
		{"GET", "/search", showSearch},
		{"POST", "/search", search},
		{"POST", "/search/export", exportSearch},
		{"POST", "/search/tail", tailSearch},
		{"POST", "/searches", saveSearch},
		{"POST", "/searches/{id}/delete", deleteSearch},
	}
}

// showSearch answers what an address asks for.
func showSearch(v *visit) error {
	a, err := askOf(v.r.URL.RawQuery)
	if err == nil {
		err = v.recall(&a)
	}
	if r := correctable(err); r != nil {
		return v.searchPage(r.Status, searchView{Problem: r})
	}
	if err != nil {
		return err
	}
	return v.answerSearch(a, "")
}

// search answers what a form asks for. What has an address goes there, so that it
// can be linked; what has words is answered here, so that it never can.
func search(v *visit) error {
	a, err := askIn(v.r.PostForm)
	if err == nil {
		err = v.recall(&a)
	}
	if r := correctable(err); r != nil {
		return v.searchPage(r.Status, searchView{Problem: r, Query: queryOf(a.pieces), From: v.form("from"), To: v.form("to")})
	}
	if err != nil {
		return err
	}
	reason := v.form("reason")
	if address := v.askURL(a); address != "" && reason == "" {
		return v.redirect(address)
	}
	return v.answerSearch(a, reason)
}

// recall fetches the terms of the saved search that an ask begins with.
func (v *visit) recall(a *ask) error {
	if a.saved == "" {
		return nil
	}
	saved, err := read[api.SavedSearch](v.api.GetSearch(v.ctx(), v.ws, a.saved, &api.GetSearchParams{MinPosition: v.after()}))
	if r := asRefusal(err); r != nil && r.Status == http.StatusNotFound {
		return refuse(r.Status, r.Code, "This saved search is gone", "Whoever saved it may have deleted it. The log still holds that it was.")
	}
	if err != nil {
		return err
	}
	a.within, a.savedOrder, a.name = split(saved.Q), string(saved.Order), saved.Name
	return nil
}

// searchPageSize is how many events a page of results shows.
const searchPageSize = 50

// shownFields are the fields whose values are counted beside the results.
var shownFields = []api.SearchField{"outcome", "action", "type", "actor", "workflow", "model", "policy", "kind"}

// shownValues is how many values of a field are counted.
const shownValues = 8

// found is what the API answers to an ask.
type found struct {
	result  api.SearchResult
	facets  api.Facets
	counts  api.Histogram
	uncount *refusal // why there are no counts
	saved   []api.SavedSearch
}

// answerSearch asks the API and shows what it found. The counts are asked for at
// once, but after the first page: whoever looks for something is recorded once
// for all three, and three at the same time would each be the first.
func (v *visit) answerSearch(a ask, reason string) error {
	view, now := searchView{ask: a}, v.now()
	f, err := v.find(a, reason, now)
	if r := correctable(err); r != nil {
		view.refused(r, a)
		view.choices(v, a, found{}, now)
		return v.searchPage(r.Status, view)
	}
	if err != nil {
		return err
	}
	view.Opened = reason != ""
	view.choices(v, a, f, now)
	return v.searchPage(http.StatusOK, view)
}

func (v *visit) find(a ask, reason string, now time.Time) (f found, err error) {
	in := api.SearchInput{Q: a.query(), Saved: a.saved, From: a.from, To: a.to, Order: a.apiOrder(), Cursor: a.cursor, Limit: searchPageSize}
	if reason != "" {
		in.Open = api.OpenReason{Reason: reason}
	}
	f.result, err = read[api.SearchResult](v.api.SearchEvents(v.ctx(), v.ws, &api.SearchEventsParams{MinPosition: v.after()}, in))
	if err != nil {
		return f, err
	}
	err = v.together(func() (err error) {
		f.facets, err = read[api.Facets](v.api.SearchFacets(v.ctx(), v.ws, nil, api.FacetInput{Q: in.Q, Saved: in.Saved, From: in.From, To: in.To, Fields: shownFields, Top: shownValues}))
		return err
	}, func() (err error) {
		from, to := a.span(now)
		if to.IsZero() || to.After(now) {
			to = now
		}
		f.counts, err = read[api.Histogram](v.api.SearchHistogram(v.ctx(), v.ws, nil, api.HistogramInput{Q: in.Q, Saved: in.Saved, From: in.From, To: in.To, Every: int(width(from, to))}))
		return err
	}, func() (err error) {
		list, err := read[api.SavedSearchList](v.api.ListSearches(v.ctx(), v.ws, &api.ListSearchesParams{MinPosition: v.after()}))
		f.saved = list.Items
		return err
	})
	if r := asRefusal(err); r != nil && r.Status != http.StatusUnauthorized { // the events are there, only not all that stands around them
		f.uncount, err = r, nil
	}
	return f, err
}

// together runs calls of the API at the same time and answers the first error.
func (v *visit) together(calls ...func() error) error {
	errs := make([]error, len(calls))
	var wait sync.WaitGroup
	for i, call := range calls {
		wait.Go(func() {
			defer func() {
				if p := recover(); p != nil { // here it would end the program, not the request
					errs[i] = fmt.Errorf("panic in a call: %T\n%s", p, debug.Stack())
				}
			}()
			errs[i] = call()
		})
	}
	wait.Wait()
	for _, err := range errs {
		if r := asRefusal(err); err != nil && (r == nil || r.Status == http.StatusUnauthorized) {
			return err
		}
	}
	return errors.Join(errs...)
}
