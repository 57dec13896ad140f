package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/projections/search"
)

// Find answers a page of rows, see [search.Engine].
func (e *Engine) Find(ctx context.Context, q search.Query) (page search.Page, err error) {
	if err := q.Valid(); err != nil {
		return search.Page{}, err
	}
	after, err := q.Cursor.Position(q.Order)
	if err != nil {
		return search.Page{}, err
	}
	limit := q.PageSize()
	err = e.scan(ctx, q, int64(after), func(v *view, rows []int) (more bool, err error) {
		if q.Order == search.NewestFirst {
			slices.Reverse(rows)
		}
		for _, i := range rows {
			if len(page.Rows) == limit {
				page.Next = search.CursorAt(q.Order, page.Rows[limit-1].Position)
				return false, nil
			}
			if err := v.load(); err != nil {
				return false, err
			}
			page.Rows = append(page.Rows, v.row(q.Workspace, i))
		}
		return true, nil
	})
	if err != nil {
		return search.Page{}, fmt.Errorf("searching the index: %w", err)
	}
	return page, nil
}

// scan visits what a query finds.
func (e *Engine) scan(ctx context.Context, q search.Query, after int64, visit func(*view, []int) (bool, error)) error {
	return e.read(ctx, func(conn *sqlite.Conn) error {
		s, ok, err := e.newScan(ctx, conn, q, after)
		if err != nil || !ok {
			return err
		}
		return errors.Join(s.each(visit), s.close())
	})
}

// Count counts rows, see [search.Engine].
func (e *Engine) Count(ctx context.Context, q search.Query, g search.Grouping) (groups []search.Group, err error) {
	q.Cursor, q.Limit, q.Order = "", 0, search.OldestFirst
	if err := errors.Join(q.Valid(), g.Valid()); err != nil {
		return nil, err
	}
	switch {
	case g.Every > 0:
		groups, err = e.histogram(ctx, q, g.Every)
	case len(g.By) > 0:
		groups, err = e.facets(ctx, q, g)
	default:
		var total int64
		err = e.scan(ctx, q, 0, func(_ *view, rows []int) (bool, error) {
			total += int64(len(rows))
			return true, nil
		})
		groups = []search.Group{{Rows: total}}
	}
	if err != nil {
		return nil, fmt.Errorf("counting in the search index: %w", err)
	}
	return groups, nil
}

func (e *Engine) facets(ctx context.Context, q search.Query, g search.Grouping) (groups []search.Group, err error) {
	counts := make([]map[string]int64, len(g.By))
	for i := range counts {
		counts[i] = map[string]int64{}
	}
	var sums []int64
	err = e.scan(ctx, q, 0, func(v *view, rows []int) (bool, error) {
		for f, field := range g.By {
			t, err := v.field(field)
			if err != nil {
				return false, err
			}
			sums = append(sums[:0], make([]int64, len(t.words))...)
			for _, i := range rows {
				sums[t.index[i]]++
			}
			for word, n := range sums {
				if n > 0 && t.words[word] != "" {
					add(counts[f], t.words[word], n)
				}
			}
		}
		return true, nil
	})
	for i, field := range g.By {
		groups = append(groups, top(field, counts[i], g.TopSize())...)
	}
	return groups, err
}

// add counts without holding on to the column that a new text comes from.
func add(counts map[string]int64, text string, n int64) {
	if _, ok := counts[text]; !ok {
		text = strings.Clone(text)
	}
	counts[text] += n
}

// top is the most frequent texts of a field.
func top(field search.Field, counts map[string]int64, n int) []search.Group {
	groups := make([]search.Group, 0, len(counts))
	for text, rows := range counts {
		groups = append(groups, search.Group{Field: field, Text: text, Rows: rows})
	}
	slices.SortFunc(groups, func(a, b search.Group) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Text, b.Text))
	})
	return groups[:min(n, len(groups))]
}

func (e *Engine) histogram(ctx context.Context, q search.Query, every time.Duration) ([]search.Group, error) {
	width := every.Microseconds()
	counts := map[int64]int64{}
	err := e.scan(ctx, q, 0, func(v *view, rows []int) (bool, error) {
		if first := v.early / width; first == v.late/width { // all in one span
			counts[first] += int64(len(rows))
			return true, nil
		}
		times, err := v.numbersOf(columnTime)
		if err != nil {
			return false, err
		}
		for _, i := range rows {
			counts[times[i]/width]++
		}
		if len(counts) > search.MaxSpans {
			return false, fmt.Errorf("%w: it has more than %d spans; ask for wider ones or less time", search.ErrQuery, search.MaxSpans)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	groups := make([]search.Group, 0, len(counts))
	for span, rows := range counts {
		groups = append(groups, search.Group{From: time.UnixMicro(span * width).UTC(), Rows: rows})
	}
	slices.SortFunc(groups, func(a, b search.Group) int { return a.From.Compare(b.From) })
	return groups, nil
}
