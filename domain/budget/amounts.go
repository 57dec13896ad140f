package budget

import (
	"math"
	"math/bits"
	"slices"

	"github.com/clawoffice/ledger/domain"
)

// Bounds of amounts. Open amounts are bounded far below what an int64 holds,
// so that adding and taking away again is exact.
const (
	maxAmount = 1_000_000_000_000_000     // of one call, price or limit
	maxOpen   = 4_000_000_000_000_000_000 // of all open reservations in a budget
)

// The names of the limits, in the order in which they are checked.
const (
	limitCalls        = "calls"
	limitPromptTokens = "prompt_tokens"
	limitOutputTokens = "output_tokens"
	limitTotalTokens  = "total_tokens"
	limitCost         = "cost_micros"
	limitCount        = 5
)

// figures are amounts in the order of the limits.
type figures [limitCount]int64

func limitNames() [limitCount]string {
	return [limitCount]string{limitCalls, limitPromptTokens, limitOutputTokens, limitTotalTokens, limitCost}
}

func limitIndex(name string) int {
	names := limitNames()
	return slices.Index(names[:], name)
}

func (a Amounts) figures() figures {
	return figures{a.Calls, int64(a.PromptTokens), int64(a.OutputTokens),
		saturate(int64(a.PromptTokens), int64(a.OutputTokens)), int64(a.CostMicros)}
}

// maxima answers the limits as figures, -1 where there is none.
func (l Limits) maxima() figures {
	f := figures{-1, -1, -1, -1, -1}
	if l.Calls != nil {
		f[0] = *l.Calls
	}
	if l.PromptTokens != nil {
		f[1] = int64(*l.PromptTokens)
	}
	if l.OutputTokens != nil {
		f[2] = int64(*l.OutputTokens)
	}
	if l.TotalTokens != nil {
		f[3] = int64(*l.TotalTokens)
	}
	if l.CostMicros != nil {
		f[4] = int64(*l.CostMicros)
	}
	return f
}

// saturate adds amounts that are not negative; it stops at the largest int64.
func saturate(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// plus adds; a sum that does not fit stays at the largest value that does.
func (a Amounts) plus(b Amounts) Amounts {
	return Amounts{
		Calls:        saturate(a.Calls, b.Calls),
		PromptTokens: domain.Tokens(saturate(int64(a.PromptTokens), int64(b.PromptTokens))),
		OutputTokens: domain.Tokens(saturate(int64(a.OutputTokens), int64(b.OutputTokens))),
		CostMicros:   domain.Micros(saturate(int64(a.CostMicros), int64(b.CostMicros))),
	}
}

// minus takes away and never goes below zero.
func (a Amounts) minus(b Amounts) Amounts {
	return Amounts{
		Calls:        max(0, a.Calls-b.Calls),
		PromptTokens: max(0, a.PromptTokens-b.PromptTokens),
		OutputTokens: max(0, a.OutputTokens-b.OutputTokens),
		CostMicros:   max(0, a.CostMicros-b.CostMicros),
	}
}

// valid reports whether each amount is from 0 to maxAmount.
func (a Amounts) valid() bool {
	for _, n := range [...]int64{a.Calls, int64(a.PromptTokens), int64(a.OutputTokens), int64(a.CostMicros)} {
		if n < 0 || n > maxAmount {
			return false
		}
	}
	return true
}

// exceeds reports whether some amount is more than b's.
func (a Amounts) exceeds(b Amounts) bool {
	return a.Calls > b.Calls || a.PromptTokens > b.PromptTokens || a.OutputTokens > b.OutputTokens ||
		a.CostMicros > b.CostMicros
}

// cost is what the amounts cost at this price, rounded up to a whole
// micro-unit; a cost that is too large for an amount is maxAmount+1.
func (p Price) cost(a Amounts) domain.Micros {
	hi, lo := bits.Mul64(uint64(a.PromptTokens), uint64(p.PromptPerMillion))
	hi2, lo2 := bits.Mul64(uint64(a.OutputTokens), uint64(p.OutputPerMillion))
	lo, carry := bits.Add64(lo, lo2, 0)
	hi, _ = bits.Add64(hi, hi2, carry)
	lo, carry = bits.Add64(lo, 999_999, 0)
	hi += carry
	callsHi, calls := bits.Mul64(uint64(a.Calls), uint64(p.PerCall))
	if hi >= 1_000_000 || callsHi > 0 {
		return maxAmount + 1
	}
	tokens, _ := bits.Div64(hi, lo, 1_000_000)
	if tokens > maxAmount || calls > maxAmount {
		return maxAmount + 1
	}
	return min(domain.Micros(tokens+calls), maxAmount+1)
}
