package webhooks_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/webhooks"
)

type world struct {
	t    *testing.T
	f    *ledgertest.Fixture
	dir  string
	tail map[string]ledger.Tail
	n    int
}

func newWorld(t *testing.T) *world {
	return &world{t: t, f: ledgertest.New(t), dir: t.TempDir(), tail: map[string]ledger.Tail{}}
}

func (w *world) append(ws domain.WorkspaceID, id domain.WebhookID, name string) eventlog.Position {
	w.t.Helper()
	stream := ledger.WebhookStream(ws, id)
	tail, ok := w.tail[stream]
	if !ok {
		tail = ledger.NoTail()
	}
	w.n++
	receipt, err := w.f.Append(context.Background(), stream, tail, []ledger.Draft{ledgertest.Draft(fmt.Sprint(w.n), name, string(ledger.WrapFact("", []byte(`{}`))))})
	if err != nil {
		w.t.Fatal(err)
	}
	w.tail[stream] = receipt.Tail
	return receipt.Position
}

// run follows the log up to a position with a model of dir, and answers the
// model and what ends it. A kill leaves the file as it is.
func (w *world) run(dir string, to eventlog.Position) (*webhooks.Model, func()) {
	w.t.Helper()
	model := webhooks.New()
	all, err := projections.New(w.f.Ledger, dir, projections.Options{Logger: slog.New(slog.DiscardHandler)}, model)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- all.Run(ctx) }()
	wait, done := context.WithTimeout(ctx, 20*time.Second)
	defer done()
	if err := all.WaitFor(wait, webhooks.Name, to); err != nil {
		w.t.Fatal(err)
	}
	return model, func() {
		cancel()
		<-ran
		if err := all.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

// rows are those of a model's file.
func (w *world) rows(dir string) (rows []string) {
	w.t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(dir, "models", webhooks.Name+".db"), sqlite.OpenReadOnly|sqlite.OpenWAL)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	err = sqlitex.ExecuteTransient(conn, `SELECT ws, id, position FROM webhook ORDER BY 1, 2`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		rows = append(rows, s.ColumnText(0)+" "+s.ColumnText(1)+" "+s.ColumnText(2))
		return nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func (w *world) is(m *webhooks.Model, ws domain.WorkspaceID, want ...domain.WebhookID) {
	w.t.Helper()
	if diff := cmp.Diff(want, m.Webhooks(ws)); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", ws, diff)
	}
}

// The model is the same while it runs, after a restart, and made again from the
// first record; and workspaces do not see each other.
func TestModel(t *testing.T) {
	w := newWorld(t)
	w.append("acme", "wh_2", "webhook.registered.v1")
	w.append("acme", "wh_1", "webhook.registered.v1")
	w.append("beta", "wh_3", "webhook.registered.v1")
	w.append("acme", "wh_1", "webhook.changed.v1")
	at := w.append("acme", "wh_gone", "webhook.registered.v1")
	m, stop := w.run(w.dir, at)
	w.is(m, "acme", "wh_1", "wh_2", "wh_gone")
	at = w.append("acme", "wh_gone", "webhook.removed.v1")
	stop()
	m, stop = w.run(w.dir, at)
	w.is(m, "acme", "wh_1", "wh_2")
	w.is(m, "beta", "wh_3")
	w.is(m, "nobody")
	stop()
	m, stop = w.run(w.dir, at) // what is read from rows alone
	w.is(m, "acme", "wh_1", "wh_2")
	stop()

	anew := t.TempDir()
	_, stop = w.run(anew, at)
	stop()
	if diff := cmp.Diff(w.rows(w.dir), w.rows(anew)); diff != "" || len(w.rows(anew)) != 3 {
		t.Errorf("made again (-before +after):\n%s", diff)
	}
	if err := os.RemoveAll(filepath.Join(w.dir, "models")); err != nil {
		t.Fatal(err)
	}
	m, stop = w.run(w.dir, at)
	w.is(m, "acme", "wh_1", "wh_2")
	stop()
}

// A record that comes again after a later one, because a commit failed, changes
// nothing, and what was not committed is written again.
func TestApplyAgain(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.append("acme", "wh_1", "webhook.registered.v1")
	w.append("acme", "wh_2", "webhook.registered.v1")
	at := w.append("acme", "wh_1", "webhook.removed.v1")
	m, stop := w.run(w.dir, at)
	stop()
	var records []ledger.Record
	for r, err := range w.f.Read(ctx, eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	if err := m.Load(ctx, nil, 0); err != nil { // the file lost everything
		t.Fatal(err)
	}
	for i := range records {
		if err := m.Apply(ctx, &records[i]); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			w.is(m, "acme", "wh_2")
		}
	}
	conn, err := sqlite.OpenConn(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := sqlitex.ExecuteScript(conn, m.Spec().Schema, nil); err != nil {
		t.Fatal(err)
	}
	if err := m.Flush(ctx, conn); err != nil {
		t.Fatal(err)
	}
	n, err := sqlitex.ResultInt(conn.Prep(`SELECT count(*) FROM webhook WHERE id = 'wh_2'`))
	if err != nil || n != 1 {
		t.Errorf("%d rows of wh_2, %v", n, err)
	}
}

func TestErasedStops(t *testing.T) {
	if err := webhooks.New().Apply(context.Background(), &ledger.Record{Erased: true}); err == nil {
		t.Error("a fact without its key was passed over")
	}
}
