package budget_test

import (
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
)

func TestReserve(t *testing.T) {
	prices := budget.PricesSet{Version: 1, Prices: map[domain.Model]budget.Price{
		"m": {PromptPerMillion: 3_000_000, OutputPerMillion: 15_000_000, PerCall: 7}}}
	priced := func(e *budget.Reserved) { e.Amounts.CostMicros = 500*3 + 200*15 + 7 }
	none := func(e *budget.Reserved) { e.Entries = nil }
	total := with(calls(1), func(s *budget.Spec) { s.Window = budget.Total })
	cost := with(calls(1), func(s *budget.Spec) { s.Limits = budget.Limits{CostMicros: ptr(domain.Micros(4507))} })
	tests := []struct {
		name  string
		given []budget.Event
		when  budget.Reserve
		then  []budget.Event
	}{
		{"without budgets", nil, reserve("rs_1"), list(reserved("rs_1", none))},
		{"up to the limit", list(defined(calls(1))), reserve("rs_1"), list(reserved("rs_1"))},
		{"one call where none is given", list(defined(calls(1))), reserve("rs_1", func(c *budget.Reserve) { c.Amounts.Calls = 0 }),
			list(reserved("rs_1"))},
		{"in a window that never ends", list(defined(total)), reserve("rs_1"),
			list(reserved("rs_1", func(e *budget.Reserved) { e.Entries = []budget.Entry{{Budget: "b", Epoch: 1}} }))},
		{"the same again", list(defined(calls(1)), reserved("rs_1")), reserve("rs_1"), nil},
		{"the same after it was settled", list(defined(calls(1)), reserved("rs_1"), settled("rs_1")), reserve("rs_1"), nil},
		{"the same after it was released", list(defined(calls(1)), reserved("rs_1"), budget.Released{Reservation: "rs_1"}), reserve("rs_1"), nil},
		{"what another scope holds does not count", list(defined(with(calls(0), func(s *budget.Spec) { s.Scope = budget.Scope{Agent: "ag_2"} }))),
			reserve("rs_1"), list(reserved("rs_1", none))},
		{"for as long as asked", list(defined(calls(1))), reserve("rs_1", func(c *budget.Reserve) { c.TTL = 24 * time.Hour }),
			list(reserved("rs_1", func(e *budget.Reserved) { e.ExpiresAt = noon.Add(24 * time.Hour) }))},
		{"the table's cost where it is larger", list(prices, defined(cost)), reserve("rs_1"), list(reserved("rs_1", priced))},
		{"the estimate where it is larger", list(prices), reserve("rs_1", func(c *budget.Reserve) { c.Amounts.CostMicros = 5000 }),
			list(reserved("rs_1", none, func(e *budget.Reserved) { e.Amounts.CostMicros = 5000 }))},
		{"after a release", list(defined(calls(1)), reserved("rs_1"), budget.Released{Reservation: "rs_1"}), reserve("rs_2"), list(reserved("rs_2"))},
		{"an earlier time than the book has seen", list(defined(calls(1))), reserve("rs_1", func(c *budget.Reserve) { c.At = noon.Add(-48 * time.Hour) }),
			list(reserved("rs_1"))},
		{"observed beyond the limit", list(defined(with(calls(0), func(s *budget.Spec) { s.Mode = budget.Observe }))), reserve("rs_1"), list(reserved("rs_1"))},
		{"observed without a price", list(defined(with(cost, func(s *budget.Spec) { s.Mode = budget.Observe }))), reserve("rs_1"), list(reserved("rs_1"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Then(t, tt.then...) })
	}
}

func TestReserveRefused(t *testing.T) {
	full := list(defined(calls(2)), reserved("rs_1"), reserved("rs_2"), settled("rs_2"))
	tokens := func(l budget.Limits) []budget.Event {
		return list(defined(with(calls(0), func(s *budget.Spec) { s.Limits = l })))
	}
	tests := []struct {
		name  string
		given []budget.Event
		when  budget.Reserve
		kind  domain.Kind
		code  string
	}{
		{"beyond calls", full, reserve("rs_3"), domain.Exceeded, "budget_exceeded"},
		{"beyond prompt tokens", tokens(budget.Limits{PromptTokens: ptr(domain.Tokens(499))}), reserve("rs_1"), domain.Exceeded, "budget_exceeded"},
		{"beyond output tokens", tokens(budget.Limits{OutputTokens: ptr(domain.Tokens(199))}), reserve("rs_1"), domain.Exceeded, "budget_exceeded"},
		{"beyond tokens of both kinds", tokens(budget.Limits{TotalTokens: ptr(domain.Tokens(699))}), reserve("rs_1"), domain.Exceeded, "budget_exceeded"},
		{"an overrun holds back", list(defined(calls(3)), reserved("rs_1"), settled("rs_1", func(e *budget.Settled) { e.Used.Calls = 9 })),
			reserve("rs_2"), domain.Exceeded, "budget_exceeded"},
		{"no price under a limit of cost", tokens(budget.Limits{CostMicros: ptr(domain.Micros(1e15))}),
			reserve("rs_1", func(c *budget.Reserve) { c.Amounts.CostMicros = 5 }), domain.Exceeded, "price_unknown"},
		{"no id", nil, reserve(""), domain.Invalid, "invalid_reservation"},
		{"a negative amount", nil, reserve("rs_1", func(c *budget.Reserve) { c.Amounts.OutputTokens = -1 }), domain.Invalid, "invalid_amount"},
		{"an amount beyond bounds", nil, reserve("rs_1", func(c *budget.Reserve) { c.Amounts.PromptTokens = 1e15 + 1 }), domain.Invalid, "invalid_amount"},
		{"a cost beyond bounds", list(budget.PricesSet{Version: 1, Prices: map[domain.Model]budget.Price{"m": {PromptPerMillion: 1e15}}}),
			reserve("rs_1", func(c *budget.Reserve) { c.Amounts.PromptTokens = 1e15 }), domain.Invalid, "invalid_amount"},
		{"a negative life", nil, reserve("rs_1", func(c *budget.Reserve) { c.TTL = -1 }), domain.Invalid, "invalid_ttl"},
		{"more than a day of life", nil, reserve("rs_1", func(c *budget.Reserve) { c.TTL = 24*time.Hour + 1 }), domain.Invalid, "invalid_ttl"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Refused(t, tt.kind, tt.code) })
	}
	facts := given(full...).When(reserve("rs_3")).Refused(t, domain.Exceeded, "budget_exceeded").Facts
	want := map[string]any{"budget": "b", "limit": "calls", "max": int64(2), "used": int64(1), "reserved": int64(1), "requested": int64(1)}
	for name, value := range want {
		if facts[name] != value {
			t.Errorf("fact %s is %v, want %v", name, facts[name], value)
		}
	}
}

