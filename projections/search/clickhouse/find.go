package clickhouse

import (
	"context"
	"fmt"
	"slices"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

// Find answers a page of rows, see [search.Engine].
func (e *Engine) Find(ctx context.Context, q search.Query) (search.Page, error) {
	if err := q.Valid(); err != nil {
		return search.Page{}, err
	}
	after, err := q.Cursor.Position(q.Order)
	if err != nil {
		return search.Page{}, err
	}
	if err := e.alive(ctx); err != nil {
		return search.Page{}, err
	}
	page, err := e.find(ctx, q, int64(after))
	if err != nil {
		return search.Page{}, fmt.Errorf("searching the index: %w", e.explain(ctx, err))
	}
	return page, nil
}

// nearby is how many positions are looked through first. Where that is enough,
// the partitions that are further away are left alone, however many they are.
const nearby = 100_000

// stretch is a part of the positions, in a query's order. A bound of 0 is none.
type stretch struct {
	order search.Order
	after int64 // outside of it
	upTo  int64 // the last one within
}

// first is where a query begins: at everything if it asks for words, which may
// be rare, and their index knows where they are.
func first(q search.Query, after, newest, nearby int64) stretch {
	s := stretch{order: q.Order, after: after}
	if slices.ContainsFunc(q.Where, asksForTags) {
		return s
	}
	if q.Order == search.OldestFirst {
		s.upTo = after + nearby
	} else if s.upTo = newest - nearby; after > 0 {
		s.upTo = after - nearby
	}
	s.upTo = max(s.upTo, 0)
	return s
}

// rest is what follows on a stretch.
func (s stretch) rest() stretch { return stretch{order: s.order, after: s.upTo} }

func (s stretch) terms(to *statement) (text string) {
	beyond, within := " AND position < ", " AND position >= "
	if s.order == search.OldestFirst {
		beyond, within = " AND position > ", " AND position <= "
	}
	if s.after > 0 {
		text += beyond + to.number(s.after)
	}
	if s.upTo > 0 {
		text += within + to.number(s.upTo)
	}
	return text
}

// find reads without FINAL, which would read everything before it sorts. It
// leaves out the versions of rows that were superseded itself, and reads on if
// the page is not full for that.
func (e *Engine) find(ctx context.Context, q search.Query, after int64) (page search.Page, err error) {
	v, err := e.view(ctx, q.Workspace)
	if err != nil {
		return search.Page{}, err
	}
	size := q.PageSize()
	where := first(q, after, v.position, e.options.nearby)
	for asked := size + 2; len(page.Rows) <= size; { // a row more tells whether there is a next page
		hits, more, err := e.hits(ctx, q, v, where, asked)
		if err != nil {
			return search.Page{}, err
		}
		switch {
		case more && len(hits) == 0:
			asked *= 2 // they were all versions of one row
		case more:
			where.after = int64(hits[len(hits)-1].row.Position)
		}
		if hits, err = e.current(ctx, q, hits); err != nil {
			return search.Page{}, err
		}
		for _, h := range hits {
			page.Rows = append(page.Rows, h.row)
		}
		if more {
			continue
		}
		if where.upTo == 0 {
			break
		}
		where = where.rest()
	}
	if len(page.Rows) > size {
		page.Rows = page.Rows[:size]
		page.Next = search.CursorAt(q.Order, page.Rows[size-1].Position)
	}
	return page, nil
}

// hit is one version of a row.
type hit struct {
	row   search.Row
	stamp int64
}

// hits answers the newest version that meets the conditions of each of the next
// rows. It orders by position alone, which the table is sorted by; so the last
// row's versions may not all be among those asked for, and it is left for later
// if there is more.
func (e *Engine) hits(ctx context.Context, q search.Query, v view, where stretch, asked int) (hits []hit, more bool, err error) {
	s := newStatement()
	text := "SELECT position, stamp, answer" + s.from(loose, q.Workspace, v, q.Where) + where.terms(s)
	order := "DESC"
	if q.Order == search.OldestFirst {
		order = "ASC"
	}
	read := 0
	err = e.collect(ctx, s, text+fmt.Sprintf(" ORDER BY position %s LIMIT %d", order, asked), func(scan func(...any) error) error {
		h, err := scanHit(scan, q.Workspace)
		read++
		switch last := len(hits) - 1; {
		case last < 0 || hits[last].row.Position != h.row.Position:
			hits = append(hits, h)
		case hits[last].stamp < h.stamp:
			hits[last] = h
		}
		return err
	})
	if more = read == asked; more {
		hits = hits[:len(hits)-1]
	}
	return hits, more, err
}

// current leaves out what is not the newest version of its row. Versions differ
// by their tags at most, so it matters only where tags are asked for that a newer
// one did not meet the conditions.
func (e *Engine) current(ctx context.Context, q search.Query, hits []hit) ([]hit, error) {
	if len(hits) == 0 || !slices.ContainsFunc(q.Where, asksForTags) {
		return hits, nil
	}
	s, positions := newStatement(), make([]int64, len(hits))
	for i, h := range hits {
		positions[i] = int64(h.row.Position)
	}
	newest := map[eventlog.Position]int64{}
	text := "SELECT position, max(stamp)" + s.from(loose, q.Workspace, view{position: slices.Max(positions)}, nil) +
		" AND position IN " + s.numbers(positions) + " GROUP BY position"
	err := e.collect(ctx, s, text, func(scan func(...any) error) error {
		var position, stamp int64
		err := scan(&position, &stamp)
		newest[eventlog.Position(position)] = stamp
		return err
	})
	return slices.DeleteFunc(hits, func(h hit) bool { return h.stamp < newest[h.row.Position] }), err
}

func asksForTags(c search.Condition) bool {
	if not, ok := c.(search.Not); ok {
		c = not.Condition
	}
	_, ok := c.(search.Tagged)
	return ok
}
