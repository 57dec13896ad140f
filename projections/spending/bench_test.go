package spending_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/spending"
)

// BenchmarkRebuild makes the model from histories, checks included. "book" is
// spending alone: the worst there is for this model. "mixed" has eight records
// of others for two of a book, which the model passes over. Beside each figure
// stands how many signatures the machine made a second on all cores right
// before and after it, since neighbours change its speed.
// CLAWLEDGER_BENCH_RECORDS is the size.
func BenchmarkRebuild(b *testing.B) {
	records := 140_000
	if s := os.Getenv("CLAWLEDGER_BENCH_RECORDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		records = n
	}
	for _, h := range []struct {
		name   string
		others int // records of others for two of a book
	}{{"book", 0}, {"mixed", 8}} {
		b.Run(h.name, func(b *testing.B) {
			f := ledgertest.New(b)
			fill(b, f, records, h.others)
			b.ResetTimer()
			for b.Loop() {
				m, err := projections.New(f.Ledger, b.TempDir(), projections.Options{}, spending.New())
				if err != nil {
					b.Fatal(err)
				}
				before, start := signatures(), time.Now()
				if err := m.Rebuild(context.Background(), nil, nil); err != nil {
					b.Fatal(err)
				}
				took := time.Since(start)
				b.ReportMetric(float64(records)/took.Seconds(), "records/s")
				b.ReportMetric((before+signatures())/2, "signatures/s")
			}
		})
	}
}

// fill appends what four workspaces leave behind whose calls count in three
// budgets each.
func fill(b *testing.B, f *ledgertest.Fixture, records, others int) {
	var work sync.WaitGroup
	const books = 4
	for i := range books {
		work.Go(func() {
			ws := domain.WorkspaceID(fmt.Sprintf("ws%d", i))
			write(b, f, ledger.BudgetStream(ws), bookEvents(uint64(i), records/books*2/(2+others)))
		})
	}
	for i := range books {
		work.Go(func() {
			for n := 0; n < records/books*others/(2+others); n += 64 {
				var list []ledger.Draft
				for k := range min(64, records/books*others/(2+others)-n) {
					d := ledgertest.Draft(fmt.Sprint("o", i, n, k), "execution.completed.v1", "")
					d.Payload = ledger.WrapFact("mmmmmmmmmmmmmmmmmmmmmm", []byte(`{"at":"2026-11-22T13:00:00.000001Z"}`))
					list = append(list, d)
				}
				if _, err := f.Append(context.Background(), fmt.Sprintf("ws%d/execution-%d", i, n), ledger.NoTail(), list); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}

func write(b *testing.B, f *ledgertest.Fixture, stream string, events []budget.Event) {
	tail := ledger.NoTail()
	for n := 0; n < len(events); n += 64 {
		var list []ledger.Draft
		for k, e := range events[n:min(len(events), n+64)] {
			d := draftOf(b, fmt.Sprint(stream, n, k), e)
			d.Actor, d.Credential, d.Cause = domain.AgentActor("ag_01"), "tk_aaaaaaaaaaaaaaaaaaaaaaaaaa", "0123456789abcdef0123456789abcdef"
			list = append(list, d)
		}
		receipt, err := f.Append(context.Background(), stream, tail, list)
		if err != nil {
			b.Error(err)
			return
		}
		tail = receipt.Tail
	}
}

// bookEvents are reservations, each settled some time later; a few are
// released or expire. 20 agents use 4 models under three budgets.
func bookEvents(seed uint64, n int) []budget.Event {
	random := rand.New(rand.NewPCG(seed, 7))
	at := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	var events []budget.Event
	var open []budget.Reserved
	for i := 0; len(events) < n; i++ {
		at = at.Add(2 * time.Second)
		day := at.Truncate(24 * time.Hour)
		e := budget.Reserved{Reservation: domain.ReservationID(fmt.Sprintf("rs_%026d", i)), At: at, ExpiresAt: at.Add(10 * time.Minute),
			Call: budget.Call{Execution: domain.ExecutionID(fmt.Sprintf("ex_%026d", i)), Prompt: domain.PromptID(fmt.Sprintf("pr_%026d", i)),
				Agent: domain.AgentID(fmt.Sprintf("ag_%02d", i%20)), Workflow: "invoices", Model: domain.Model(fmt.Sprint("m", i%4)), Roles: []domain.RoleName{"agent"}},
			Amounts: budget.Amounts{Calls: 1, PromptTokens: 500, OutputTokens: 1000, CostMicros: 4500},
			Entries: []budget.Entry{{Budget: "daily", Epoch: 1, Start: day, End: day.AddDate(0, 0, 1)}, {Budget: "hourly", Epoch: 2, Start: at.Truncate(time.Hour),
				End: at.Truncate(time.Hour).Add(time.Hour)}, {Budget: "ever", Epoch: 3}}}
		events = append(events, e)
		if open = append(open, e); len(open) < 40 {
			continue
		}
		k := random.IntN(len(open))
		was := open[k]
		open = append(open[:k], open[k+1:]...)
		switch i % 20 {
		case 0:
			events = append(events, budget.Released{Reservation: was.Reservation})
		case 1:
			events = append(events, budget.Expired{Reservation: was.Reservation, At: at})
		default:
			events = append(events, budget.Settled{Reservation: was.Reservation, Call: was.Call, Entries: was.Entries, At: at,
				Used: budget.Amounts{Calls: 1, PromptTokens: 480, OutputTokens: 300, CostMicros: 2222}})
		}
	}
	return events[:n]
}

// signatures is how many Ed25519 signatures all cores make a second just now.
func signatures() float64 {
	_, key, _ := ed25519.GenerateKey(nil)
	const each = 5000
	var work sync.WaitGroup
	start := time.Now()
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for range each {
				ed25519.Sign(key, []byte("how fast is this machine now?"))
			}
		})
	}
	work.Wait()
	return each * float64(runtime.GOMAXPROCS(0)) / time.Since(start).Seconds()
}