// TestAllOrNone reserves in several budgets of which the last refuses.
func TestAllOrNone(t *testing.T) {
	story := given(defined(calls(5)), budget.Defined{Budget: "c", Version: 1, Spec: calls(0)})
	refusal := story.When(reserve("rs_1")).Refused(t, domain.Exceeded, "budget_exceeded")
	if refusal.Facts["budget"] != "c" {
		t.Errorf("refused by %v, want c", refusal.Facts["budget"])
	}
	if got := line(story.State(), "b", "calls", noon); got.Reserved != 0 {
		t.Errorf("a refused reservation holds %d in another budget", got.Reserved)
	}
}

func TestSettle(t *testing.T) {
	base := list(defined(calls(10)), reserved("rs_1"))
	lapsed := append(base, budget.Expired{Reservation: "rs_1", At: due})
	late := func(e *budget.Settled) { e.Late, e.At = true, due }
	lateSettle := settle("rs_1", func(c *budget.Settle) { c.At = due })
	prices := budget.PricesSet{Version: 1, Prices: map[domain.Model]budget.Price{"m": {PerCall: 9}}}
	reported := func(c *budget.Settle) { c.Used.CostMicros = 4 }
	tests := []struct {
		name  string
		given []budget.Event
		when  budget.Command
		then  []budget.Event
	}{
		{"as reserved", base, settle("rs_1"), list(settled("rs_1"))},
		{"no calls given are those reserved", base, settle("rs_1", func(c *budget.Settle) { c.Used.Calls = 0 }), list(settled("rs_1"))},
		{"less than reserved", base, settle("rs_1", func(c *budget.Settle) { c.Used.OutputTokens = 1 }),
			list(settled("rs_1", func(e *budget.Settled) { e.Used.OutputTokens = 1 }))},
		{"more than reserved", base, settle("rs_1", func(c *budget.Settle) { c.Used.OutputTokens = 201 }),
			list(settled("rs_1", func(e *budget.Settled) { e.Used.OutputTokens, e.Overrun = 201, true }))},
		{"the cost as reported", base, settle("rs_1", reported),
			list(settled("rs_1", func(e *budget.Settled) { e.Used.CostMicros, e.Reported, e.Overrun = 4, 4, true }))},
		{"the table's cost where it is larger", append(base, prices), settle("rs_1", reported),
			list(settled("rs_1", func(e *budget.Settled) { e.Used.CostMicros, e.Reported, e.Overrun = 9, 4, true }))},
		{"late, and the expiry is written first", base, lateSettle, list(budget.Expired{Reservation: "rs_1", At: due}, settled("rs_1", late))},
		{"late, after the expiry was written", lapsed, lateSettle, list(settled("rs_1", late))},
		{"after the budget was deleted", append(base, budget.Deleted{Budget: "b"}), settle("rs_1"), list(settled("rs_1"))},
		{"again", append(base, settled("rs_1")), settle("rs_1"), nil},
		{"again without calls", append(base, settled("rs_1")), settle("rs_1", func(c *budget.Settle) { c.Used.Calls = 0 }), nil},
		{"again after the prices changed", append(base, settled("rs_1"), prices), settle("rs_1"), nil},
		{"released", base, budget.Release{Reservation: "rs_1", Reason: "down", At: soon}, list(budget.Released{Reservation: "rs_1", Reason: "down"})},
		{"released late", base, budget.Release{Reservation: "rs_1", At: due},
			list(budget.Expired{Reservation: "rs_1", At: due}, budget.Released{Reservation: "rs_1"})},
		{"released again", append(base, budget.Released{Reservation: "rs_1"}), budget.Release{Reservation: "rs_1", At: soon}, nil},
		{"expiry before it is due", base, budget.Expire{At: due.Add(-time.Microsecond)}, nil},
		{"expiry when it is due", base, budget.Expire{At: due}, list(budget.Expired{Reservation: "rs_1", At: due})},
		{"expiry again", lapsed, budget.Expire{At: due}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Then(t, tt.then...) })
	}
}

