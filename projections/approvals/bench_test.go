package approvals_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/approvals"
)

// Histories for benchmarks are made once and kept where CLAWLEDGER_BENCH_DIR
// says, as those of the directory are; without it they are small and made for
// the occasion. CLAWLEDGER_BENCH_RECORDS is their size.
const (
	benchDir     = "CLAWLEDGER_BENCH_DIR"
	benchRecords = "CLAWLEDGER_BENCH_RECORDS"
	fewRecords   = 100_000
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
	dir := b.TempDir()
	if kept := os.Getenv(benchDir); kept != "" {
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

// asked appends an approval with two votes: four records in two appends, or
// only its request and the first vote.
func asked(tb testing.TB, f *ledgertest.Fixture, i int, waits bool) {
	ws, id := domain.WorkspaceID(fmt.Sprintf("ws%d", i%4)), domain.ApprovalID(fmt.Sprintf("ap_%026d", i))
	now := time.Now()
	parts := [][]approval.Event{{
		approval.Requested{Approval: id, Execution: domain.ExecutionID(fmt.Sprintf("ex_%026d", i)), Action: "ac_1", Workflow: "invoices",
			Kind: "payment.initiate", Params: json.RawMessage(`{"amount":1200,"iban":"DE02120300000000202051"}`),
			Digest: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Policy: "p1", Version: 1, Rule: "r1", Reason: "large amounts",
			Requirement: gate.Approval{Roles: []domain.RoleName{"operations_supervisor"}, Count: 2, Risk: "high",
				Escalate: &gate.Escalation{After: "1h", Roles: []domain.RoleName{"owner"}}},
			Requester: domain.AgentActor(domain.AgentID(fmt.Sprintf("ag_%02d", i%20))), Excluded: []domain.Actor{carol}, At: now, ExpiresAt: now.Add(24 * time.Hour)},
		approval.VoteCast{By: alice, Roles: []domain.RoleName{"operations_supervisor"}, Choice: approval.Approve, Reason: "checked", At: now},
	}, {
		approval.VoteCast{By: bob, Roles: []domain.RoleName{"operations_supervisor"}, Choice: approval.Approve, Reason: "checked", At: now},
		approval.Approved{At: now},
	}}
	if waits {
		parts = parts[:1]
	}
	tail := ledger.NoTail()
	for n, part := range parts {
		var list []ledger.Draft
		for k, e := range part {
			list = append(list, draftOf(tb, fmt.Sprint(id, n, k), e))
		}
		receipt, err := f.Append(context.Background(), ledger.ApprovalStream(ws, id), tail, list)
		if err != nil {
			tb.Error(err)
			return
		}
		tail = receipt.Tail
	}
}

// mixed appends executions of six records, one in four with an approval of
// four: what an office leaves behind.
func mixed(tb testing.TB, f *ledgertest.Fixture, records int) {
	text := strings.Repeat("the quick brown fox ", 30)
	spread(records/7, func(i int) {
		if i%4 == 0 {
			asked(tb, f, i, false)
		}
		stream := ledger.ExecutionStream(domain.WorkspaceID(fmt.Sprintf("ws%d", i%4)), domain.ExecutionID(fmt.Sprintf("ex_%026d", i)))
		var list []ledger.Draft
		for n, kind := range []string{"execution.requested.v1", "execution.action_started.v1", "execution.prompt_recorded.v1", "content.prompt.v1",
			"execution.completion_recorded.v1", "content.completion.v1"} {
			payload := text
			if !strings.HasPrefix(kind, "content.") {
				payload = string(ledger.WrapFact("", []byte(`{"text":"`+text[:300]+`"}`)))
			}
			list = append(list, ledgertest.Draft(fmt.Sprint(stream, n), kind, payload))
		}
		if _, err := f.Append(context.Background(), stream, ledger.NoTail(), list); err != nil {
			tb.Error(err)
		}
	})
}

// only appends approvals and nothing else, half of which wait: the worst there
// is for this model.
func only(tb testing.TB, f *ledgertest.Fixture, records int) {
	spread(records/3, func(i int) { asked(tb, f, i, i%2 == 0) })
}

// BenchmarkRebuild makes the model from a log, checks included.
func BenchmarkRebuild(b *testing.B) {
	for _, h := range []struct {
		name string
		fill func(testing.TB, *ledgertest.Fixture, int)
	}{{"office", mixed}, {"approvals", only}} {
		b.Run(h.name, func(b *testing.B) {
			f, records := history(b, h.name, h.fill)
			b.Run("rebuild", func(b *testing.B) {
				for b.Loop() {
					m, err := projections.New(f.Ledger, b.TempDir(), projections.Options{}, approvals.New())
					if err != nil {
						b.Fatal(err)
					}
					start := time.Now()
					if err := m.Rebuild(context.Background(), nil, nil); err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(records)/time.Since(start).Seconds(), "records/s")
				}
			})
		})
	}
}

// BenchmarkQueries answers pages of 100 where 10,000 approvals wait in each of
// four workspaces.
func BenchmarkQueries(b *testing.B) {
	f := ledgertest.New(b)
	spread(40_000, func(i int) { asked(b, f, i, true) })
	m, ctx := built(b, f.Ledger, b.TempDir()), context.Background()
	now := approvals.Filter{Status: approval.StatusPending, At: time.Now()}
	voter := func(who domain.Actor) approvals.Voter {
		return approvals.Voter{Actor: who, Roles: []domain.RoleName{"operations_supervisor", "member"}}
	}
	for name, ask := range map[string]func() (approvals.Page, error){
		"pending": func() (approvals.Page, error) { return m.List(ctx, "ws1", now, "", 100) },
		"of a requester": func() (approvals.Page, error) {
			return m.List(ctx, "ws1", approvals.Filter{Requester: domain.AgentActor("ag_01")}, "", 100)
		},
		"mine":                  func() (approvals.Page, error) { return m.Mine(ctx, "ws1", voter(bob), now, "", 100) },
		"mine, voted on by all": func() (approvals.Page, error) { return m.Mine(ctx, "ws1", voter(alice), now, "", 100) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
