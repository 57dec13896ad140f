package budget_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
)

// book is a random run: the State beside the model, and a clock that goes
// forward and back.
type book struct {
	rt    *rapid.T
	state budget.State
	model *model
	at    time.Time
	made  int
}

func newBook(rt *rapid.T) *book {
	return &book{rt: rt, model: newModel(), at: time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC)}
}

// do decides and folds; every grant is held against the model.
func (b *book) do(c budget.Command) error {
	before := b.written(b.state)
	events, refusal := b.state.Decide(c)
	next := b.state
	for _, e := range events {
		next = next.Evolve(e)
		b.model.apply(e)
		if grant, ok := e.(budget.Reserved); ok {
			if err := b.model.checkGrant(grant); err != nil {
				b.rt.Fatalf("%+v: %v", c, err)
			}
		}
	}
	if diff := cmp.Diff(before, b.written(b.state)); diff != "" {
		b.rt.Fatalf("%+v changed the older State (-before +after):\n%s", c, diff)
	}
	b.state = next
	if err := b.model.agrees(b.state, b.at); err != nil {
		b.rt.Fatalf("after %+v: %v", c, err)
	}
	return refusal
}

// written is a State as a snapshot holds it.
func (b *book) written(s budget.State) string {
	data, err := json.Marshal(s)
	if err != nil {
		b.rt.Fatal(err)
	}
	return string(data)
}

// reload goes on from a snapshot.
func (b *book) reload() {
	var back budget.State
	if err := json.Unmarshal([]byte(b.written(b.state)), &back); err != nil {
		b.rt.Fatal(err)
	}
	if diff := cmp.Diff(b.state, back); diff != "" {
		b.rt.Fatalf("the State changed on its way through JSON (-before +after):\n%s", diff)
	}
	b.state = back
}

func (b *book) spec() budget.Spec {
	rt := b.rt
	spec := budget.Spec{
		Scope:    rapid.SampledFrom([]budget.Scope{{Workspace: true}, {Agent: "ag_1"}, {Model: "m", Agent: "ag_1"}, {Role: "r"}, {Workflow: "w2"}}).Draw(rt, "scope"),
		Window:   rapid.SampledFrom([]budget.Window{budget.Hour, budget.Day, budget.Week, budget.Month, budget.Total}).Draw(rt, "window"),
		Timezone: rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Africa/Cairo"}).Draw(rt, "zone"),
		Mode:     rapid.SampledFrom([]budget.Mode{budget.Enforce, budget.Enforce, budget.Observe}).Draw(rt, "mode"),
		AlertAt:  rapid.SampledFrom([][]int{nil, {50, 100}}).Draw(rt, "alerts"),
	}
	limit := func(name string) *int64 {
		if rapid.Bool().Draw(rt, name) {
			return nil
		}
		return ptr(rapid.Int64Range(0, 30).Draw(rt, name+" limit"))
	}
	spec.Limits.Calls = limit("calls")
	if n := limit("tokens"); n != nil {
		spec.Limits.TotalTokens = ptr(domain.Tokens(*n))
	}
	if n := limit("cost"); n != nil {
		spec.Limits.CostMicros = ptr(domain.Micros(*n))
	}
	return spec
}

func (b *book) amounts(name string) budget.Amounts {
	n := func(part string, most int64) int64 { return rapid.Int64Range(0, most).Draw(b.rt, name+" "+part) }
	return budget.Amounts{Calls: n("calls", 4), PromptTokens: domain.Tokens(n("prompt", 6)),
		OutputTokens: domain.Tokens(n("output", 6)), CostMicros: domain.Micros(n("cost", 9))}
}

func (b *book) call() budget.Call {
	return budget.Call{Agent: rapid.SampledFrom([]domain.AgentID{"ag_1", "ag_2"}).Draw(b.rt, "agent"),
		Workflow: rapid.SampledFrom([]domain.Workflow{"w1", "w2"}).Draw(b.rt, "workflow"),
		Model:    rapid.SampledFrom([]domain.Model{"m", "m", "unpriced"}).Draw(b.rt, "model"),
		Roles:    rapid.SampledFrom([][]domain.RoleName{nil, {"r"}}).Draw(b.rt, "roles")}
}

func (b *book) some() domain.ReservationID {
	return domain.ReservationID(fmt.Sprintf("rs_%d", rapid.IntRange(0, b.made).Draw(b.rt, "which")))
}

// step draws one command, or a move of the clock.
func (b *book) step() {
	rt := b.rt
	id := domain.BudgetID(fmt.Sprint("b", rapid.IntRange(0, 3).Draw(rt, "budget")))
	switch rapid.IntRange(0, 13).Draw(rt, "step") {
	case 0:
		_ = b.do(budget.Define{Budget: id, Spec: b.spec(), At: b.at})
	case 1:
		_ = b.do(budget.Delete{Budget: id, At: b.at})
	case 2:
		price := budget.Price{PromptPerMillion: domain.Micros(rapid.Int64Range(0, 2_000_000).Draw(rt, "price"))}
		_ = b.do(budget.SetPrices{Prices: map[domain.Model]budget.Price{"m": price}, At: b.at})
	case 3, 4, 5, 6, 7:
		b.reserve()
	case 8, 9:
		_ = b.do(budget.Settle{Reservation: b.some(), Used: b.amounts("used"), At: b.at})
	case 10:
		_ = b.do(budget.Release{Reservation: b.some(), At: b.at})
	case 11:
		_ = b.do(budget.Expire{At: b.at})
	default:
		minutes := rapid.SampledFrom([]int{1, 9, 55, 600, 1440, -1, -90}).Draw(rt, "minutes")
		b.at = b.at.Add(time.Duration(minutes) * time.Minute)
	}
}

