package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clawoffice/ledger/projections/search"
)

// Count counts rows, see [search.Engine].
func (e *Engine) Count(ctx context.Context, q search.Query, g search.Grouping) ([]search.Group, error) {
	q.Cursor, q.Limit, q.Order = "", 0, search.OldestFirst
	if err := errors.Join(q.Valid(), g.Valid()); err != nil {
		return nil, err
	}
	if err := e.alive(ctx); err != nil {
		return nil, err
	}
	groups, err := e.count(ctx, q, g)
	if err != nil {
		return nil, fmt.Errorf("counting in the search index: %w", e.explain(ctx, err))
	}
	return groups, nil
}

func (e *Engine) count(ctx context.Context, q search.Query, g search.Grouping) ([]search.Group, error) {
	v, err := e.view(ctx, q.Workspace)
	if err != nil {
		return nil, err
	}
	switch {
	case g.Every > 0:
		return e.histogram(ctx, q, v, g.Every)
	case len(g.By) > 0:
		return e.facets(ctx, q, v, g)
	}
	return e.total(ctx, q, v)
}

func (e *Engine) total(ctx context.Context, q search.Query, v view) ([]search.Group, error) {
	s := newStatement()
	var rows uint64
	err := e.collect(ctx, s, "SELECT count()"+s.from(final, q.Workspace, v, q.Where), func(scan func(...any) error) error { return scan(&rows) })
	return []search.Group{{Rows: int64(rows)}}, err
}

func (e *Engine) histogram(ctx context.Context, q search.Query, v view, every time.Duration) (groups []search.Group, err error) {
	s := newStatement()
	width := every.Microseconds()
	text := "SELECT intDiv(time, " + s.number(width) + ") AS span, count()" + s.from(final, q.Workspace, v, q.Where) +
		fmt.Sprintf(" GROUP BY span ORDER BY span LIMIT %d", search.MaxSpans+1)
	err = e.collect(ctx, s, text, func(scan func(...any) error) error {
		var span int64
		var rows uint64
		err := scan(&span, &rows)
		groups = append(groups, search.Group{From: time.UnixMicro(span * width).UTC(), Rows: int64(rows)})
		return err
	})
	if err == nil && len(groups) > search.MaxSpans {
		return nil, fmt.Errorf("%w: it has more than %d spans; ask for wider ones or less time", search.ErrQuery, search.MaxSpans)
	}
	return groups, err
}

// facets counts all fields in one pass. In a set of one field all others are "".
func (e *Engine) facets(ctx context.Context, q search.Query, v view, g search.Grouping) (groups []search.Group, err error) {
	names := make([]string, len(g.By))
	for i, f := range g.By {
		names[i] = string(f)
	}
	s := newStatement()
	list := strings.Join(names, ", ")
	text := "SELECT grouping(" + list + ") AS field, concat(" + list + ", '') AS text, count() AS n" + s.from(final, q.Workspace, v, q.Where) +
		" GROUP BY GROUPING SETS ((" + strings.Join(names, "), (") + ")) HAVING text != ''" +
		fmt.Sprintf(" ORDER BY n DESC, text LIMIT %d BY field", g.TopSize())
	byField := make([][]search.Group, len(g.By))
	err = e.collect(ctx, s, text, func(scan func(...any) error) error {
		var field, rows uint64
		var group search.Group
		if err := scan(&field, &group.Text, &rows); err != nil {
			return err
		}
		at := slices.IndexFunc(g.By, func(f search.Field) bool { return field == groupingOf(g.By, f) })
		if at < 0 {
			return fmt.Errorf("no field has the number %d", field)
		}
		group.Field, group.Rows = g.By[at], int64(rows)
		byField[at] = append(byField[at], group)
		return nil
	})
	return slices.Concat(byField...), err
}

// groupingOf is what grouping() answers for a field: a bit for each of the
// others, the first one's the highest.
func groupingOf(by []search.Field, f search.Field) (bits uint64) {
	for _, other := range by {
		bits <<= 1
		if other != f {
			bits |= 1
		}
	}
	return bits
}
