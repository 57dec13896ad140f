package http

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/index"
	"github.com/clawoffice/ledger/projections/search/query"
)

// terms is what a search was asked for, in any of the forms that a call takes.
type terms struct {
	q           string
	filters     map[string][]string
	saved       string
	from, until api.Time
}

// ask reads terms into a question for the index.
func (h *handlers) ask(ctx context.Context, t terms) (index.Ask, error) {
	a := index.Ask{Workspace: callOf(ctx).caller.Workspace, From: t.from, Until: t.until, Now: h.now()}
	if t.saved != "" {
		saved, err := h.savedSearch(ctx, a.Workspace, t.saved)
		if err != nil {
			return a, err
		}
		if t.q == "" {
			t.q = saved.Query
		} else {
			t.q = saved.Query + " " + t.q
		}
	}
	var err error
	if a.Query, err = query.Parse(t.q); err != nil {
		return a, queryError("/q", err)
	}
	more, err := query.FromParams(url.Values(t.filters))
	if err != nil {
		return a, queryError("/filters", err)
	}
	a.Query.Terms = append(a.Query.Terms, more.Terms...)
	wholeStreams(a.Workspace, a.Query)
	if len(a.Query.Terms) > query.MaxTerms {
		return a, searchError(fmt.Errorf("%w: it has more than %d terms", search.ErrQuery, query.MaxTerms))
	}
	if !t.from.IsZero() && !t.until.IsZero() && !t.from.Before(t.until) {
		return a, invalidParameter("to", "The search ends before it begins; choose a later end.")
	}
	return a, nil
}

// wholeStreams gives streams the workspace before their name, which the API
// leaves out wherever it shows one.
func wholeStreams(ws domain.WorkspaceID, q query.Query) {
	for _, term := range q.Terms {
		match, ok := term.Is.(query.Match)
		if !ok || match.Field != search.Stream {
			continue
		}
		for i, p := range match.Any {
			if prefix := string(ws) + "/"; !strings.HasPrefix(p.Text, prefix) && p.Text != "" {
				match.Any[i].Text = prefix + p.Text
			}
		}
	}
}

// queryError says where a query can't be read.
func queryError(pointer string, err error) error {
	var wrong *query.Error
	if !errors.As(err, &wrong) {
		return searchError(err)
	}
	if wrong.Param != "" {
		pointer += "/" + wrong.Param
	}
	return &invalid{"query_invalid", "The query can't be read: " + wrong.Error() + ".",
		[]fieldError{{pointer, wrong.Error()}}}
}

// searchError turns the index's errors into refusals.
func searchError(err error) error {
	switch {
	case errors.Is(err, search.ErrQuery):
		return domain.Refuse(domain.Invalid, "query_invalid", "The query can't be answered: %s.", err)
	case errors.Is(err, search.ErrCursor):
		return domain.Refuse(domain.Invalid, "cursor_invalid", "This is no cursor of this search. Begin the search anew.")
	case errors.Is(err, search.ErrUnavailable), errors.Is(err, search.ErrClosed), errors.Is(err, search.ErrDamaged):
		return errIndex
	}
	return err
}

var errIndex = domain.Refuse(domain.Unavailable, "index_unavailable",
	"The search index can't answer now; the log and everything else go on. Try again.")

// noteSearch records who searches for what, once for all pages and counts of it, and
// before anything is found.
func (h *handlers) noteSearch(ctx context.Context, a index.Ask, reason string) error {
	e := journal.Searched{Query: a.Query.String(), From: optional(a.From), Until: optional(a.Until), Reason: reason}
	return h.service.RecordSearch(ctx, h.call(ctx), e)
}