// reserve asks for a grant. Where no budget that matches is enforced, it must
// be given.
func (b *book) reserve() {
	c := budget.Reserve{Reservation: b.some(), Call: b.call(), Amounts: b.amounts("asked"), At: b.at}
	c.TTL = rapid.SampledFrom([]time.Duration{0, time.Minute, 24 * time.Hour}).Draw(b.rt, "ttl")
	b.made++
	enforced := false
	for _, spec := range b.model.specs {
		enforced = enforced || spec.Mode == budget.Enforce && spec.Scope.Covers(c.Call)
	}
	if err := b.do(c); err != nil && !enforced {
		b.rt.Fatalf("refused where nothing is enforced: %v", err)
	}
}

// TestBook runs random commands. At no grant is a limit exceeded, what is held
// agrees with what the events add up to, and once all reservations are over
// nothing is held.
func TestBook(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBook(rt)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			b.step()
		}
		b.reload()
		b.closeAll()
	})
}

// closeAll ends every reservation in one way or another.
func (b *book) closeAll() {
	for i := range b.made + 1 {
		id := domain.ReservationID(fmt.Sprintf("rs_%d", i))
		var err error
		switch rapid.IntRange(0, 2).Draw(b.rt, "end") {
		case 0:
			err = b.do(budget.Settle{Reservation: id, Used: b.amounts("used"), At: b.at})
		case 1:
			err = b.do(budget.Release{Reservation: id, At: b.at})
		}
		var refusal *domain.Error
		if err != nil && (!errors.As(err, &refusal) || refusal.Kind == domain.Invalid) {
			b.rt.Fatal(err)
		}
	}
	b.at = b.at.Add(48 * time.Hour)
	_ = b.do(budget.Expire{At: b.at})
	if n := b.state.Due.Len(); n != 0 {
		b.rt.Fatalf("%d reservations never end", n)
	}
	for _, block := range b.state.Counts {
		for slot, count := range block {
			if count.Open != (budget.Amounts{}) {
				b.rt.Fatalf("slot %d holds %+v, and nothing is reserved", slot, count.Open)
			}
		}
	}
}

// TestOrderOfSettlement settles the same reservations in two orders.
func TestOrderOfSettlement(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBook(rt)
		for range rapid.IntRange(1, 3).Draw(rt, "budgets") {
			spec := b.spec()
			spec.Mode, spec.AlertAt = budget.Observe, nil
			_ = b.do(budget.Define{Budget: domain.BudgetID(fmt.Sprint("b", rapid.IntRange(0, 3).Draw(rt, "id"))), Spec: spec, At: b.at})
		}
		for range rapid.IntRange(2, 12).Draw(rt, "reservations") {
			b.reserve()
		}
		var settlements []budget.Settle
		for id := range b.state.Reservations.All() {
			settlements = append(settlements, budget.Settle{Reservation: id, Used: b.amounts("used"), At: b.at})
		}
		one, other := b.state, b.state
		for _, c := range settlements {
			one = must(t, one, c)
		}
		for _, c := range rapid.Permutation(settlements).Draw(rt, "order") {
			other = must(t, other, c)
		}
		if diff := cmp.Diff(one.Counts, other.Counts); diff != "" {
			rt.Fatalf("the order of settlements shows (-one +other):\n%s", diff)
		}
	})
}

// FuzzDecode folds whatever can be decoded.
func FuzzDecode(f *testing.F) {
	f.Add("budget.defined.v1", []byte(`{"budget":"b","spec":{"window":"day"}}`))
	f.Add("budget.reserved.v1", []byte(`{"reservation":"rs_9","entries":[{"budget":"b","epoch":1}],"expires_at":"0000-01-01T00:00:00Z"}`))
	f.Add("budget.alerted.v1", []byte(`{"budget":"b","limit":"calls","threshold":-70000,"start":"2026-03-04T00:00:00Z"}`))
	f.Add("budget.settled.v1", []byte(`{"reservation":"rs_1","used":{"calls":-5}}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		event, err := budget.Decode(name, data)
		if err != nil {
			return
		}
		s := given(defined(calls(10)), reserved("rs_1"), reserved("rs_2")).State().Evolve(event).Evolve(event)
		if _, err := json.Marshal(s); err != nil {
			t.Fatalf("a state after %s can't be written: %v", name, err)
		}
		for _, c := range []budget.Command{reserve("rs_3"), settle("rs_1"), budget.Expire{At: due}} {
			_, _ = s.Decide(c)
		}
	})
}
