package spending

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// place is a window of a run of counting.
type place struct {
	id    domain.BudgetID
	epoch int64
	start time.Time
}

// tally is what a history says of one window, summed up plainly: each
// reservation looked at from its beginning to its end.
type tally struct {
	window Window
	by     map[[2]string]budget.Amounts
	steps  map[time.Time]budget.Amounts
	alerts []Alert
}

// tallies sums up a history without any of the model's code.
func tallies(events []budget.Event) map[place]*tally {
	all := map[place]*tally{}
	at := func(e budget.Entry) *tally {
		p := place{e.Budget, e.Epoch, e.Start}
		if all[p] == nil {
			all[p] = &tally{window: Window{Start: e.Start, End: e.End}, by: map[[2]string]budget.Amounts{}, steps: map[time.Time]budget.Amounts{}}
		}
		return all[p]
	}
	open := map[domain.ReservationID]budget.Reserved{}
	latest := map[domain.BudgetID]budget.Entry{}
	for _, event := range events {
		switch e := event.(type) {
		case budget.Reserved:
			open[e.Reservation] = e
			for _, in := range e.Entries {
				at(in)
				latest[in.Budget] = in
			}
		case budget.Settled:
			delete(open, e.Reservation)
			for _, in := range e.Entries {
				one := at(in)
				add(&one.window.Settled, e.Used)
				one.window.Settlements++
				if e.Overrun {
					one.window.Overruns++
				}
				if e.Late {
					one.window.Late++
				}
				key := [2]string{string(e.Call.Agent) + "/" + string(e.Call.Member), string(e.Call.Model)}
				sum := one.by[key]
				add(&sum, e.Used)
				one.by[key] = sum
				part := one.steps[stepStart(in, e.At)]
				add(&part, e.Used)
				one.steps[stepStart(in, e.At)] = part
			}
		case budget.Released:
			delete(open, e.Reservation)
		case budget.Expired:
			delete(open, e.Reservation)
		case budget.Alerted:
			one := at(budget.Entry{Budget: e.Budget, Epoch: latest[e.Budget].Epoch, Start: e.Start})
			one.alerts = append(one.alerts, Alert{Limit: e.Limit, Threshold: e.Threshold, Used: e.Used, Max: e.Max, At: e.At})
		}
	}
	for _, e := range open {
		for _, in := range e.Entries {
			add(&at(in).window.Open, e.Amounts)
		}
	}
	return all
}

// stepStart walks to the step of an instant, by its first and its last.
func stepStart(in budget.Entry, at time.Time) time.Time {
	length := StepOf(in.Start, in.End)
	start := in.Start
	if in.End.IsZero() {
		return at.UTC().Truncate(24 * time.Hour)
	}
	for next := start.Add(length); next.Before(in.End) && !at.Before(next); next = next.Add(length) {
		start = next
	}
	return start.UTC()
}

func add(to *budget.Amounts, a budget.Amounts) {
	to.Calls += a.Calls
	to.PromptTokens += a.PromptTokens
	to.OutputTokens += a.OutputTokens
	to.CostMicros += a.CostMicros
}