func TestSettleRefused(t *testing.T) {
	base := list(defined(calls(10)), reserved("rs_1"))
	tests := []struct {
		name  string
		given []budget.Event
		when  budget.Command
		kind  domain.Kind
		code  string
	}{
		{"unknown", base, settle("rs_2"), domain.NotFound, "reservation_unknown"},
		{"a negative amount", base, settle("rs_1", func(c *budget.Settle) { c.Used.CostMicros = -1 }), domain.Invalid, "invalid_amount"},
		{"again with other tokens", append(base, settled("rs_1")), settle("rs_1", func(c *budget.Settle) { c.Used.OutputTokens = 1 }), domain.Conflict, "already_settled"},
		{"again with another cost", append(base, settled("rs_1")), settle("rs_1", func(c *budget.Settle) { c.Used.CostMicros = 1 }), domain.Conflict, "already_settled"},
		{"after the release", append(base, budget.Released{Reservation: "rs_1"}), settle("rs_1"), domain.Conflict, "reservation_released"},
		{"release of nothing", base, budget.Release{Reservation: "rs_2", At: soon}, domain.NotFound, "reservation_unknown"},
		{"release after the settlement", append(base, settled("rs_1")), budget.Release{Reservation: "rs_1", At: soon}, domain.Conflict, "already_settled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Refused(t, tt.kind, tt.code) })
	}
}
