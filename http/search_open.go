package http

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/directory"
	"github.com/clawoffice/ledger/projections/search/index"
	"github.com/clawoffice/ledger/projections/search/tags"
)

// openedPage is how many hits of a page are opened at most.
const openedPage = 100

// searchOpened answers a page whose phrases are settled on the content itself:
// what does not hold the words as asked is dropped, and what is shown has an
// excerpt. Who reads it, and why, is recorded first.
func (h *handlers) searchOpened(ctx context.Context, a index.Ask, reason string) (api.SearchEventsResponseObject, error) {
	if err := h.demand(ctx, domain.AuditReadContent); err != nil {
		return nil, err
	}
	a.Limit = min(a.Limit, openedPage)
	if err := h.noteSearch(ctx, a, reason); err != nil {
		return nil, err
	}
	page, err := h.find(ctx, a)
	if err != nil || len(page.Items) == 0 {
		return api.SearchEvents200JSONResponse(page), err
	}
	if err := h.reach(ctx, directory.Name, newest(page.Items)); err != nil { // it knows where events are
		return nil, err
	}
	ids := make([]string, len(page.Items))
	for i, hit := range page.Items {
		ids[i] = hit.ID
	}
	opened, _, err := h.service.OpenTexts(ctx, h.call(ctx), ids, reason)
	if err != nil {
		return nil, err
	}
	with, without := a.Query.Phrases()
	kept := page.Items[:0]
	for i, hit := range page.Items {
		switch o := opened[i]; {
		case holds(o.Texts, with, without) && (len(with) > 0 || !o.Erased):
			hit.Match = api.SearchHitMatchSettled
			hit.Excerpt = excerpt(o.Texts, with)
		case o.Erased:
			hit.Match = api.SearchHitMatchErased
		default:
			page.Dropped++
			continue
		}
		kept = append(kept, hit)
	}
	page.Items, page.Unsettled = kept, false
	return api.SearchEvents200JSONResponse(page), nil
}

// newest is the position of the last of some hits in the log.
func newest(hits []api.SearchHit) api.Position {
	first, last := hits[0].Position, hits[len(hits)-1].Position
	if len(first) > len(last) || len(first) == len(last) && first > last {
		return first
	}
	return last
}

// demand refuses a caller without a permission that only a part of the
// operation needs, and records the attempt.
func (h *handlers) demand(ctx context.Context, p domain.Permission) error {
	c := callOf(ctx)
	held, err := h.server.gate.Holds(ctx, c.caller, p)
	if err != nil || held {
		return err
	}
	return permissionDenied(rule{permissions: []domain.Permission{p}})
}

// holds reports whether the texts have the phrases, each in one of them, and
// none of the others.
func holds(list, with, without []string) bool {
	has := func(phrase string) bool {
		for _, text := range list {
			if tags.Has(text, phrase) {
				return true
			}
		}
		return false
	}
	for _, phrase := range with {
		if !has(phrase) {
			return false
		}
	}
	for _, phrase := range without {
		if has(phrase) {
			return false
		}
	}
	return true
}

// excerptBytes is how much an excerpt shows on either side of what was found.
const excerptBytes = 120

// excerpt is a piece of the first text that holds the first phrase, or the
// beginning of the first text where nothing was looked for.
func excerpt(list, phrases []string) string {
	if len(phrases) == 0 {
		for _, text := range list {
			if text != "" { // most facts say nothing beside their content
				return around(text, 0, 2*excerptBytes)
			}
		}
		return ""
	}
	for _, text := range list {
		if !tags.Has(text, phrases[0]) {
			continue
		}
		first, _, _ := strings.Cut(strings.TrimSpace(phrases[0]), " ")
		at := max(strings.Index(strings.ToLower(text), strings.ToLower(first)), 0) // of the same text but for odd letters; the beginning will do
		return around(text, min(at, len(text)), excerptBytes)
	}
	return ""
}

// around cuts a text at spaces, some bytes before and after a place.
func around(text string, at, size int) string {
	begin, end := max(at-size, 0), min(at+size, len(text))
	for begin > 0 && begin < at && !unicode.IsSpace(rune(text[begin-1])) {
		begin++
	}
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end++
	}
	for begin < end && !utf8.RuneStart(text[begin]) {
		begin++
	}
	out := strings.Join(strings.Fields(text[begin:end]), " ")
	if begin > 0 {
		out = "… " + out
	}
	if end < len(text) {
		out += " …"
	}
	return out
}
