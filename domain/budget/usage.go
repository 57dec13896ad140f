package budget

import (
	"math"
	"math/bits"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Usage is a budget with what its calls took in one window.
type Usage struct {
	Budget  domain.BudgetID
	Version int
	Epoch   int64 // the run of counting; see Entry
	Spec    Spec
	Start   time.Time // zero for a window that never ends
	End     time.Time
	Lines   []Line // one for each amount that is counted, limited or not
}

// Line is one amount. Max and Free are nil where there is no limit; Free is
// never below zero. Forecast is what will have been used at the end of the
// window if it goes on as so far; see forecast for where it is nil.
type Line struct {
	Limit    string // calls, prompt_tokens, output_tokens, total_tokens, cost_micros
	Used     int64  // settled
	Reserved int64  // open
	Max      *int64
	Free     *int64
	Forecast *int64
}

// Usage answers what a budget's calls took in the window of that time, which
// is not before the book's latest. It is false for an unknown budget.
func (s State) Usage(id domain.BudgetID, at time.Time) (Usage, bool) {
	b, ok := s.Budgets.Get(id)
	if !ok {
		return Usage{}, false
	}
	u := Usage{Budget: id, Version: b.Version, Epoch: b.Epoch, Spec: *b.Spec}
	current, at := s.count(b), s.now(at)
	start, end, err := current.windowFor(b.Spec, at)
	if err != nil {
		start, end = current.start(), current.end() // the last that is known
	}
	u.Start, u.End = start, end
	count := current.at(start)
	settled, open := count.Settled.figures(), count.Open.figures()
	for i, limit := range b.Spec.Limits.maxima() {
		line := Line{Limit: limitNames()[i], Used: settled[i], Reserved: open[i], Forecast: u.forecast(settled[i], open[i], at)}
		if limit >= 0 {
			free := max(0, limit-saturate(settled[i], open[i]))
			line.Max, line.Free = &limit, &free
		}
		u.Lines = append(u.Lines, line)
	}
	return u, true
}

// forecastFrom is the part of a window, one in so many, that must have passed
// before there is a forecast: the first calls would be multiplied by more than
// this.
const forecastFrom = 50

// forecast goes on from what was settled in the part of the window that has
// passed, in a straight line, rounded up. It is never less than what is used
// and reserved now. There is none in the first 2 % of a window, and none for a
// window that never ends.
func (u Usage) forecast(used, reserved int64, at time.Time) *int64 {
	length, passed := u.End.Sub(u.Start), at.Sub(u.Start)
	if u.End.IsZero() || passed <= 0 || passed < length/forecastFrom {
		return nil
	}
	end := max(saturate(used, reserved), scaled(used, length, passed))
	return &end
}

// scaled is n × by ÷ of, rounded up; what does not fit is the largest int64.
func scaled(n int64, by, of time.Duration) int64 {
	hi, lo := bits.Mul64(uint64(n), uint64(by))
	lo, carry := bits.Add64(lo, uint64(of)-1, 0)
	hi += carry
	if hi >= uint64(of) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(hi, lo, uint64(of))
	return int64(min(quotient, math.MaxInt64))
}