// SearchEvents answers a page of what a query finds.
func (h *handlers) SearchEvents(ctx context.Context, r api.SearchEventsRequestObject) (api.SearchEventsResponseObject, error) {
	in := r.Body
	a, err := h.asked(ctx, terms{in.Q, in.Filters, in.Saved, in.From, in.To}, given(r.Params.MinPosition), in.Order, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	if in.Open.Reason != "" {
		return h.searchOpened(ctx, a, in.Open.Reason)
	}
	if err := h.noteSearch(ctx, a, ""); err != nil {
		return nil, err
	}
	out, err := h.find(ctx, a)
	return api.SearchEvents200JSONResponse(out), err
}

// FilterEvents answers a page of what plain parameters about metadata find.
// It changes nothing, so it is not recorded; there are no words in it.
func (h *handlers) FilterEvents(ctx context.Context, r api.FilterEventsRequestObject) (api.FilterEventsResponseObject, error) {
	p := r.Params
	filters := map[string][]string{}
	for name, value := range map[string]*api.FilterValue{"actor": p.Actor, "kind": p.Kind, "type": p.Type, "stream": p.Stream,
		"execution": p.Execution, "workflow": p.Workflow, "action": p.Action, "outcome": p.Outcome, "severity": p.Severity, "model": p.Model,
		"tokens": p.Tokens, "cost": p.Cost, "policy": p.Policy, "rule": p.Rule, "approval": p.Approval, "credential": p.Credential,
		"correlation": p.Correlation} {
		if value != nil {
			filters[name] = []string{*value}
		}
	}
	a, err := h.asked(ctx, terms{filters: filters, from: given(p.From), until: given(p.To)}, given(p.MinPosition), given(p.Order), given(p.Cursor), int(given(p.Limit)))
	if err != nil {
		return nil, err
	}
	out, err := h.find(ctx, a)
	return api.FilterEvents200JSONResponse(out), err
}

// asked is ask for a page, after the index holds what the caller knows of.
func (h *handlers) asked(ctx context.Context, t terms, min api.Position, order api.SearchOrder, cursor string, limit int) (index.Ask, error) {
	if err := h.reach(ctx, index.Name, min); err != nil {
		return index.Ask{}, err
	}
	if err := h.hurry(ctx); err != nil {
		return index.Ask{}, err
	}
	a, err := h.ask(ctx, t)
	a.Cursor, a.Limit = search.Cursor(cursor), or(limit, 100)
	if order == api.SearchOrderOldest {
		a.Order = search.OldestFirst
	}
	return a, err
}

// An index that is lateIndex behind stood aside for others; it is given
// hurryTime to catch up, since somebody is looking now.
const (
	lateIndex = time.Second
	hurryTime = 250 * time.Millisecond
)

func (h *handlers) hurry(ctx context.Context) error {
	if behind, ok := h.models.Fresh(index.Name); ok && behind < lateIndex {
		return nil
	}
	err := h.server.aside(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, hurryTime)
		defer cancel()
		_ = h.models.CatchUp(ctx, index.Name) // how late it is stands in the answer
		return nil
	})
	if errors.Is(err, errRateLimited) { // many wait already
		return nil
	}
	return err
}

func (h *handlers) find(ctx context.Context, a index.Ask) (api.SearchResult, error) {
	page, err := h.index.Find(ctx, a)
	if err != nil {
		return api.SearchResult{}, searchError(err)
	}
	out := api.SearchResult{Items: make([]api.SearchHit, len(page.Rows)), Next: string(page.Next), Unsettled: phrased(a.Query)}
	out.Position, out.BehindMs = h.indexPosition()
	for i := range page.Rows {
		out.Items[i] = apiHit(a.Workspace, &page.Rows[i])
	}
	return out, nil
}

// phrased reports whether a query asks for words that stand together, or must
// not, which tags can't tell.
func phrased(q query.Query) bool {
	with, without := q.Phrases()
	return len(with)+len(without) > 0
}

func (h *handlers) indexPosition() (api.Position, int64) {
	behind := int64(math.MaxInt32)
	if d, ok := h.models.Fresh(index.Name); ok {
		behind = d.Milliseconds()
	}
	return strconv.FormatUint(uint64(h.models.Position(index.Name)), 10), behind
}

func apiHit(ws domain.WorkspaceID, r *search.Row) api.SearchHit {
	return api.SearchHit{ID: uuidText(r.ID), Position: strconv.FormatUint(uint64(r.Position), 10), Time: r.Time.UTC(), Actor: r.Actor.String(),
		Type: r.Type, Stream: within(ws, r.Stream), Execution: string(r.Execution), Workflow: string(r.Workflow), Action: string(r.Action),
		Outcome: r.Outcome, Severity: api.SearchHitSeverity(query.SeverityName(r.Severity)), Model: string(r.Model),
		PromptTokens: int64(r.PromptTokens), OutputTokens: int64(r.OutputTokens), CostMicros: int64(r.Cost), Policy: string(r.Policy), Rule: string(r.Rule),
		Approval: string(r.Approval), Credential: string(r.Credential), Correlation: r.Correlation}
}

