package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clawoffice/ledger/domain"
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

// find reads without FINAL, which would read everything before it sorts. It
// leaves out the versions of rows that were superseded itself, and reads on if
// the page is not full for that.
func (e *Engine) find(ctx context.Context, q search.Query, after int64) (page search.Page, err error) {
	v, err := e.view(ctx, q.Workspace)
	if err != nil {
		return search.Page{}, err
	}
	size := q.PageSize()
	for asked, more := size+2, true; more && len(page.Rows) <= size; { // a row more tells whether there is a next page
		var hits []hit
		if hits, more, err = e.hits(ctx, q, v, after, asked); err != nil {
			return search.Page{}, err
		}
		if len(hits) == 0 {
			asked *= 2 // they were all versions of one row
			continue
		}
		after = int64(hits[len(hits)-1].row.Position)
		if hits, err = e.current(ctx, q, hits); err != nil {
			return search.Page{}, err
		}
		for _, h := range hits {
			page.Rows = append(page.Rows, h.row)
		}
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
func (e *Engine) hits(ctx context.Context, q search.Query, v view, after int64, asked int) (hits []hit, more bool, err error) {
	s := newStatement()
	text := "SELECT " + strings.Join(answered(), ", ") + s.from(loose, q.Workspace, v, q.Where)
	order, beyond := "DESC", "<"
	if q.Order == search.OldestFirst {
		order, beyond = "ASC", ">"
	}
	if after > 0 {
		text += " AND position " + beyond + " " + s.number(after)
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
	if !slices.ContainsFunc(q.Where, asksForTags) {
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

// scanHit reads the columns that answered lists.
func scanHit(scan func(...any) error, ws domain.WorkspaceID) (h hit, err error) {
	var position, micros int64
	var id, actor, kind string
	r := &h.row
	err = scan(&position, &h.stamp, &micros, &id, &actor, &kind, &r.Type, &r.Stream, (*string)(&r.Execution), (*string)(&r.Workflow),
		(*string)(&r.Action), &r.Outcome, &r.Severity, (*string)(&r.Model), (*int64)(&r.PromptTokens), (*int64)(&r.OutputTokens), (*int64)(&r.Cost),
		(*string)(&r.Policy), (*string)(&r.Rule), (*string)(&r.Approval), (*string)(&r.Credential), &r.Correlation, (*string)(&r.Class), (*string)(&r.Subject))
	r.Workspace, r.Position, r.Time, r.Actor = ws, eventlog.Position(position), time.UnixMicro(micros).UTC(), domain.ParseActor(actor)
	copy(r.ID[:], id)
	return h, err
}
