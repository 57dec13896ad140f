package spending_test

import (
	"context"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/spending"
)

// small is a ledger that marks every so many records as the log's end, so that
// the model commits small batches.
type small struct {
	*ledger.Ledger
	every int
}

func (s *small) Follow(ctx context.Context, q eventlog.Query) iter.Seq2[ledger.Delivery, error] {
	return func(yield func(ledger.Delivery, error) bool) {
		n := 0
		for d, err := range s.Ledger.Follow(ctx, q) {
			d.More = false
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
	conn, err := sqlite.OpenConn(filepath.Join(dir, "models", "spending.db"), sqlite.OpenReadOnly|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	all := map[string][]string{}
	for table, order := range map[string]string{"name": "1", "budget_window": "1", "share": "1, 2, 3", "step": "1, 2", "alert": "1, 2", "held": "1, 2", "meta": "1"} {
		err := sqlitex.ExecuteTransient(conn, "SELECT * FROM "+table+" ORDER BY "+order, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
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

// withAlerts puts an alert after each hundredth settlement.
func withAlerts(events []budget.Event) []budget.Event {
	var all []budget.Event
	n := 0
	for _, e := range events {
		all = append(all, e)
		if s, ok := e.(budget.Settled); ok {
			if n++; n%100 == 0 {
				all = append(all, budget.Alerted{Budget: "daily", Limit: "calls", Threshold: n / 100, Start: s.Entries[0].Start, Used: int64(n), Max: 9, At: s.At})
			}
		}
	}
	return all
}

// histories appends what four workspaces spent, each with alerts between.
func histories(b *book) {
	for i, ws := range []domain.WorkspaceID{"acme", "beta", "gamma", "delta"} {
		events := withAlerts(bookEvents(uint64(i), 2000))
		for len(events) > 0 {
			n := min(50, len(events))
			b.put(ws, events[:n]...)
			events = events[n:]
		}
	}
}

// A model that was killed at any moment, again and again, and went on from its
// checkpoint each time, is the model that is made in one go, and the one that
// is made again after its file was deleted.
func TestKilledModelIsTheSame(t *testing.T) {
	b := newBook(t)
	histories(b)
	random := rand.New(rand.NewPCG(5, 6))
	killed, end := t.TempDir(), head(t, b.Ledger)
	kills, progress := 0, eventlog.Position(0)
	for progress < end {
		_, m, stop := follow(t, &small{b.Ledger, 100}, killed)
		reach(t, m, min(end, progress+eventlog.Position(random.IntN(900)+300)))
		time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
		stop() // without Close: what is not committed is lost
		progress = m.Position(spending.Name)
		kills++
	}
	if kills < 3 {
		t.Errorf("killed only %d times", kills)
	}
	whole := t.TempDir()
	var first map[string][]string
	for _, how := range []string{"made", "made twice", "deleted"} {
		if how == "deleted" {
			if err := os.RemoveAll(filepath.Join(whole, "models")); err != nil {
				t.Fatal(err)
			}
		}
		m, err := projections.New(b.Ledger, whole, projections.Options{}, spending.New())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Rebuild(context.Background(), nil, nil); err != nil {
			t.Fatal(err)
		}
		got := dump(t, whole)
		for table, rows := range got {
			if len(rows) == 0 {
				t.Errorf("nothing in %s", table)
			}
		}
		if first == nil {
			first = got
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Fatalf("the model that was %s differs (-first +again):\n%s", how, diff)
		}
	}
	if diff := cmp.Diff(first, dump(t, killed)); diff != "" {
		t.Fatalf("models differ (-whole +killed):\n%s", diff)
	}
}
