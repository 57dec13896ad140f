package policy

import (
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// Limits of work. A step takes about 5 ns on a common server, so a decision's
// conditions take about 40 ms at the very most, however many there are. Steps
// are counted and not timed, so that a decision can be made again.
const (
	DecisionSteps  = 8_000_000 // for all conditions of a decision
	ConditionSteps = 2_000_000 // for one condition
	stepsPerCall   = 30        // of any function, operator or turn of a comprehension
	stepsPerValue  = 10        // reading a member, comparing two values
	stepsPerKey    = 10        // putting a map's keys in order, before it is walked
	stepsPerZone   = 10_000    // loading a time zone by its name
	stepsPerParsed = 2         // a byte of a text that becomes a number or a time
	bytesPerStep   = 16        // of a text that is hashed, compared or counted
	bytesPerCopy   = 4         // of a text that is copied
	bytesPerSought = 2         // of a text that is searched
)

// budget counts the steps of one decision. The zero budget is unspent.
type budget struct {
	spent   int
	ceiling int // where the condition at hand is cut off
}

// begin allots a condition its share; it is false when nothing is left.
func (b *budget) begin() bool {
	b.ceiling = min(DecisionSteps, b.spent+ConditionSteps)
	return b.spent < DecisionSteps
}

// spend pays for steps before they are taken, or cuts the evaluation off, by a
// panic that CEL's Eval catches, as its own cost limit does: an error value would not do, since
// || and comprehensions go on after one. A nil budget is for planning, when
// constants are folded.
func (b *budget) spend(steps int) {
	if b == nil {
		return
	}
	if steps > b.ceiling-b.spent {
		if b.ceiling == DecisionSteps { // nothing that follows is evaluated either
			b.spent = DecisionSteps
		}
		panic(interpreter.EvalCancelledError{Cause: interpreter.CostLimitExceeded, Message: "no steps left"})
	}
	b.spent += steps
}

// equal is CEL's ==, paid for by value. Maps are compared to their ends, so
// that what is paid does not depend on the order in which Go walks them.
func (b *budget) equal(x, y ref.Val) ref.Val {
	b.spend(stepsPerValue)
	switch x := x.(type) {
	case types.String:
		if y, ok := y.(types.String); ok && len(x) == len(y) {
			b.spend(len(x) / bytesPerStep)
		}
	case types.Bytes:
		b.spend(len(x) / bytesPerStep)
	case traits.Lister:
		if y, ok := y.(traits.Lister); ok {
			return types.Bool(b.equalLists(x, y))
		}
		return types.False
	case traits.Mapper:
		if y, ok := y.(traits.Mapper); ok {
			return types.Bool(b.equalMaps(x, y))
		}
		return types.False
	}
	return types.Equal(x, y)
}

// differ is CEL's !=.
func (b *budget) differ(x, y ref.Val) ref.Val {
	same := b.equal(x, y)
	if is, ok := same.(types.Bool); ok {
		return !is
	}
	return same
}

func (b *budget) equalLists(x, y traits.Lister) bool {
	size, ok := x.Size().(types.Int)
	if !ok || x.Size() != y.Size() {
		return false
	}
	for i := range size {
		if b.equal(x.Get(i), y.Get(i)) != types.True {
			return false
		}
	}
	return true
}

func (b *budget) equalMaps(x, y traits.Mapper) bool {
	if x.Size() != y.Size() {
		return false
	}
	same := true
	for it := x.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		b.spend(sizeOf(key) / bytesPerStep)
		mine, _ := x.Find(key)
		other, found := y.Find(key)
		if !found || b.equal(mine, other) != types.True {
			same = false
		}
	}
	return same
}

// contains is CEL's in, paid for by value.
func (b *budget) contains(value, in ref.Val) ref.Val {
	switch in := in.(type) {
	case traits.Mapper:
		b.spend(stepsPerValue + sizeOf(value)/bytesPerStep)
		_, found := in.Find(value)
		return types.Bool(found)
	case traits.Lister:
		for it := in.Iterator(); it.HasNext() == types.True; {
			if b.equal(value, it.Next()) == types.True {
				return types.True
			}
		}
		return types.False
	}
	return types.MaybeNoSuchOverloadErr(in)
}
