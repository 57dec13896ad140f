package spending_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/projectionstest"
	"github.com/clawoffice/ledger/projections/spending"
)

// BenchmarkRebuild makes the model from books and nothing else, the worst there
// is for it. A mixed history is measured in package projectionstest.
func BenchmarkRebuild(b *testing.B) {
	f, records := projectionstest.History(b, "books", 100_000, books)
	projectionstest.Rebuild(b, f.Ledger, records, nil, func() []projections.Projection { return []projections.Projection{spending.New()} })
}

// books appends the books of four workspaces whose calls count in three
// budgets each.
func books(tb testing.TB, f *ledgertest.Fixture, records int) int {
	tb.Helper()
	const all = 4
	projectionstest.Spread(all, func(i int) {
		write(tb, f, ledger.BudgetStream(domain.WorkspaceID(fmt.Sprintf("ws%d", i))), bookEvents(uint64(i), records/all))
	})
	return records / all * all
}

func write(tb testing.TB, f *ledgertest.Fixture, stream string, events []budget.Event) {
	tail := ledger.NoTail()
	for n := 0; n < len(events); n += 64 {
		var list []ledger.Draft
		for k, e := range events[n:min(len(events), n+64)] {
			list = append(list, projectionstest.Draft(tb, fmt.Sprint(stream, n, k), e))
		}
		receipt, err := f.Append(context.Background(), stream, tail, list)
		if err != nil {
			tb.Error(err)
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
