package directory_test

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/directory"
	"github.com/clawoffice/ledger/projections/projectionstest"
)

// slow is a ledger that seems live early: it marks every so many records as
// the log's end, so that models commit small batches.
type slow struct {
	*ledger.Ledger
	every int
}

func (s *slow) Follow(ctx context.Context, q eventlog.Query) iter.Seq2[ledger.Delivery, error] {
	return func(yield func(ledger.Delivery, error) bool) {
		n := 0
		for d, err := range s.Ledger.Follow(ctx, q) {
			if !yield(d, err) {
				return
			}
			if n++; n%s.every == 0 && err == nil && !yield(ledger.Delivery{Position: d.Position, CaughtUp: true}, nil) {
				return
			}
		}
	}
}

// dump is everything in a model's tables.
func dump(t *testing.T, dir string) map[string][]string {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(dir, "models", "directory.db"), sqlite.OpenReadOnly|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	all := map[string][]string{}
	for _, table := range []string{"name", "stream", "event", "execution", "profile", "meta"} {
		err := sqlitex.ExecuteTransient(conn, "SELECT * FROM "+table+" ORDER BY 1, 2", &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			row := ""
			for i := range s.ColumnCount() {
				row += s.ColumnName(i) + "=" + s.ColumnText(i) + " "
			}
			all[table] = append(all[table], row)
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// A model that was killed at any moment, again and again, and went on from its
// checkpoint each time, is the model that is made in one go.
func TestKilledModelIsTheSame(t *testing.T) {
	f := ledgertest.New(t)
	records := projectionstest.Mixed(t, f, 5000)
	random := rand.New(rand.NewPCG(5, 6))
	killed, head := t.TempDir(), must(f.ReadHead(context.Background()))(t)
	kills, progress := 0, eventlog.Position(0)
	for progress < head {
		m, err := projections.New(&slow{f.Ledger, 200}, killed, projections.Options{Logger: slog.New(slog.DiscardHandler)}, directory.New())
		if err != nil {
			t.Fatal(err)
		}
		ctx, kill := context.WithCancel(context.Background())
		ran := make(chan error, 1)
		go func() { ran <- m.Run(ctx) }()
		stop := min(head, progress+eventlog.Position(random.IntN(900)+300))
		if err := m.WaitFor(ctx, directory.Name, stop); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
		kill() // without Close: what is not committed is lost
		if err := <-ran; err != nil {
			t.Fatal(err)
		}
		progress = m.Position(directory.Name)
		kills++
	}
	if kills < 3 {
		t.Errorf("killed only %d times", kills)
	}
	whole := t.TempDir()
	for range 2 { // replaying twice gives the same rows
		m, err := projections.New(f.Ledger, whole, projections.Options{}, directory.New())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Rebuild(context.Background(), nil, nil); err != nil {
			t.Fatal(err)
		}
		want := dump(t, whole)
		if len(want["event"]) != records || len(want["execution"]) < records/20 {
			t.Fatalf("%d events and %d executions of %d records", len(want["event"]), len(want["execution"]), records)
		}
		if diff := cmp.Diff(want, dump(t, killed)); diff != "" {
			t.Fatalf("models differ (-whole +killed):\n%s", diff)
		}
	}
}
