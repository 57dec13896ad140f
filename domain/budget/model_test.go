package budget_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
)

// model is an independent reading of the events: it keeps all of them that
// matter and adds up from the beginning whenever it is asked.
type model struct {
	specs map[domain.BudgetID]budget.Spec
	runs  map[domain.BudgetID]int // how often counting began anew
	calls map[domain.ReservationID]*spent
}

// spent is a reservation as the model sees it.
type spent struct {
	amounts budget.Amounts
	open    bool
	over    bool // settled or released
	used    budget.Amounts
	where   []place
}

type place struct {
	budget domain.BudgetID
	run    int
	start  time.Time
}

func newModel() *model {
	return &model{map[domain.BudgetID]budget.Spec{}, map[domain.BudgetID]int{}, map[domain.ReservationID]*spent{}}
}

func (m *model) apply(event budget.Event) {
	switch e := event.(type) {
	case budget.Defined:
		old, ok := m.specs[e.Budget]
		if !ok || old.Scope != e.Spec.Scope || old.Window != e.Spec.Window || old.Timezone != e.Spec.Timezone {
			m.runs[e.Budget]++
		}
		m.specs[e.Budget] = e.Spec
	case budget.Deleted:
		delete(m.specs, e.Budget)
	case budget.Reserved:
		s := &spent{amounts: e.Amounts, open: true}
		for _, entry := range e.Entries {
			s.where = append(s.where, place{entry.Budget, m.runs[entry.Budget], entry.Start.UTC()})
		}
		m.calls[e.Reservation] = s
	case budget.Settled:
		m.calls[e.Reservation].open, m.calls[e.Reservation].over, m.calls[e.Reservation].used = false, true, e.Used
	case budget.Released:
		m.calls[e.Reservation].open, m.calls[e.Reservation].over = false, true
	case budget.Expired:
		m.calls[e.Reservation].open = false
	}
}

// sums answers calls, prompt tokens, output tokens, all tokens and cost that
// are settled and open in a window of a budget.
func (m *model) sums(id domain.BudgetID, start time.Time) (settled, open [5]int64) {
	for _, s := range m.calls {
		if !slices.Contains(s.where, place{id, m.runs[id], start.UTC()}) {
			continue
		}
		add(&settled, s.used)
		if s.open {
			add(&open, s.amounts)
		}
	}
	return settled, open
}

func add(sum *[5]int64, a budget.Amounts) {
	for i, n := range [5]int64{a.Calls, int64(a.PromptTokens), int64(a.OutputTokens), int64(a.PromptTokens + a.OutputTokens), int64(a.CostMicros)} {
		sum[i] += n
	}
}

func limitsOf(l budget.Limits) [5]*int64 {
	tokens := func(n *domain.Tokens) *int64 {
		if n == nil {
			return nil
		}
		return ptr(int64(*n))
	}
	limits := [5]*int64{l.Calls, tokens(l.PromptTokens), tokens(l.OutputTokens), tokens(l.TotalTokens), nil}
	if l.CostMicros != nil {
		limits[4] = ptr(int64(*l.CostMicros))
	}
	return limits
}

// checkGrant says what is wrong with a grant that was applied already.
func (m *model) checkGrant(e budget.Reserved) error {
	var want []domain.BudgetID
	for id, spec := range m.specs {
		if spec.Scope.Covers(e.Call) {
			want = append(want, id)
		}
	}
	slices.Sort(want)
	var got []domain.BudgetID
	for _, entry := range e.Entries {
		got = append(got, entry.Budget)
		spec := m.specs[entry.Budget]
		zone, err := budget.Zone(spec.Timezone)
		if err != nil {
			return err
		}
		if start, end := budget.WindowAt(spec.Window, zone, e.At); !start.Equal(entry.Start) || !end.Equal(entry.End) {
			return fmt.Errorf("budget %s: counted in %s to %s, want %s to %s", entry.Budget, entry.Start, entry.End, start, end)
		}
		if spec.Mode != budget.Enforce {
			continue
		}
		settled, open := m.sums(entry.Budget, entry.Start)
		for i, limit := range limitsOf(spec.Limits) {
			if limit != nil && settled[i]+open[i] > *limit {
				return fmt.Errorf("budget %s: %d settled and %d open are beyond limit %d of %d", entry.Budget, settled[i], open[i], i, *limit)
			}
		}
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("counted in %v, want %v", got, want)
	}
	return nil
}

// agrees compares the State's sums with the model's.
func (m *model) agrees(s budget.State, at time.Time) error {
	for id := range m.specs {
		usage, ok := s.Usage(id, at)
		if !ok {
			return fmt.Errorf("the State lacks budget %s", id)
		}
		settled, open := m.sums(id, usage.Start)
		for i, l := range usage.Lines {
			if l.Used != settled[i] || l.Reserved != open[i] {
				return fmt.Errorf("budget %s, %s: the State has %d used, %d reserved; the events add up to %d, %d",
					id, l.Limit, l.Used, l.Reserved, settled[i], open[i])
			}
		}
	}
	if s.Budgets.Len() != len(m.specs) {
		return fmt.Errorf("the State has %d budgets, the events %d", s.Budgets.Len(), len(m.specs))
	}
	return nil
}
