package budget_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
)

func TestCovers(t *testing.T) {
	c := budget.Call{Agent: "ag_1", Member: "mb_1", Workflow: "w", Model: "m", Roles: []domain.RoleName{"agent", "buyer"}}
	tests := []struct {
		name  string
		scope budget.Scope
		want  bool
	}{
		{"the workspace", budget.Scope{Workspace: true}, true},
		{"its agent", budget.Scope{Agent: "ag_1"}, true},
		{"its member", budget.Scope{Member: "mb_1"}, true},
		{"its workflow", budget.Scope{Workflow: "w"}, true},
		{"its model", budget.Scope{Model: "m"}, true},
		{"one of its roles", budget.Scope{Role: "buyer"}, true},
		{"all of it", budget.Scope{Agent: "ag_1", Member: "mb_1", Workflow: "w", Model: "m", Role: "agent"}, true},
		{"another agent", budget.Scope{Agent: "ag_2"}, false},
		{"another member", budget.Scope{Member: "mb_2"}, false},
		{"another workflow", budget.Scope{Workflow: "W"}, false},
		{"another model", budget.Scope{Model: "m2"}, false},
		{"another role", budget.Scope{Role: "owner"}, false},
		{"its agent with another model", budget.Scope{Agent: "ag_1", Model: "m2"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.scope.Covers(c); got != tt.want {
				t.Errorf("covers: %v, want %v", got, tt.want)
			}
		})
	}
}

// TestMatchesAsAScanWould compares the index with a look at every budget,
// while budgets are defined, changed and deleted.
func TestMatchesAsAScanWould(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s budget.State
		word := rapid.SampledFrom([]string{"", "", "x", "y"})
		for i := range rapid.IntRange(0, 30).Draw(rt, "steps") {
			id := domain.BudgetID(fmt.Sprint("b", rapid.IntRange(0, 5).Draw(rt, "id")))
			if rapid.IntRange(0, 3).Draw(rt, "what") == 0 {
				s = s.Evolve(budget.Deleted{Budget: id})
				continue
			}
			scope := budget.Scope{Agent: domain.AgentID(word.Draw(rt, "agent")), Member: domain.MemberID(word.Draw(rt, "member")),
				Workflow: domain.Workflow(word.Draw(rt, "workflow")), Model: domain.Model(word.Draw(rt, "model")), Role: domain.RoleName(word.Draw(rt, "role"))}
			scope.Workspace = scope == budget.Scope{}
			s = s.Evolve(budget.Defined{Budget: id, Version: i + 1, Spec: budget.Spec{Scope: scope}})
		}
		c := budget.Call{Agent: domain.AgentID(word.Draw(rt, "a")), Member: domain.MemberID(word.Draw(rt, "me")),
			Workflow: domain.Workflow(word.Draw(rt, "w")), Model: domain.Model(word.Draw(rt, "mo")),
			Roles: []domain.RoleName{domain.RoleName(word.Draw(rt, "r1")), domain.RoleName(word.Draw(rt, "r2"))}}
		var want []domain.BudgetID
		slots := map[int]bool{}
		for id, b := range s.Budgets.All() {
			if b.Spec.Scope.Covers(c) {
				want = append(want, id)
			}
			if slots[b.Slot] {
				rt.Fatalf("two budgets count in slot %d", b.Slot)
			}
			slots[b.Slot] = true
		}
		if got := s.Matches(c); !slices.Equal(got, want) {
			rt.Fatalf("matches %v, want %v", got, want)
		}
	})
}