// SearchFacets counts what a query finds by field.
func (h *handlers) SearchFacets(ctx context.Context, r api.SearchFacetsRequestObject) (api.SearchFacetsResponseObject, error) {
	in := r.Body
	a, err := h.asked(ctx, terms{in.Q, in.Filters, in.Saved, in.From, in.To}, given(r.Params.MinPosition), "", "", 0)
	if err != nil {
		return nil, err
	}
	if err := h.noteSearch(ctx, a, ""); err != nil {
		return nil, err
	}
	groups, err := h.index.Count(ctx, a, search.Grouping{By: texts[search.Field](in.Fields), Top: in.Top})
	if err != nil {
		return nil, searchError(err)
	}
	out := api.SearchFacets200JSONResponse{Items: []api.Facet{}}
	out.Position, _ = h.indexPosition()
	for _, f := range in.Fields {
		facet := api.Facet{Field: f, Values: []api.FacetValue{}}
		for _, g := range groups {
			if string(g.Field) == string(f) {
				facet.Values = append(facet.Values, api.FacetValue{Value: g.Text, Events: g.Rows})
			}
		}
		out.Items = append(out.Items, facet)
	}
	return out, nil
}

// histogramSpans is how many spans a histogram has, about, if nothing is said.
const histogramSpans = 60

// SearchHistogram counts what a query finds over time. Without bounds it is of
// what there is.
func (h *handlers) SearchHistogram(ctx context.Context, r api.SearchHistogramRequestObject) (api.SearchHistogramResponseObject, error) {
	in := r.Body
	a, err := h.asked(ctx, terms{in.Q, in.Filters, in.Saved, in.From, in.To}, given(r.Params.MinPosition), "", "", 0)
	if err != nil {
		return nil, err
	}
	if err := h.noteSearch(ctx, a, ""); err != nil {
		return nil, err
	}
	every := time.Duration(in.Every) * time.Second
	if every == 0 {
		if every, err = h.span(ctx, a); err != nil {
			return nil, searchError(err)
		}
	}
	groups, err := h.index.Count(ctx, a, search.Grouping{Every: every})
	if err != nil {
		return nil, searchError(err)
	}
	out := api.SearchHistogram200JSONResponse{Every: int64(every / time.Second), Items: make([]api.Span, len(groups))}
	out.Position, _ = h.indexPosition()
	for i, g := range groups {
		out.Items[i] = api.Span{From: g.From.UTC(), Events: g.Rows}
	}
	return out, nil
}

// span chooses the width of a histogram: by the bounds asked for, where there
// are none by the first and the last event found.
func (h *handlers) span(ctx context.Context, a index.Ask) (time.Duration, error) {
	from, until := a.From, a.Until
	for _, end := range []struct {
		at    *time.Time
		order search.Order
	}{{&from, search.OldestFirst}, {&until, search.NewestFirst}} {
		if !end.at.IsZero() {
			continue
		}
		edge := a
		edge.Order, edge.Limit, edge.Cursor = end.order, 1, ""
		page, err := h.index.Find(ctx, edge)
		if err != nil {
			return 0, err
		}
		if len(page.Rows) == 0 {
			return time.Hour, nil
		}
		*end.at = page.Rows[0].Time
	}
	return search.Span(until.Sub(from), histogramSpans), nil
}

// GetStatus answers how this replica's read models and the index are doing.
func (h *handlers) GetStatus(ctx context.Context, r api.GetStatusRequestObject) (api.GetStatusResponseObject, error) {
	out := api.GetStatus200JSONResponse{Parts: []api.StatusPart{}, Index: h.indexStatus()}
	for _, m := range h.models.Health() {
		part := api.StatusPart{Name: m.Name, Ready: m.OK() && m.Condition != projections.CatchingUp, BehindMs: max(m.Behind.Milliseconds(), 0)}
		if !part.Ready {
			part.Reason = "not up to date"
		}
		out.Parts = append(out.Parts, part)
	}
	n, err := h.directory.UnresolvedIn(ctx, domain.WorkspaceID(r.Ws))
	out.UnresolvedExecutions = n
	return out, err
}

func (h *handlers) indexStatus() api.IndexStatus {
	s := api.IndexStatus{Engine: api.IndexStatusEngine(h.indexing.Engine()), Generation: h.index.Generation()}
	_, s.BehindMs = h.indexPosition()
	for _, m := range h.models.Health() {
		if m.Name == index.Name {
			s.Ready = m.OK() && m.Condition != projections.CatchingUp
			if !s.Ready {
				s.Reason = "the index does not keep up with the log now"
			}
		}
	}
	s.Rebuilding, s.Done = h.indexing.Rebuilding()
	return s
}

// RebuildIndex begins to make the index again, unless that is under way.
func (h *handlers) RebuildIndex(context.Context, api.RebuildIndexRequestObject) (api.RebuildIndexResponseObject, error) {
	if err := h.indexing.Rebuild(); err != nil {
		return nil, searchError(err)
	}
	return api.RebuildIndex202JSONResponse(h.indexStatus()), nil
}
