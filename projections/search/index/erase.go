package index

import (
	"context"
	"fmt"
	"iter"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections/search"
)

// cut is an erasure: the rows before it are in the index when it is made, and
// none of those after it.
type cut struct {
	rows int // how many of the batch's are before it
	at   eventlog.Position
	search.Erasure
}

// goneKey is a data key that an erasure destroyed while this process ran.
type goneKey struct {
	ws  domain.WorkspaceID
	key string
}

// erase notes an erasure.
func (m *Model) erase(r *ledger.Record, e workspace.SubjectErased) {
	m.batch.cuts = append(m.batch.cuts, cut{len(m.batch.rows), r.Position, search.Erasure{Workspace: r.Workspace, Subject: e.Subject}})
	for _, key := range e.Keys {
		m.gone[goneKey{r.Workspace, key}] = true
	}
}

// without answers a record that comes after an erasure as it will be read from
// then on: under a destroyed key it has no words, although it was sealed, or
// opened ahead, by a replica that had not heard of the erasure.
func (m *Model) without(r ledger.Record) ledger.Record {
	if m.gone[goneKey{r.Workspace, r.Key}] {
		r.Payload, r.Erased = nil, true
	}
	return r
}

// heard reads streams as of after the erasures that were met.
type heard struct{ *Model }

func (h heard) ReadStream(ctx context.Context, stream string, tail ledger.Tail) iter.Seq2[ledger.Record, error] {
	return func(yield func(ledger.Record, error) bool) {
		for r, err := range h.config.Source.ReadStream(ctx, stream, tail) {
			if !yield(h.without(r), err) {
				return
			}
		}
	}
}

// insert brings the batch's rows into the engine, and makes its erasures between
// them. An engine that stands at an erasure's event has made it: before that it
// stands just in front of it. So nobody makes one again when rows that came
// after it are there.
func (m *Model) insert(ctx context.Context) error {
	engine, from, done := m.current.Engine, m.from, 0
	for _, c := range m.batch.cuts {
		if err := engine.Insert(ctx, search.Batch{From: from, To: c.at - 1, Rows: m.batch.rows[done:c.rows]}); err != nil {
			return err
		}
		from, done = c.at-1, c.rows
		stands, err := engine.Position(ctx)
		if err == nil && stands < c.at {
			err = engine.Remove(ctx, c.Erasure)
		}
		if err != nil {
			return fmt.Errorf("taking out the words of a subject that was erased at %d: %w", c.at, err)
		}
	}
	return engine.Insert(ctx, search.Batch{From: from, To: m.to, Rows: m.batch.rows[done:]})
}