// history draws a spending book's life, decided by the book itself: budgets
// that come, change and go, calls that end in every way, windows that pass.
func history(rt *rapid.T) (events []budget.Event, s budget.State, now time.Time) {
	now = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	var made []domain.ReservationID
	do := func(c budget.Command) {
		decided, err := s.Decide(c)
		var refusal *domain.Error
		if err != nil && !errors.As(err, &refusal) {
			rt.Fatal(err)
		}
		events, s = append(events, decided...), domain.Fold[budget.State, budget.Command, budget.Event](s, decided...)
	}
	do(budget.SetPrices{Prices: map[domain.Model]budget.Price{"m0": {PerCall: 7}, "m1": {PromptPerMillion: 1e6}}, At: now})
	amounts := func() budget.Amounts {
		return budget.Amounts{Calls: rapid.Int64Range(1, 3).Draw(rt, "calls"), PromptTokens: domain.Tokens(rapid.Int64Range(0, 50).Draw(rt, "prompt")),
			OutputTokens: domain.Tokens(rapid.Int64Range(0, 50).Draw(rt, "output")), CostMicros: domain.Micros(rapid.Int64Range(0, 50).Draw(rt, "cost"))}
	}
	one := func() domain.ReservationID { return rapid.SampledFrom(append(made, "rs_none")).Draw(rt, "reservation") }
	for range rapid.IntRange(20, 120).Draw(rt, "steps") {
		now = now.Add(time.Duration(rapid.Int64Range(0, int64(40*time.Minute)).Draw(rt, "pause")))
		switch step := rapid.IntRange(0, 11).Draw(rt, "step"); {
		case step == 0:
			do(budget.Delete{Budget: budgetName(rt), At: now})
		case step <= 2:
			do(budget.Define{Budget: budgetName(rt), Spec: spec(rt), At: now})
		case step <= 6:
			id := domain.ReservationID(fmt.Sprint("rs_", len(made)))
			made = append(made, id)
			do(budget.Reserve{Reservation: id, Amounts: amounts(), TTL: time.Duration(rapid.IntRange(1, 120).Draw(rt, "minutes")) * time.Minute, At: now, Call: caller(rt)})
		case step <= 9:
			do(budget.Settle{Reservation: one(), Used: amounts(), At: now})
		case step == 10:
			do(budget.Release{Reservation: one(), At: now})
		default:
			do(budget.Expire{At: now})
		}
	}
	return events, s, now
}

func budgetName(rt *rapid.T) domain.BudgetID {
	return rapid.SampledFrom([]domain.BudgetID{"a", "b", "c"}).Draw(rt, "budget")
}

func caller(rt *rapid.T) budget.Call {
	c := budget.Call{Model: rapid.SampledFrom([]domain.Model{"m0", "m1", "m2"}).Draw(rt, "model")}
	switch rapid.IntRange(0, 3).Draw(rt, "caller") {
	case 0, 1:
		c.Agent = rapid.SampledFrom([]domain.AgentID{"ag_1", "ag_2"}).Draw(rt, "agent")
	case 2:
		c.Member = "mb_1"
	}
	return c
}

func spec(rt *rapid.T) budget.Spec {
	limit := rapid.Int64Range(1, 60).Draw(rt, "limit")
	return budget.Spec{Window: rapid.SampledFrom([]budget.Window{budget.Hour, budget.Day, budget.Total}).Draw(rt, "window"), Limits: budget.Limits{Calls: &limit},
		Scope:    rapid.SampledFrom([]budget.Scope{{Workspace: true}, {Agent: "ag_1"}, {Model: "m1"}}).Draw(rt, "scope"),
		Timezone: rapid.SampledFrom([]string{"UTC", "Asia/Kolkata"}).Draw(rt, "zone"), AlertAt: []int{10, 50, 100}}
}

// TestAgreesWithTheBook holds the model against two others: the spending book's
// own fold, for the windows that it still knows, and a plain sum of the history,
// for all of them. Batches are cut at random, and some fail to be committed.
func TestAgreesWithTheBook(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events, s, now := history(rt)
		conn := applied(rt, events)
		defer conn.Close()
		for id, one := range s.Budgets.All() {
			want, _ := s.Usage(id, now)
			got := read(rt, conn, Run{"acme", id, one.Epoch}, want.Start)
			for i, have := range [...][2]int64{{got.Settled.Calls, got.Open.Calls}, {int64(got.Settled.PromptTokens), int64(got.Open.PromptTokens)},
				{int64(got.Settled.OutputTokens), int64(got.Open.OutputTokens)}} {
				if line := want.Lines[i]; have != [2]int64{line.Used, line.Reserved} {
					rt.Fatalf("budget %s: %s used and reserved are %v, the book says %d and %d", id, line.Limit, have, line.Used, line.Reserved)
				}
			}
			if cost := want.Lines[4]; int64(got.Settled.CostMicros) != cost.Used || int64(got.Open.CostMicros) != cost.Reserved {
				rt.Fatalf("budget %s: cost %+v, the book says %+v", id, got.Window, cost)
			}
		}
		for p, want := range tallies(events) {
			same(rt, p, want, read(rt, conn, Run{"acme", p.id, p.epoch}, p.start))
		}
	})
}

