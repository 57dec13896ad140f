package budget_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
)

// BenchmarkReserveSettle is one reservation and its settlement, decided and
// folded, in a book with 10 matching budgets and 10,000 open reservations.
func BenchmarkReserveSettle(b *testing.B) {
	s, at := busyBook(b, 10, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := domain.ReservationID(fmt.Sprintf("rs_%026d", i*7919%1_000_003+1_000_000))
		s = must(b, s, budget.Reserve{Reservation: id, Call: call(), Amounts: amounts(), At: at})
		s = must(b, s, budget.Settle{Reservation: id, Used: amounts(), At: at})
	}
}

// BenchmarkReserveAmongThousand has 1,000 budgets of which 2 match.
func BenchmarkReserveAmongThousand(b *testing.B) {
	s, at := busyBook(b, 1, 10_000)
	for i := range 999 {
		spec := plenty()
		spec.Scope = budget.Scope{Agent: domain.AgentID(fmt.Sprintf("ag_%d", i))}
		s = must(b, s, budget.Define{Budget: domain.BudgetID(fmt.Sprintf("agent-%d", i)), Spec: spec, At: at})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := domain.ReservationID(fmt.Sprintf("rs_%026d", i*7919%1_000_003+1_000_000))
		s = must(b, s, budget.Reserve{Reservation: id, Call: call(), Amounts: amounts(), At: at})
		s = must(b, s, budget.Settle{Reservation: id, Used: amounts(), At: at})
	}
}

func busyBook(tb testing.TB, budgets, open int) (budget.State, time.Time) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var s budget.State
	for i := range budgets {
		s = must(tb, s, budget.Define{Budget: domain.BudgetID(fmt.Sprintf("b%d", i)), Spec: plenty(), At: at})
	}
	s = must(tb, s, budget.SetPrices{Prices: map[domain.Model]budget.Price{"m": {PromptPerMillion: 3_000_000, OutputPerMillion: 15_000_000}}, At: at})
	for i := range open {
		id := domain.ReservationID(fmt.Sprintf("rs_%026d", i*104_729%1_000_003))
		s = must(tb, s, budget.Reserve{Reservation: id, Call: call(), Amounts: amounts(),
			TTL: 10*time.Minute + time.Duration(i)*time.Millisecond, At: at})
	}
	return s, at
}

func plenty() budget.Spec {
	most := domain.Micros(1e15)
	return budget.Spec{Scope: budget.Scope{Workspace: true}, Window: budget.Day, Timezone: "Europe/Berlin",
		Limits: budget.Limits{CostMicros: &most}, Mode: budget.Enforce, AlertAt: []int{50, 80, 100}}
}

func call() budget.Call {
	return budget.Call{Execution: "ex_1", Prompt: "pr_1", Agent: "ag_1", Workflow: "invoices", Model: "m",
		Roles: []domain.RoleName{"agent"}}
}

func amounts() budget.Amounts { return budget.Amounts{Calls: 1, PromptTokens: 500, OutputTokens: 200} }

func must(tb testing.TB, s budget.State, c budget.Command) budget.State {
	tb.Helper()
	events, err := s.Decide(c)
	if err != nil {
		tb.Fatalf("%T: %v", c, err)
	}
	return domain.Fold(s, events...)
}

// BenchmarkWindowAt is the cost of the next window, paid once for each budget
// and window, with the time zone's loading.
func BenchmarkWindowAt(b *testing.B) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for b.Loop() {
		zone, err := budget.Zone("Europe/Berlin")
		if err != nil {
			b.Fatal(err)
		}
		budget.WindowAt(budget.Month, zone, at)
	}
}
