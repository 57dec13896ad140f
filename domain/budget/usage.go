package budget

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Usage is a budget with what its calls took in one window.
type Usage struct {
	Budget  domain.BudgetID
	Version int
	Spec    Spec
	Start   time.Time // zero for a window that never ends
	End     time.Time
	Lines   []Line // one for each amount that is counted, limited or not
}

// Line is one amount. Max and Free are nil where there is no limit; Free is
// never below zero.
type Line struct {
	Limit    string // calls, prompt_tokens, output_tokens, total_tokens, cost_micros
	Used     int64  // settled
	Reserved int64  // open
	Max      *int64
	Free     *int64
}

// Usage answers what a budget's calls took in the window of that time, which
// is not before the book's latest. It is false for an unknown budget.
func (s State) Usage(id domain.BudgetID, at time.Time) (Usage, bool) {
	b, ok := s.Budgets.Get(id)
	if !ok {
		return Usage{}, false
	}
	u := Usage{Budget: id, Version: b.Version, Spec: *b.Spec}
	current := s.count(b)
	start, end, err := current.windowFor(b.Spec, s.now(at))
	if err != nil {
		start, end = current.start(), current.end() // the last that is known
	}
	u.Start, u.End = start, end
	count := current.at(start)
	settled, open := count.Settled.figures(), count.Open.figures()
	for i, limit := range b.Spec.Limits.maxima() {
		line := Line{Limit: limitNames()[i], Used: settled[i], Reserved: open[i]}
		if limit >= 0 {
			free := max(0, limit-saturate(settled[i], open[i]))
			line.Max, line.Free = &limit, &free
		}
		u.Lines = append(u.Lines, line)
	}
	return u, true
}
