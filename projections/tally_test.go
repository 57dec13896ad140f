package projections_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
)

// tally is a small projection: a row per record, and what it was asked to do
// wrong.
type tally struct {
	spec    projections.Spec
	apply   func(*ledger.Record) error // nil: fine
	flush   func() error               // after the rows were written
	pending []string
	loads   atomic.Int64
	applied atomic.Int64
}

func newTally(name string, types ...string) *tally {
	return &tally{spec: projections.Spec{Name: name, Version: 1, Types: types,
		Schema: `CREATE TABLE row (name TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;`}}
}

func (c *tally) Spec() projections.Spec { return c.spec }

func (c *tally) Load(context.Context, *projections.File, eventlog.Position) error {
	c.pending = nil
	c.loads.Add(1)
	return nil
}

func (c *tally) Apply(_ context.Context, r *ledger.Record) error {
	if c.apply != nil {
		if err := c.apply(r); err != nil {
			return err
		}
	}
	c.applied.Add(1)
	c.pending = append(c.pending, fmt.Sprintf("%s@%d", r.Stream, r.Revision))
	return nil
}

func (c *tally) Flush(_ context.Context, conn *sqlite.Conn) error {
	for _, name := range c.pending {
		err := sqlitex.Execute(conn, `INSERT INTO row VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET times = times + 1`,
			&sqlitex.ExecOptions{Args: []any{name}})
		if err != nil {
			return err
		}
	}
	c.pending = nil
	if c.flush != nil {
		return c.flush()
	}
	return nil
}

// rows reads a tally's file: how often each record was counted.
func rows(t *testing.T, dir, name string) map[string]int {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(dir, "models", name+".db"), sqlite.OpenReadOnly|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	found := map[string]int{}
	err = sqlitex.Execute(conn, `SELECT name, times FROM row`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		found[s.ColumnText(0)] = s.ColumnInt(1)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// wanted is what a tally should have counted: every record of these types once.
func wanted(t *testing.T, l *ledger.Ledger, types ...string) map[string]int {
	t.Helper()
	want := map[string]int{}
	for r, err := range l.Read(context.Background(), eventlog.Query{TypePrefixes: types}) {
		if err != nil {
			t.Fatal(err)
		}
		want[fmt.Sprintf("%s@%d", r.Stream, r.Revision)] = 1
	}
	return want
}

// put appends n records of a type to a stream and answers the last position.
func put(t testing.TB, f *ledgertest.Fixture, stream, kind string, n int) eventlog.Position {
	t.Helper()
	tail := ledger.NoTail()
	for r, err := range f.ReadStream(context.Background(), stream, tail) {
		if err != nil {
			t.Fatal(err)
		}
		tail = r.Tail()
	}
	list := make([]ledger.Draft, n)
	for i := range list {
		list[i] = ledgertest.Draft(fmt.Sprint(stream, tail.Revision, i), kind, `{"mac":"","event":{}}`)
	}
	receipt, err := f.Append(context.Background(), stream, tail, list)
	if err != nil {
		t.Fatal(err)
	}
	return receipt.Position
}

// running runs models until the test ends or stop is called.
func running(t *testing.T, source projections.Source, dir string, all ...projections.Projection) (m *projections.Models, stop func()) {
	t.Helper()
	m, err := projections.New(source, dir, projections.Options{Logger: slog.New(slog.DiscardHandler)}, all...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return m, stop
}

func wait(t *testing.T, m *projections.Models, name string, position eventlog.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.WaitFor(ctx, name, position); err != nil {
		t.Fatalf("%v\n%+v", err, m.Health())
	}
}

// until waits for something that must come true.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func healthOf(m *projections.Models, name string) projections.Health {
	for _, h := range m.Health() {
		if h.Name == name {
			return h
		}
	}
	return projections.Health{}
}

// faulty is a source between a ledger and projections.
type faulty struct {
	*ledger.Ledger
	follow func(iter.Seq2[ledger.Delivery, error]) iter.Seq2[ledger.Delivery, error]
	head   func() error
	read   func(eventlog.Query)
}

func (f *faulty) Read(ctx context.Context, q eventlog.Query) iter.Seq2[ledger.Record, error] {
	if f.read != nil {
		f.read(q)
	}
	return f.Ledger.Read(ctx, q)
}

func (f *faulty) Follow(ctx context.Context, q eventlog.Query) iter.Seq2[ledger.Delivery, error] {
	if f.follow == nil {
		return f.Ledger.Follow(ctx, q)
	}
	return f.follow(f.Ledger.Follow(ctx, q))
}

func (f *faulty) ReadHead(ctx context.Context) (eventlog.Position, error) {
	if f.head != nil {
		if err := f.head(); err != nil {
			return 0, err
		}
	}
	return f.Ledger.ReadHead(ctx)
}

// inRuns says of all records of the past but every n-th that more come at once.
// One record is held back until the next delivery, so that it is known.
func inRuns(n int) func(iter.Seq2[ledger.Delivery, error]) iter.Seq2[ledger.Delivery, error] {
	return func(source iter.Seq2[ledger.Delivery, error]) iter.Seq2[ledger.Delivery, error] {
		return func(yield func(ledger.Delivery, error) bool) {
			var held *ledger.Delivery
			n, length := n, 0 // each subscription has its own
			for d, err := range source {
				if held != nil {
					length++
					held.More = length%n != 0 && (err != nil || d.Record != nil)
					if !held.More {
						length = 0
					}
					if !yield(*held, nil) {
						return
					}
					held = nil
				}
				if err == nil && d.Record != nil && n > 1 {
					held = &d
					continue
				}
				if d.More = false; !yield(d, err) {
					return
				}
				if d.CaughtUp {
					n = 1
				}
			}
		}
	}
}

var errInjected = errors.New("injected")
