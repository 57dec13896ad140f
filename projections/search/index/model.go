package index

import (
	"context"
	"fmt"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
)

// Name is the projection's name.
const Name = "search"

const version = 1

// liveDelay is how long an event waits for others to be indexed with: an insert
// of many costs little more than one of few.
const liveDelay = 500 * time.Millisecond

// Source is the ledger as far as the index needs it.
type Source interface {
	projections.Source
	ledger.Streams
}

// Config is what a [Model] is made of.
type Config struct {
	Source     Source
	Keys       Keys
	Generation Generation
	// Writes reports whether this replica fills the index; nil is always. One of
	// several that share an index does; the others wait for it.
	Writes func() bool
	// Batch is how many records are indexed at once while the index catches up,
	// if more than by other models.
	Batch int
}

// Model is the projection, and what is asked of it.
type Model struct {
	config Config // without a generation; that is current

	mu      sync.RWMutex // held while current is asked, and alone to change it
	current *generation

	turn     sync.Mutex // guards what follows, and is held while another generation takes over
	from, to eventlog.Position
	stands   eventlog.Position // where the engine stood at the last Load
	batch    batch
	known    *knowledge
	gone     map[goneKey]bool
}

var _ projections.Projection = (*Model)(nil)

// New makes a Model.
func New(c Config) *Model {
	if c.Writes == nil {
		c.Writes = func() bool { return true }
	}
	first := newGeneration(c.Generation)
	c.Generation = Generation{}
	return &Model{config: c, current: first, known: newKnowledge(), gone: map[goneKey]bool{}}
}

// Spec says that all records matter: rows are made of events, and the position
// of the index moves over everything else.
func (m *Model) Spec() projections.Spec {
	return projections.Spec{Name: Name, Version: version, Delay: liveDelay, Batch: m.config.Batch}
}

// Load finds out where the engine stands. It may be further than the checkpoint,
// when a crash came between the two: its rows are not made again. One that is
// behind it was made anew, and everything is read from the first record.
func (m *Model) Load(ctx context.Context, _ *projections.File, at eventlog.Position) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	stands, err := m.current.Engine.Position(ctx)
	if err != nil {
		return fmt.Errorf("asking the search index where it stands: %w", err)
	}
	if stands < at {
		return projections.ErrUnusable
	}
	m.from, m.to, m.stands, m.batch = at, at, stands, batch{}
	return nil
}

// Apply takes a record into the batch.
func (m *Model) Apply(_ context.Context, r *ledger.Record) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	m.to = r.Position
	if r.Position <= m.stands || ledger.IsBookkeeping(r.Stream) {
		return nil
	}
	return m.take(r)
}

// waitForWriter is how often a replica that does not fill the index looks
// whether another one did.
const waitForWriter = 200 * time.Millisecond

// Flush brings the batch into the engine. Where another replica fills the index
// it waits until that has.
func (m *Model) Flush(ctx context.Context, _ *sqlite.Conn) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	for !m.config.Writes() {
		if at, err := m.current.Engine.Position(ctx); err != nil || at >= m.to {
			m.from, m.batch = m.to, batch{}
			return err
		}
		select {
		case <-time.After(waitForWriter):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := m.complete(ctx); err != nil {
		return err
	}
	if err := m.insert(ctx); err != nil {
		return fmt.Errorf("indexing up to %d: %w", m.to, err)
	}
	m.from, m.batch = m.to, batch{}
	return nil
}