func read(rt *rapid.T, conn *sqlite.Conn, r Run, start time.Time) Usage {
	u, err := usage(conn, r, start)
	if err != nil {
		rt.Fatal(err)
	}
	return u
}

// applied is the rows of a history.
func applied(rt *rapid.T, events []budget.Event) *sqlite.Conn {
	conn, err := sqlite.OpenConn(":memory:", 0)
	must := func(err error) {
		if err != nil {
			rt.Fatal(err)
		}
	}
	must(err)
	must(sqlitex.ExecuteScript(conn, schema, nil))
	m, ctx := New(), context.Background()
	must(m.Load(ctx, nil, 0))
	for from := 0; from < len(events); {
		to := min(len(events), from+rapid.IntRange(1, 12).Draw(rt, "batch"))
		for i, e := range events[from:to] {
			data, err := json.Marshal(e)
			must(err)
			must(m.Apply(ctx, &ledger.Record{Header: ledger.Header{Workspace: "acme", Type: e.EventType()}, Payload: ledger.WrapFact("", data),
				Position: eventlog.Position(from + i + 1)}))
		}
		must(exec(conn, "BEGIN"))
		must(m.Flush(ctx, conn))
		if rapid.IntRange(0, 4).Draw(rt, "commit") == 0 {
			must(exec(conn, "ROLLBACK"))
			must(m.Load(ctx, nil, 0))
			continue // the same records come again
		}
		must(exec(conn, "COMMIT"))
		from = to
	}
	return conn
}

func same(rt *rapid.T, p place, want *tally, got Usage) {
	if diff := gocmp.Diff(want.window, got.Window); diff != "" {
		rt.Fatalf("window %+v (-sum +model):\n%s", p, diff)
	}
	slices.Reverse(want.alerts)
	if diff := gocmp.Diff(want.alerts, got.Alerts); diff != "" {
		rt.Fatalf("alerts of %+v (-sum +model):\n%s", p, diff)
	}
	by := map[[2]string]budget.Amounts{}
	for _, share := range got.By {
		var agent, member string
		switch share.Actor.Kind {
		case domain.KindAgent:
			agent = share.Actor.ID
		case domain.KindMember:
			member = share.Actor.ID
		}
		by[[2]string{agent + "/" + member, string(share.Model)}] = share.Used
	}
	if diff := gocmp.Diff(want.by, by); diff != "" {
		rt.Fatalf("shares of %+v (-sum +model):\n%s", p, diff)
	}
	steps := map[time.Time]budget.Amounts{}
	for _, s := range got.Steps {
		steps[s.Start] = s.Used
	}
	if diff := gocmp.Diff(want.steps, steps); diff != "" || len(steps) != len(got.Steps) {
		rt.Fatalf("steps of %+v (-sum +model):\n%s", p, diff)
	}
	if !slices.IsSortedFunc(got.Steps, func(a, b Step) int { return a.Start.Compare(b.Start) }) {
		rt.Fatalf("steps of %+v are not in order: %+v", p, got.Steps)
	}
	if !slices.IsSortedFunc(got.By, func(a, b Share) int { return cmp.Compare(b.Used.CostMicros, a.Used.CostMicros) }) {
		rt.Fatalf("shares of %+v are not by cost: %+v", p, got.By)
	}
}
