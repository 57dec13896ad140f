package approvals_test

import (
	"context"
	"fmt"
	"iter"
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
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/approvals"
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

// dump is everything in a model's tables, byte for byte.
func dump(t *testing.T, dir string) map[string][]string {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(dir, "models", "approvals.db"), sqlite.OpenReadOnly|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	all := map[string][]string{}
	for table, order := range map[string]string{"approval": "number", "accepts": "ws, role, expires, number", "waiting": "ws", "meta": "1"} {
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

// lives appends approvals in every state, their events interleaved.
func lives(b *book, n int) {
	random := rand.New(rand.NewPCG(7, 8))
	endings := []approval.Event{approval.Approved{At: noon}, approval.Denied{At: noon}, approval.Expired{At: noon}, approval.Withdrawn{At: noon}}
	var open []domain.ApprovalID
	ws := func(id domain.ApprovalID) domain.WorkspaceID {
		return domain.WorkspaceID("ws" + string(id[len(id)-1:]))
	}
	for i := range n {
		id := domain.ApprovalID(fmt.Sprintf("ap_%d", i))
		b.put(ws(id), id, request(id, func(r *approval.Requested) {
			r.Requirement.Escalate = &gate.Escalation{After: "30m", Roles: []domain.RoleName{"owner", "supervisor"}}
		}))
		open = append(open, id)
		at := random.IntN(len(open))
		id = open[at]
		switch random.IntN(4) {
		case 0:
			b.put(ws(id), id, vote(domain.MemberActor(domain.MemberID(fmt.Sprint("mb_", i))), approval.Approve))
		case 1:
			b.put(ws(id), id, approval.Escalated{Roles: []domain.RoleName{"owner", "lawyer"}, At: noon.Add(time.Hour)})
		case 2:
			b.put(ws(id), id, vote(alice, approval.Deny), endings[random.IntN(len(endings))])
			open = append(open[:at], open[at+1:]...)
		}
	}
}

// A model that was killed at any moment, again and again, and went on from its
// checkpoint each time, is the model that is made in one go, twice.
func TestKilledModelIsTheSame(t *testing.T) {
	b := newBook(t)
	lives(b, 400)
	random := rand.New(rand.NewPCG(5, 6))
	killed, head := t.TempDir(), must(b.ReadHead(context.Background()))(t)
	kills, progress := 0, eventlog.Position(0)
	for progress < head {
		m, err := projections.New(&slow{b.Ledger, 40}, killed, projections.Options{Logger: slog.New(slog.DiscardHandler)}, approvals.New())
		if err != nil {
			t.Fatal(err)
		}
		ctx, kill := context.WithCancel(context.Background())
		ran := make(chan error, 1)
		go func() { ran <- m.Run(ctx) }()
		if err := m.WaitFor(ctx, approvals.Name, min(head, progress+eventlog.Position(random.IntN(150)+50))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
		kill() // without Close: what is not committed is lost
		if err := <-ran; err != nil {
			t.Fatal(err)
		}
		progress = m.Position(approvals.Name)
		kills++
	}
	if kills < 3 {
		t.Errorf("killed only %d times", kills)
	}
	whole := t.TempDir()
	for range 2 {
		m, err := projections.New(b.Ledger, whole, projections.Options{}, approvals.New())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Rebuild(context.Background(), nil, nil); err != nil {
			t.Fatal(err)
		}
		want := dump(t, whole)
		if len(want["approval"]) != 400 || len(want["accepts"]) < 100 || len(want["waiting"]) != 10 {
			t.Fatalf("%d approvals, %d roles, %d workspaces", len(want["approval"]), len(want["accepts"]), len(want["waiting"]))
		}
		if diff := cmp.Diff(want, dump(t, killed)); diff != "" {
			t.Fatalf("models differ (-whole +killed):\n%s", diff)
		}
	}
}

// A model whose files are gone answers the same again.
func TestDeletedModelComesBack(t *testing.T) {
	b, ctx, dir := newBook(t), context.Background(), t.TempDir()
	lives(b, 50)
	v := approvals.Voter{Actor: bob, Roles: []domain.RoleName{"owner", "lawyer"}}
	ask := func() (answers []approvals.Page) {
		m := built(t, b.Ledger, dir)
		defer m.stop()
		for _, f := range []approvals.Filter{{}, {Status: "pending", At: noon}, {Status: "denied"}} {
			answers = append(answers, must(m.List(ctx, "ws1", f, "", 0))(t))
		}
		return append(answers, must(m.Mine(ctx, "ws1", v, approvals.Filter{At: noon}, "", 0))(t))
	}
	before := ask()
	if len(before[0].Items) != 5 || len(before[3].Items) == 0 {
		t.Fatalf("%d approvals, %d to decide", len(before[0].Items), len(before[3].Items))
	}
	if err := os.RemoveAll(filepath.Join(dir, "models")); err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{cmp.AllowUnexported(approvals.Approval{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".cursor" }, cmp.Ignore())}
	if diff := cmp.Diff(before, ask(), same, cmp.AllowUnexported(approvals.Page{})); diff != "" {
		t.Error(diff)
	}
}
