package http

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/index"
)

// TailSearch follows what a query finds.
func (h *handlers) TailSearch(ctx context.Context, r api.TailSearchRequestObject) (api.TailSearchResponseObject, error) {
	in := r.Body
	a, err := h.asked(ctx, terms{q: in.Q, filters: in.Filters, saved: in.Saved}, in.After, api.SearchOrderOldest, "", streamBatch)
	if err != nil {
		return nil, err
	}
	after, err := parsePosition("after", in.After)
	if err != nil {
		return nil, err
	}
	position := h.models.Position(index.Name)
	if in.After != "" {
		position = like(position, after)
	}
	if position != 0 {
		a.Cursor = search.CursorAt(search.OldestFirst, position)
	}
	if err := h.noteSearch(ctx, a, ""); err != nil {
		return nil, err
	}
	return tail{h, callOf(ctx), a}, nil
}

// tail is the answer of a search that is followed.
type tail struct {
	h    *handlers
	call *call
	ask  index.Ask
}

// VisitTailSearchResponse writes hits until the client goes or may not search
// any more.
func (t tail) VisitTailSearchResponse(w http.ResponseWriter) error {
	ctx, cancel := context.WithCancel(callContext{t.call.base, t.call})
	defer cancel()
	batches := make(chan []message)
	failed := make(chan error, 1)
	go func() {
		defer close(batches)
		failed <- t.produce(ctx, batches)
	}()
	err := t.h.server.follow(ctx, w, batches, func() bool { return t.h.still(ctx, t.call, domain.AuditSearch) })
	cancel()
	return errors.Join(err, <-failed)
}

// produce asks the index whenever it has grown.
func (t *tail) produce(ctx context.Context, batches chan<- []message) error {
	tick := time.NewTicker(streamPoll)
	defer tick.Stop()
	for seen := t.h.models.Position(index.Name) - 1; ; {
		if at := t.h.models.Position(index.Name); at != seen {
			page, err := t.h.index.Find(ctx, t.ask)
			if err != nil {
				return ignoreEnd(ctx, err)
			}
			if len(page.Rows) > 0 && !t.pass(ctx, batches, page.Rows) {
				return nil
			}
			if page.Next == "" {
				seen = at
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// pass hands hits over and moves on past them.
func (t *tail) pass(ctx context.Context, batches chan<- []message, rows []search.Row) bool {
	batch := make([]message, len(rows))
	for i := range rows {
		hit := apiHit(t.ask.Workspace, &rows[i])
		data, err := json.Marshal(hit)
		if err != nil {
			return false
		}
		batch[i] = message{id: hit.Position, event: hit.Type, data: data}
	}
	select {
	case batches <- batch:
	case <-ctx.Done():
		return false
	}
	t.ask.Cursor = search.CursorAt(search.OldestFirst, rows[len(rows)-1].Position)
	return true
}
