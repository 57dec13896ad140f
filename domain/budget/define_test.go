package budget_test

import (
	"fmt"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
)

func TestDefine(t *testing.T) {
	version := func(n int) func(*budget.Define) { return func(c *budget.Define) { c.IfVersion = &n } }
	second := defined(calls(20))
	second.Version = 2
	observed := with(calls(0), func(s *budget.Spec) { s.Limits, s.Mode = budget.Limits{}, budget.Observe })
	short := with(calls(5), func(s *budget.Spec) { s.Timezone, s.Mode = "", "" })
	tests := []struct {
		name  string
		given []budget.Event
		when  budget.Command
		then  []budget.Event
	}{
		{"the first version", nil, define(calls(10)), list(defined(calls(10)))},
		{"the first version where none may stand", nil, define(calls(10), version(0)), list(defined(calls(10)))},
		{"the next version", list(defined(calls(10))), define(calls(20)), list(second)},
		{"the next version of the one that stands", list(defined(calls(10))), define(calls(20), version(1)), list(second)},
		{"the same again", list(defined(calls(10))), define(calls(10)), nil},
		{"observing without limits", nil, define(observed), list(defined(observed))},
		{"no zone is UTC, no mode is enforce", nil, define(short), list(defined(calls(5)))},
		{"a limit of nothing", nil, define(calls(0)), list(defined(calls(0)))},
		{"first after it was deleted", list(defined(calls(10)), budget.Deleted{Budget: "b"}), define(calls(10)), list(defined(calls(10)))},
		{"deleted", list(defined(calls(10))), budget.Delete{Budget: "b", By: alice, At: noon}, list(budget.Deleted{Budget: "b", By: alice})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Then(t, tt.then...) })
	}
}