// TestCost compares with arithmetic that can't overflow.
func TestCost(t *testing.T) {
	tests := []struct {
		name string
		p    budget.Price
		a    budget.Amounts
		want domain.Micros
	}{
		{"nothing", budget.Price{}, budget.Amounts{Calls: 1, PromptTokens: 5}, 0},
		{"a part is rounded up", budget.Price{PromptPerMillion: 1}, budget.Amounts{PromptTokens: 1}, 1},
		{"the parts are rounded up together", budget.Price{PromptPerMillion: 1, OutputPerMillion: 1},
			budget.Amounts{PromptTokens: 500_000, OutputTokens: 500_000}, 1},
		{"just more than one", budget.Price{PromptPerMillion: 1}, budget.Amounts{PromptTokens: 1_000_001}, 2},
		{"each call", budget.Price{PerCall: 7}, budget.Amounts{Calls: 3}, 21},
		{"beyond an int64 on the way", budget.Price{PromptPerMillion: 1e12}, budget.Amounts{PromptTokens: 1e8}, 1e14},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			prices := budget.PricesSet{Version: 1, Prices: map[domain.Model]budget.Price{"m": tt.p}}
			story := given(prices, budget.Reserved{Reservation: "rs_1", Call: call(), Amounts: tt.a, ExpiresAt: due})
			events, err := story.State().Decide(settle("rs_1", func(c *budget.Settle) { c.Used = tt.a }))
			if err != nil {
				t.Fatal(err)
			}
			if got := events[0].(budget.Settled).Used.CostMicros; got != tt.want {
				t.Errorf("cost %d, want %d", got, tt.want)
			}
		})
	}
}

// TestEnormous keeps sums exact, or stops, where they would not fit.
func TestEnormous(t *testing.T) {
	observed := defined(with(calls(0), func(s *budget.Spec) { s.Limits, s.Mode = budget.Limits{}, budget.Observe }))
	s := given(observed).State()
	refused := 0
	for i := range 5000 {
		events, err := s.Decide(reserve(domain.ReservationID(fmt.Sprint("rs_", i)), func(c *budget.Reserve) { c.Amounts.Calls = 1e15 }))
		if err != nil {
			if refusal, ok := err.(*domain.Error); !ok || refusal.Code != "too_much_reserved" {
				t.Fatal(err)
			}
			refused++
			continue
		}
		s = domain.Fold[budget.State, budget.Command, budget.Event](s, events...)
	}
	if open := line(s, "b", "calls", noon).Reserved; refused != 1000 || open != 4e18 {
		t.Errorf("%d refused, %d open; want 1000, 4e18", refused, open)
	}
	for i := range 20_000 {
		s = s.Evolve(settled(domain.ReservationID(fmt.Sprint("rs_", i)), func(e *budget.Settled) { e.Used.Calls = 1e15 }))
	}
	if got := line(s, "b", "calls", noon); got.Reserved != 0 || got.Used != math.MaxInt64 {
		t.Errorf("%d open, %d used; want 0, the largest int64", got.Reserved, got.Used)
	}
}

func TestUsage(t *testing.T) {
	s := given(defined(calls(10)), reserved("rs_1"), settled("rs_1"), reserved("rs_2")).State()
	usage, ok := s.Usage("b", noon)
	if !ok || usage.Version != 1 || !usage.Start.Equal(today.Start) || !usage.End.Equal(today.End) {
		t.Fatalf("usage %+v, %v", usage, ok)
	}
	if got := line(s, "b", "total_tokens", noon); got.Used != 700 || got.Reserved != 700 || got.Max != nil || got.Free != nil {
		t.Errorf("tokens %+v; want 700 used, 700 reserved, no limit", got)
	}
	if got := line(s, "b", "calls", noon); got.Used != 1 || got.Reserved != 1 || *got.Max != 10 || *got.Free != 8 {
		t.Errorf("calls %+v; want 1 used, 1 reserved of 10, 8 free", got)
	}
	if got := line(s, "b", "calls", today.End); got.Used != 0 || got.Reserved != 0 || *got.Free != 10 {
		t.Errorf("calls of tomorrow %+v; want nothing of 10", got)
	}
	if _, ok := s.Usage("c", noon); ok {
		t.Error("there is a usage of an unknown budget")
	}
}

func TestDecodeUnknown(t *testing.T) {
	if _, err := budget.Decode("budget.reserved.v9", []byte(`{}`)); !errors.Is(err, budget.ErrUnknownEvent) {
		t.Errorf("error %v, want ErrUnknownEvent", err)
	}
}
