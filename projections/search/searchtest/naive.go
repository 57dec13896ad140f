package searchtest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

// Naive is an index that looks at every row, the measure of the engines. It is
// meant to be right, and to be seen to be.
type Naive struct {
	mu   sync.RWMutex
	at   eventlog.Position
	rows []search.Row // in order of position
}

var _ search.Engine = (*Naive)(nil)

// Insert takes in a batch.
func (n *Naive) Insert(ctx context.Context, b search.Batch) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := errors.Join(ctx.Err(), b.Valid()); err != nil {
		return err
	}
	if b.From > n.at {
		return search.ErrGap
	}
	for _, r := range b.Rows {
		if r.Position > n.at {
			r.Tags = slices.Clone(r.Tags)
			n.rows = append(n.rows, r)
		}
	}
	n.at = max(n.at, b.To)
	return nil
}

// Position is where the index stands.
func (n *Naive) Position(ctx context.Context) (eventlog.Position, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.at, ctx.Err()
}

// matching answers what a query finds, oldest first.
func (n *Naive) matching(q search.Query) (found []search.Row) {
	for _, r := range n.rows {
		if r.Workspace == q.Workspace && !slices.ContainsFunc(q.Where, func(c search.Condition) bool { return !meets(r, c) }) {
			r.Tags = nil
			found = append(found, r)
		}
	}
	return found
}

func meets(r search.Row, c search.Condition) bool {
	switch c := c.(type) {
	case search.Not:
		return !meets(r, c.Condition)
	case search.In:
		text, _ := r.Text(c.Field)
		return slices.ContainsFunc(c.Any, func(p search.Pattern) bool { return p.Matches(text) })
	case search.Compare:
		number, _ := r.Number(c.Measure)
		return c.Op.Holds(number, c.Value)
	case search.During:
		return !r.Time.Before(c.From) && (c.Until.IsZero() || r.Time.Before(c.Until))
	case search.Tagged:
		return !slices.ContainsFunc(c.All, func(t search.Tag) bool { return !slices.Contains(r.Tags, t) })
	}
	return false
}

// Find answers a page.
func (n *Naive) Find(ctx context.Context, q search.Query) (page search.Page, err error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	after, err := q.Cursor.Position(q.Order)
	if err := errors.Join(ctx.Err(), q.Valid(), err); err != nil {
		return page, err
	}
	rows := n.matching(q)
	if q.Order == search.NewestFirst {
		slices.Reverse(rows)
	}
	if after > 0 {
		rows = slices.DeleteFunc(rows, func(r search.Row) bool {
			return q.Order == search.NewestFirst && r.Position >= after || q.Order == search.OldestFirst && r.Position <= after
		})
	}
	if page.Rows = rows; len(rows) > q.PageSize() {
		page.Rows = rows[:q.PageSize()]
		page.Next = search.CursorAt(q.Order, page.Rows[q.PageSize()-1].Position)
	}
	return page, nil
}

// Count counts.
func (n *Naive) Count(ctx context.Context, q search.Query, g search.Grouping) (groups []search.Group, err error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if err := errors.Join(ctx.Err(), q.Valid(), g.Valid()); err != nil {
		return nil, err
	}
	rows := n.matching(q)
	switch {
	case g.Every > 0:
		every := int64(g.Every / time.Second)
		groups = tally(rows, func(r search.Row) search.Group {
			return search.Group{From: time.Unix(r.Time.Unix()/every*every, 0).UTC()}
		})
		slices.SortFunc(groups, func(a, b search.Group) int { return a.From.Compare(b.From) })
		if len(groups) > search.MaxSpans {
			return nil, search.ErrQuery
		}
	case len(g.By) > 0:
		for _, f := range g.By {
			counts := tally(rows, func(r search.Row) search.Group { text, _ := r.Text(f); return search.Group{Field: f, Text: text} })
			counts = slices.DeleteFunc(counts, func(g search.Group) bool { return g.Text == "" })
			slices.SortFunc(counts, func(a, b search.Group) int {
				return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Text, b.Text))
			})
			groups = append(groups, counts[:min(len(counts), g.TopSize())]...)
		}
	default:
		groups = []search.Group{{Rows: int64(len(rows))}}
	}
	return groups, nil
}

func tally(rows []search.Row, group func(search.Row) search.Group) (groups []search.Group) {
	counts := map[search.Group]int64{}
	for _, r := range rows {
		counts[group(r)]++
	}
	for g, rows := range counts {
		g.Rows = rows
		groups = append(groups, g)
	}
	return groups
}

// Remove takes something out.
func (n *Naive) Remove(ctx context.Context, r search.Removal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r == nil {
		return search.ErrRemoval
	}
	if err := errors.Join(ctx.Err(), r.Valid()); err != nil {
		return err
	}
	switch r := r.(type) {
	case search.Erasure:
		for i := range n.rows {
			if n.rows[i].Workspace == r.Workspace && n.rows[i].Subject == r.Subject {
				n.rows[i].Tags = nil
			}
		}
	case search.Retention:
		n.rows = slices.DeleteFunc(n.rows, func(row search.Row) bool {
			return row.Workspace == r.Workspace && row.Class == r.Class && row.Time.Before(r.Before)
		})
	}
	return nil
}