func TestDefineRefused(t *testing.T) {
	bad := func(change func(*budget.Spec)) budget.Command { return define(with(calls(10), change)) }
	scope := func(s budget.Scope) budget.Command { return bad(func(spec *budget.Spec) { spec.Scope = s }) }
	limits := func(l budget.Limits) budget.Command { return bad(func(spec *budget.Spec) { spec.Limits = l }) }
	alerts := func(at ...int) budget.Command { return bad(func(spec *budget.Spec) { spec.AlertAt = at }) }
	one := list(defined(calls(10)))
	tests := []struct {
		name  string
		given []budget.Event
		when  budget.Command
		kind  domain.Kind
		code  string
	}{
		{"another version stands", one, define(calls(20), func(c *budget.Define) { c.IfVersion = ptr(2) }), domain.Stale, "version_mismatch"},
		{"one stands where none may", one, define(calls(10), func(c *budget.Define) { c.IfVersion = ptr(0) }), domain.Stale, "version_mismatch"},
		{"none stands", nil, define(calls(10), func(c *budget.Define) { c.IfVersion = ptr(1) }), domain.Stale, "version_mismatch"},
		{"no id", nil, define(calls(10), func(c *budget.Define) { c.Budget = "" }), domain.Invalid, "invalid_budget"},
		{"an id that is no name", nil, define(calls(10), func(c *budget.Define) { c.Budget = "a b" }), domain.Invalid, "invalid_budget"},
		{"no scope", nil, scope(budget.Scope{}), domain.Invalid, "invalid_scope"},
		{"the workspace and an agent", nil, scope(budget.Scope{Workspace: true, Agent: "ag_1"}), domain.Invalid, "invalid_scope"},
		{"every workflow", nil, scope(budget.Scope{Workflow: "*"}), domain.Invalid, "invalid_scope"},
		{"no window", nil, bad(func(s *budget.Spec) { s.Window = "" }), domain.Invalid, "invalid_window"},
		{"an unknown window", nil, bad(func(s *budget.Spec) { s.Window = "year" }), domain.Invalid, "invalid_window"},
		{"an unknown mode", nil, bad(func(s *budget.Spec) { s.Mode = "warn" }), domain.Invalid, "invalid_mode"},
		{"an unknown zone", nil, bad(func(s *budget.Spec) { s.Timezone = "Mars/Olympus" }), domain.Invalid, "invalid_timezone"},
		{"the machine's zone", nil, bad(func(s *budget.Spec) { s.Timezone = "Local" }), domain.Invalid, "invalid_timezone"},
		{"nothing to enforce", nil, limits(budget.Limits{}), domain.Invalid, "invalid_limits"},
		{"negative calls", nil, limits(budget.Limits{Calls: ptr(int64(-1))}), domain.Invalid, "invalid_limits"},
		{"negative prompt tokens", nil, limits(budget.Limits{PromptTokens: ptr(domain.Tokens(-1))}), domain.Invalid, "invalid_limits"},
		{"negative output tokens", nil, limits(budget.Limits{OutputTokens: ptr(domain.Tokens(-1))}), domain.Invalid, "invalid_limits"},
		{"negative tokens", nil, limits(budget.Limits{TotalTokens: ptr(domain.Tokens(-1))}), domain.Invalid, "invalid_limits"},
		{"a cost beyond bounds", nil, limits(budget.Limits{CostMicros: ptr(domain.Micros(1e15 + 1))}), domain.Invalid, "invalid_limits"},
		{"an alert at nothing", nil, alerts(0), domain.Invalid, "invalid_alerts"},
		{"an alert beyond bounds", nil, alerts(1001), domain.Invalid, "invalid_alerts"},
		{"alerts in disorder", nil, alerts(80, 50), domain.Invalid, "invalid_alerts"},
		{"an alert twice", nil, alerts(50, 50), domain.Invalid, "invalid_alerts"},
		{"too many alerts", nil, alerts(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), domain.Invalid, "invalid_alerts"},
		{"deleting nothing", nil, budget.Delete{Budget: "b", By: alice, At: noon}, domain.NotFound, "budget_unknown"},
		{"deleting twice", list(defined(calls(10)), budget.Deleted{Budget: "b"}), budget.Delete{Budget: "b", By: alice, At: noon}, domain.NotFound, "budget_unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(tt.given...).When(tt.when).Refused(t, tt.kind, tt.code) })
	}
}

func TestAThousandBudgets(t *testing.T) {
	var s budget.State
	for i := range 1000 {
		s = s.Evolve(budget.Defined{Budget: domain.BudgetID(fmt.Sprint("b", i)), Version: 1, Spec: calls(1)})
	}
	if _, err := s.Decide(define(calls(1))); err == nil || err.(*domain.Error).Code != "too_many_budgets" {
		t.Errorf("one more budget: %v, want too_many_budgets", err)
	}
	if _, err := s.Decide(define(calls(2), func(c *budget.Define) { c.Budget = "b7" })); err != nil {
		t.Errorf("changing one of many budgets: %v", err)
	}
}

func TestPrices(t *testing.T) {
	table := map[domain.Model]budget.Price{"m": {PromptPerMillion: 5}}
	set := budget.PricesSet{Version: 1, Prices: table, By: alice, At: noon}
	ask := func(prices map[domain.Model]budget.Price, version *int) budget.SetPrices {
		return budget.SetPrices{Prices: prices, IfVersion: version, By: alice, At: noon}
	}
	other := map[domain.Model]budget.Price{"m": {PromptPerMillion: 6}}
	given().When(ask(table, nil)).Then(t, set)
	given().When(ask(table, ptr(0))).Then(t, set)
	given(set).When(ask(table, ptr(1))).Then(t)
	given(set).When(ask(other, ptr(1))).Then(t, budget.PricesSet{Version: 2, Prices: other, By: alice, At: noon})
	given(set).When(ask(nil, nil)).Then(t, budget.PricesSet{Version: 2, By: alice, At: noon})
	given(set).When(ask(other, ptr(2))).Refused(t, domain.Stale, "version_mismatch")
	for name, prices := range map[string]map[domain.Model]budget.Price{
		"no model":         {"": {}},
		"a pattern":        {"gpt *": {}},
		"a negative price": {"m": {OutputPerMillion: -1}},
		"beyond bounds":    {"m": {PerCall: 1e15 + 1}},
	} {
		t.Run(name, func(t *testing.T) { given().When(ask(prices, nil)).Refused(t, domain.Invalid, "invalid_prices") })
	}
	many := map[domain.Model]budget.Price{}
	for i := range 2001 {
		many[domain.Model(fmt.Sprint("m", i))] = budget.Price{}
	}
	given().When(ask(many, nil)).Refused(t, domain.Invalid, "invalid_prices")
}

// TestRedefined checks what is counted on and what begins from nothing.
func TestRedefined(t *testing.T) {
	tests := []struct {
		name string
		spec budget.Spec
		kept bool
	}{
		{"another limit", calls(20), true},
		{"observed only", with(calls(10), func(s *budget.Spec) { s.Mode = budget.Observe }), true},
		{"other alerts", with(calls(10), func(s *budget.Spec) { s.AlertAt = []int{50} }), true},
		{"another window", with(calls(10), func(s *budget.Spec) { s.Window = budget.Week }), false},
		{"another zone", with(calls(10), func(s *budget.Spec) { s.Timezone = "Europe/London" }), false},
		{"another scope", with(calls(10), func(s *budget.Spec) { s.Scope = budget.Scope{Agent: "ag_1"} }), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			story := given(defined(calls(10)), reserved("rs_1"), settled("rs_1"), reserved("rs_2"))
			s := story.When(define(tt.spec)).Accepted(t).State()
			want := budget.Line{Used: 1, Reserved: 1}
			if !tt.kept {
				want = budget.Line{}
			}
			if got := line(s, "b", "calls", noon); got.Used != want.Used || got.Reserved != want.Reserved {
				t.Errorf("used %d, reserved %d; want %d, %d", got.Used, got.Reserved, want.Used, want.Reserved)
			}
			s = s.Evolve(settled("rs_2"))
			if want.Used *= 2; line(s, "b", "calls", noon).Used != want.Used || line(s, "b", "calls", noon).Reserved != 0 {
				t.Errorf("after the settlement %+v; want %d used, none reserved", line(s, "b", "calls", noon), want.Used)
			}
		})
	}
}
