package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/process"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// book appends domain events to streams.
type book struct {
	testing.TB
	*ledgertest.Fixture
	tails map[string]ledger.Tail
	n     int
}

func newBook(tb testing.TB) *book {
	return &book{TB: tb, Fixture: ledgertest.New(tb), tails: map[string]ledger.Tail{}}
}

func (b *book) put(stream string, events ...domain.Event) {
	b.Helper()
	var list []ledger.Draft
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			b.Fatal(err)
		}
		b.n++
		d := ledgertest.Draft(fmt.Sprint(b.n), e.EventType(), "")
		d.Payload, d.Time = ledger.WrapFact("", data), noon
		list = append(list, d)
	}
	tail, ok := b.tails[stream]
	if !ok {
		tail = ledger.NoTail()
	}
	receipt, err := b.Append(context.Background(), stream, tail, list)
	if err != nil {
		b.Fatal(err)
	}
	b.tails[stream] = receipt.Tail
}

// lives appends prompts and approvals of two workspaces, some of which end.
func (b *book) lives(n int) {
	random := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		ws := domain.WorkspaceID(fmt.Sprintf("ws%d", i%2))
		ex := domain.ExecutionID(fmt.Sprintf("ex_%d", i))
		switch random.IntN(2) {
		case 0:
			id := domain.ReservationID(fmt.Sprintf("rs_%d", i))
			b.put(ledger.BudgetStream(ws), budget.Reserved{Reservation: id, ExpiresAt: noon.Add(time.Duration(i) * time.Second)})
			b.put(ledger.ExecutionStream(ws, ex), execution.PromptRecorded{Prompt: domain.PromptID(id), Reservation: id})
			if random.IntN(3) > 0 {
				b.put(ledger.ExecutionStream(ws, ex), execution.CompletionRecorded{Prompt: domain.PromptID(id)})
			}
			if random.IntN(2) > 0 {
				b.put(ledger.BudgetStream(ws), budget.Settled{Reservation: id})
			}
		case 1:
			id := domain.ApprovalID(fmt.Sprintf("ap_%d", i))
			action := execution.Action{ID: "ac_1"}
			b.put(ledger.ExecutionStream(ws, ex), execution.Requested{Execution: ex, Action: action, Approval: id})
			if random.IntN(4) == 0 {
				continue
			}
			b.put(ledger.ApprovalStream(ws, id), approval.Requested{Approval: id, Execution: ex, Action: "ac_1", At: noon,
				ExpiresAt: noon.Add(24 * time.Hour), Requirement: gate.Approval{Escalate: &gate.Escalation{After: "1h"}}})
			if random.IntN(2) == 0 {
				b.put(ledger.ApprovalStream(ws, id), approval.Approved{})
				b.put(ledger.ExecutionStream(ws, ex), execution.ActionAuthorized{Action: "ac_1", Approval: id})
			}
		}
	}
}

// running is a model of a log, and what runs it.
type running struct {
	*process.Model
	all  *projections.Models
	stop func()
}

func run(tb testing.TB, source projections.Source, dir string) *running {
	tb.Helper()
	model := process.New()
	m, err := projections.New(source, dir, projections.Options{Logger: slog.New(slog.DiscardHandler)}, model)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	head, err := source.ReadHead(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	if err := m.WaitFor(ctx, process.Name, head); err != nil {
		tb.Fatal(err)
	}
	return &running{model, m, func() {
		cancel()
		if err := errors.Join(<-ran, m.Close()); err != nil {
			tb.Error(err)
		}
	}}
}

// rowsOf is everything in the model's table.
func rowsOf(t *testing.T, dir string) (rows []string) {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(dir, "models", "process.db"), sqlite.OpenReadOnly|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = sqlitex.ExecuteTransient(conn, "SELECT ws, key, value FROM entry ORDER BY ws, key", &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		rows = append(rows, s.ColumnText(0)+" "+s.ColumnText(1)+" "+s.ColumnText(2))
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// What is owed comes in order of time, is the same after a restart that reads
// the rows, after one that has lost them, and after one in the middle; and the
// rows are the same to the byte.
func TestRestartsOweTheSame(t *testing.T) {
	b, dir := newBook(t), t.TempDir()
	b.lives(150)
	run(t, b.Ledger, dir).stop()
	b.n = 1000
	b.put(ledger.ExecutionStream("ws2", "ex_last"), execution.Requested{Execution: "ex_last", Action: execution.Action{ID: "ac_1"}, Approval: "ap_last"})
	m := run(t, b.Ledger, dir)
	late := noon.Add(48 * time.Hour)
	owed := m.Due(late, 10_000)
	if len(owed) != m.Len() || len(owed) < 80 {
		t.Fatalf("%d owed of %d", len(owed), m.Len())
	}
	for i, o := range owed[1:] {
		if o.Due.Before(owed[i].Due) {
			t.Fatalf("%s comes before %s", owed[i].Due, o.Due)
		}
	}
	if soon := m.Due(noon.Add(-time.Second), 10); len(soon) != 0 {
		t.Errorf("%+v is due early", soon)
	}
	if some := m.Due(late, 7); cmp.Diff(owed[:7], some) != "" {
		t.Errorf("the first seven are %+v", some)
	}
	m.stop()
	rows := rowsOf(t, dir)
	again := run(t, b.Ledger, dir)
	if diff := cmp.Diff(owed, again.Due(late, 10_000)); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
	again.stop()
	if err := os.RemoveAll(filepath.Join(dir, "models")); err != nil {
		t.Fatal(err)
	}
	anew := run(t, b.Ledger, dir)
	if diff := cmp.Diff(owed, anew.Due(late, 10_000)); diff != "" {
		t.Errorf("made anew: %s", diff)
	}
	anew.stop()
	if diff := cmp.Diff(rows, rowsOf(t, dir)); diff != "" {
		t.Errorf("the rows made anew differ: %s", diff)
	}
}

// A model whose rows can't
// be read back starts from nothing.
func TestDamagedRowsAreThrownAway(t *testing.T) {
	b, dir := newBook(t), t.TempDir()
	b.lives(40)
	m := run(t, b.Ledger, dir)
	owed := m.Due(noon.Add(48*time.Hour), 10_000)
	m.stop()
	conn, err := sqlite.OpenConn(filepath.Join(dir, "models", "process.db"), sqlite.OpenReadWrite|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(conn, "UPDATE entry SET value = '{'", nil)
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	m = run(t, b.Ledger, dir)
	defer m.stop()
	if diff := cmp.Diff(owed, m.Due(noon.Add(48*time.Hour), 10_000)); diff != "" {
		t.Error(diff)
	}
}

// A step is owed as it was until the event that settles it, or moves it.
func TestStill(t *testing.T) {
	b, dir := newBook(t), t.TempDir()
	b.put(ledger.BudgetStream("acme"), budget.Reserved{Reservation: "rs_1", ExpiresAt: noon})
	m := run(t, b.Ledger, dir)
	defer m.stop()
	owed := m.Due(noon, 10)
	if len(owed) != 1 || owed[0].Command.Reservation != "rs_1" || owed[0].Workspace != domain.WorkspaceID("acme") || !m.Still(owed[0]) {
		t.Fatalf("owed %+v", owed)
	}
	b.put(ledger.BudgetStream("acme"), budget.Expired{Reservation: "rs_1"})
	head, err := b.ReadHead(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.all.WaitFor(context.Background(), process.Name, head); err != nil {
		t.Fatal(err)
	}
	if m.Still(owed[0]) || m.Len() != 0 {
		t.Error("it is owed still")
	}
}
