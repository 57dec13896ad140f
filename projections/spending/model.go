// Package spending is the model behind a budget's usage: what was settled in
// each window and in each step of it, by whom and for which model, what is still reserved there,
// overruns, late settlements and alerts, for the present window and those
// before.
//
// Nothing is granted by it. What may still be spent is said by the spending
// book alone; this model knows what the book forgets.
//
// It is a local SQLite file. Its rows hold ids, names that are metadata,
// amounts and times, all of them in clear.
package spending

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
)

// Name is the projection's name.
const Name = "spending"

// Model is what was spent. Questions may be asked from anywhere at any time;
// the projection's methods are for package projections alone.
type Model struct {
	file atomic.Pointer[projections.File]

	// Of the one goroutine that applies.
	pending []entry
	rows    *writer
}

var _ projections.Projection = (*Model)(nil)

// New makes a Model without a file; it answers once it is loaded.
func New() *Model { return &Model{} }

// Spec says what the projection is. It takes everything that happens to
// spending books, so that an event it does not know stops it.
func (m *Model) Spec() projections.Spec {
	return projections.Spec{Name: Name, Version: 2, Types: []string{"budget."}, Schema: schema}
}

// entry is a record that the rows need.
type entry struct {
	ws       domain.WorkspaceID
	position int64
	event    budget.Event
}

// Load forgets what was applied and not committed.
func (m *Model) Load(_ context.Context, file *projections.File, _ eventlog.Position) error {
	m.file.Store(file)
	clear(m.pending)
	m.pending, m.rows = m.pending[:0], newWriter()
	return nil
}

// errErased stops the model: a fact is never erased.
var errErased = errors.New("it is a fact and yet its key was destroyed, which no fact's is")

// Apply decodes a record. How budgets are set and what models cost is said in
// each reservation and settlement as far as it matters here.
func (m *Model) Apply(_ context.Context, r *ledger.Record) error {
	if r.Erased {
		return errErased
	}
	switch r.Type {
	case budget.Defined{}.EventType(), budget.Deleted{}.EventType(), budget.PricesSet{}.EventType():
		return nil
	}
	_, data, err := ledger.UnwrapFact(r.Payload)
	if err != nil {
		return err
	}
	event, err := budget.Decode(r.Type, data)
	if err != nil {
		return undecodable(r, err)
	}
	m.pending = append(m.pending, entry{r.Workspace, int64(r.Position), event})
	return nil
}

// undecodable says nothing of what was in the payload.
func undecodable(r *ledger.Record, err error) error {
	if errors.Is(err, budget.ErrUnknownEvent) {
		return fmt.Errorf("this version does not know the event %s; upgrade it", r.Type)
	}
	return fmt.Errorf("its payload does not decode as %s", r.Type)
}
