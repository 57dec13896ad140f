package http

import (
	"context"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/searchbook"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/search/query"
)

func apiSearch(s searchbook.Saved) api.SavedSearch {
	order := api.SearchOrderNewest
	if s.Oldest {
		order = api.SearchOrderOldest
	}
	return api.SavedSearch{ID: string(s.Search), Name: s.Name, Q: s.Query, Order: order, SavedBy: s.By.String(), SavedAt: s.At.UTC()}
}

// savedSearch finds a saved search of anybody in the workspace.
func (h *handlers) savedSearch(ctx context.Context, ws domain.WorkspaceID, id string) (searchbook.Saved, error) {
	book, err := h.service.SearchBook(ctx, ws)
	if err != nil {
		return searchbook.Saved{}, err
	}
	saved, ok := book.Searches.Get(domain.SearchID(id))
	if !ok {
		return saved, errNotFound
	}
	return saved, nil
}

// ListSearches answers what the caller saved.
func (h *handlers) ListSearches(ctx context.Context, r api.ListSearchesRequestObject) (api.ListSearchesResponseObject, error) {
	book, err := h.service.SearchBook(ctx, domain.WorkspaceID(r.Ws))
	out := api.ListSearches200JSONResponse{Items: []api.SavedSearch{}}
	for _, s := range book.SavedBy(CallerFrom(ctx).Actor) {
		out.Items = append(out.Items, apiSearch(s))
	}
	return out, err
}

// SaveSearch names a search, if it is one.
func (h *handlers) SaveSearch(ctx context.Context, r api.SaveSearchRequestObject) (api.SaveSearchResponseObject, error) {
	if _, err := query.Parse(r.Body.Q); err != nil {
		return nil, queryError("/q", err)
	}
	saved, receipt, err := h.service.SaveSearch(ctx, h.call(ctx), r.Body.Name, r.Body.Q, r.Body.Order == api.SearchOrderOldest)
	return api.SaveSearch201JSONResponse{Body: apiSearch(saved), Headers: api.SaveSearch201ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}

// GetSearch answers a saved search, to whoever may search.
func (h *handlers) GetSearch(ctx context.Context, r api.GetSearchRequestObject) (api.GetSearchResponseObject, error) {
	saved, err := h.savedSearch(ctx, domain.WorkspaceID(r.Ws), r.ID)
	return api.GetSearch200JSONResponse(apiSearch(saved)), err
}

// DeleteSearch forgets a search of the caller's.
func (h *handlers) DeleteSearch(ctx context.Context, r api.DeleteSearchRequestObject) (api.DeleteSearchResponseObject, error) {
	receipt, err := h.service.DeleteSearch(ctx, h.call(ctx), domain.SearchID(r.ID))
	return api.DeleteSearch204Response{Headers: api.DeleteSearch204ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}

func apiRetention(s searchbook.State) api.Retention {
	out := api.Retention{Version: s.Version, Classes: []api.RetentionClass{}}
	for _, class := range searchbook.Classes() {
		if days, ok := s.Days[class]; ok {
			out.Classes = append(out.Classes, api.RetentionClass{Class: api.EventClass(class), Days: days})
		}
	}
	return out
}

// GetRetention answers how long the index keeps events.
func (h *handlers) GetRetention(ctx context.Context, r api.GetRetentionRequestObject) (api.GetRetentionResponseObject, error) {
	book, err := h.service.SearchBook(ctx, domain.WorkspaceID(r.Ws))
	return api.GetRetention200JSONResponse{Body: apiRetention(book), Headers: api.GetRetention200ResponseHeaders{ETag: etag(book.Version)}}, err
}

// PutRetention says how long it does.
func (h *handlers) PutRetention(ctx context.Context, r api.PutRetentionRequestObject) (api.PutRetentionResponseObject, error) {
	days := map[string]int{}
	for _, c := range r.Body.Classes {
		if _, twice := days[string(c.Class)]; twice {
			return nil, invalidBody([]fieldError{{"/classes", "Each class is named once."}})
		}
		days[string(c.Class)] = c.Days
	}
	book, receipt, err := h.service.SetRetention(ctx, h.call(ctx), days, ifVersion(given(r.Params.IfMatch)))
	return api.PutRetention200JSONResponse{Body: apiRetention(book),
		Headers: api.PutRetention200ResponseHeaders{ETag: etag(book.Version), LedgerPosition: positionOf(receipt)}}, err
}
