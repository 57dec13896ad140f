package index

import (
	"context"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/query"
)

// Ask is a question to the index.
type Ask struct {
	Workspace   domain.WorkspaceID
	Query       query.Query
	From, Until time.Time // zero: no bound
	Now         time.Time // what "7d ago" counts from
	Order       search.Order
	Cursor      search.Cursor
	Limit       int
}

// Find answers a page. Errors are those of package search.
func (m *Model) Find(ctx context.Context, a Ask) (search.Page, error) {
	var page search.Page
	err := m.with(a, func(e search.Engine, q search.Query) (err error) {
		page, err = e.Find(ctx, q)
		return err
	})
	return page, err
}

// Count answers groups of what a question finds.
func (m *Model) Count(ctx context.Context, a Ask, g search.Grouping) ([]search.Group, error) {
	var groups []search.Group
	err := m.with(a, func(e search.Engine, q search.Query) (err error) {
		groups, err = e.Count(ctx, q, g)
		return err
	})
	return groups, err
}

// with asks the generation that answers now, with its own keys. It is not
// closed meanwhile.
func (m *Model) with(a Ask, ask func(search.Engine, search.Query) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	where, err := a.Query.Where(a.Now, func(phrase string) []search.Tag {
		tags, _ := m.current.maker(m.config.Keys, a.Workspace).Of(phrase)
		return tags
	})
	if err != nil {
		return err
	}
	if !a.From.IsZero() || !a.Until.IsZero() {
		where = append(where, search.During{From: a.From, Until: a.Until})
	}
	return ask(m.current.Engine, search.Query{Workspace: a.Workspace, Where: where, Order: a.Order, Cursor: a.Cursor, Limit: a.Limit})
}
