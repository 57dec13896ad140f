package directory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// Histories for benchmarks are made once and kept where CLAWLEDGER_BENCH_DIR
// says, so that large ones can be measured again and again; without it they are
// small and made for the occasion. CLAWLEDGER_BENCH_RECORDS is their size.
const (
	benchDir     = "CLAWLEDGER_BENCH_DIR"
	benchRecords = "CLAWLEDGER_BENCH_RECORDS"
	fewRecords   = 140_000
)

// history answers a ledger that holds what fill appends, and its size.
func history(b *testing.B, name string, fill func(testing.TB, *ledgertest.Fixture, int)) (*ledgertest.Fixture, int) {
	b.Helper()
	records := fewRecords
	if s := os.Getenv(benchRecords); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatalf("%s: %v", benchRecords, err)
		}
		records = n
	}
	dir, kept := b.TempDir(), os.Getenv(benchDir)
	if kept != "" {
		dir = filepath.Join(kept, fmt.Sprintf("%s-%d", name, records))
	}
	ready := filepath.Join(dir, "ready")
	_, err := os.Stat(ready)
	isNew := err != nil
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o700); err != nil {
		b.Fatal(err)
	}
	log, err := sqlite.Open(context.Background(), filepath.Join(dir, "log"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close() })
	keys, _, err := ledgercrypto.OpenDir(filepath.Join(dir, "keys"), ledgercrypto.OpenOptions{Create: isNew})
	if err != nil {
		b.Fatal(err)
	}
	f := ledgertest.On(b, log, keys)
	if isNew {
		fill(b, f, records)
		if err := os.WriteFile(ready, nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return f, records
}

// creates appends executions of one record each: the worst there is for lists.
func creates(tb testing.TB, f *ledgertest.Fixture, records int) {
	spread(records, func(i int) {
		stream, parts := runOf("acme", i)
		if _, err := f.Append(context.Background(), stream, ledger.NoTail(), parts[0]); err != nil {
			tb.Error(err)
		}
	})
}

// mixed appends what a few workspaces leave behind: agents, executions with
// prompts and completions, one in four approved by a person, and the
// reservations and settlements of their prompts.
func mixed(tb testing.TB, f *ledgertest.Fixture, records int) {
	const each = 10 // records of an execution, about
	var books [4]*spending
	var writing sync.WaitGroup
	for i := range books {
		ws := domain.WorkspaceID(fmt.Sprintf("ws%d", i))
		books[i] = &spending{tb: tb, drafts: make(chan ledger.Draft, 256)}
		writing.Go(func() { books[i].write(f, ledger.BudgetStream(ws)) })
		found(tb, f, ws)
	}
	spread(records/each, func(i int) {
		ws := domain.WorkspaceID(fmt.Sprintf("ws%d", i%len(books)))
		stream, parts := runOf(ws, i)
		tail := ledger.NoTail()
		for n, part := range parts {
			receipt, err := f.Append(context.Background(), stream, tail, part)
			if err != nil {
				tb.Error(err)
				return
			}
			tail = receipt.Tail
			if n == 0 && i%4 == 0 {
				approved(tb, f, ws, i)
			}
			if n == 0 {
				books[i%len(books)].put(i, budget.Reserved{Reservation: domain.ReservationID(fmt.Sprint("rs_", i))})
			}
		}
		books[i%len(books)].put(i, budget.Settled{Reservation: domain.ReservationID(fmt.Sprint("rs_", i)), Reported: 10})
	})
	for _, b := range books {
		close(b.drafts)
	}
	writing.Wait()
}

// spread calls f with the numbers below n from many writers at once.
func spread(n int, f func(i int)) {
	const writers = 64
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i := w; i < n; i += writers {
				f(i)
			}
		})
	}
	work.Wait()
}

func draftOf(tb testing.TB, id string, e domain.Event) ledger.Draft {
	data, err := json.Marshal(e)
	if err != nil {
		tb.Error(err)
	}
	d := ledgertest.Draft(id, e.EventType(), "")
	d.Payload = ledger.WrapFact("mmmmmmmmmmmmmmmmmmmmmm", data)
	d.Actor, d.Credential, d.Cause = domain.Operator(), "tk_aaaaaaaaaaaaaaaaaaaaaaaaaa", "0123456789abcdef0123456789abcdef"
	return d
}

// found makes a workspace with twenty agents.
func found(tb testing.TB, f *ledgertest.Fixture, ws domain.WorkspaceID) {
	list := []ledger.Draft{draftOf(tb, string(ws), workspace.Created{Workspace: ws, Name: "A", Currency: "EUR"})}
	for i := range 20 {
		id := domain.AgentID(fmt.Sprintf("ag_%02d", i))
		list = append(list, draftOf(tb, string(ws)+string(id), workspace.AgentRegistered{Agent: id, Name: "Agent", Workflows: []domain.Workflow{"*"}}))
	}
	if _, err := f.Append(context.Background(), ledger.WorkspaceStream(ws), ledger.NoTail(), list); err != nil {
		tb.Error(err)
	}
}

// approved appends an approval that a person granted.
func approved(tb testing.TB, f *ledgertest.Fixture, ws domain.WorkspaceID, i int) {
	id := domain.ApprovalID(fmt.Sprintf("ap_%026d", i))
	request := approval.Requested{Approval: id, Execution: domain.ExecutionID(fmt.Sprintf("ex_%026d", i)), Action: "ac_1", Workflow: "invoices",
		Kind: "payment.initiate", Params: []byte(`{"amount":1200}`), Requester: domain.AgentActor("ag_01"), ExpiresAt: time.Now().Add(time.Hour)}
	tail := ledger.NoTail()
	for n, part := range [][]domain.Event{{request}, {approval.VoteCast{}, approval.Approved{}}} {
		var list []ledger.Draft
		for k, e := range part {
			list = append(list, draftOf(tb, fmt.Sprint(ws, id, n, k), e))
		}
		receipt, err := f.Append(context.Background(), ledger.ApprovalStream(ws, id), tail, list)
		if err != nil {
			tb.Error(err)
			return
		}
		tail = receipt.Tail
	}
}

// spending is a workspace's book, which has one writer.
type spending struct {
	tb     testing.TB
	drafts chan ledger.Draft
}

func (s *spending) put(i int, e domain.Event) {
	s.drafts <- draftOf(s.tb, fmt.Sprint("book", i, e.EventType()), e)
}

func (s *spending) write(f *ledgertest.Fixture, stream string) {
	tail := ledger.NoTail()
	for d := range s.drafts {
		list := []ledger.Draft{d}
		for len(list) < 64 && len(s.drafts) > 0 {
			list = append(list, <-s.drafts)
		}
		for i := range list {
			list[i].Time = time.Now()
		}
		receipt, err := f.Append(context.Background(), stream, tail, list)
		if err != nil {
			s.tb.Error(err)
			continue
		}
		tail = receipt.Tail
	}
}
