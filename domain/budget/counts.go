package budget

import (
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Count is what a budget's calls took in one window.
type Count struct {
	Span    *Span   `json:"span,omitempty"` // nil before the first reservation, and for a window that never ends
	Settled Amounts `json:"settled,omitzero"`
	Open    Amounts `json:"open,omitzero"`
	Marks   Marks   `json:"marks,omitzero"`
}

// Span is a window as instants: from Start, up to but without End.
type Span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Marks are the highest thresholds that were alerted, in the order calls,
// prompt tokens, output tokens, total tokens, cost.
type Marks [limitCount]int16

// Block is a group of counts. The book keeps counts in blocks because an event
// changes those of many budgets at once, and copying a block is cheaper than
// a path of a tree for each.
type Block [16]Count

func (c *Count) start() time.Time {
	if c.Span == nil {
		return time.Time{}
	}
	return c.Span.Start
}

func (c *Count) end() time.Time {
	if c.Span == nil {
		return time.Time{}
	}
	return c.Span.End
}

// counting is a change of a count: first some of what is open goes, then
// amounts come to be open or settled.
type counting struct{ free, open, settled Amounts }

// counted answers the count after a change in the window of an entry. A later
// window than the current one begins from nothing; what belongs to a window
// that is over holds nothing back and is not counted here.
func (c *Count) counted(e Entry, change counting) (Count, bool) {
	next := *c
	switch start := c.start(); {
	case e.Start.Before(start):
		return Count{}, false
	case e.Start.After(start):
		next = Count{Span: &Span{e.Start, e.End}}
	case e.End.After(c.end()):
		next.Span = &Span{e.Start, e.End}
	}
	next.Open = next.Open.minus(change.free).plus(change.open)
	next.Settled = next.Settled.plus(change.settled)
	return next, true
}

// at answers the count of the window that starts then: the current one's, or
// nothing.
func (c *Count) at(start time.Time) Count {
	if c.start().Equal(start) {
		return *c
	}
	return Count{}
}

// count answers a budget's count. It is not to be changed.
func (s State) count(b *Budget) *Count {
	return &s.Counts[b.Slot/len(Block{})][b.Slot%len(Block{})]
}

// draft is a copy of the counts to be changed. It copies each block once.
type draft struct {
	blocks []*Block
	copied []bool
}

func (s State) draft() draft {
	return draft{slices.Clone(s.Counts), make([]bool, len(s.Counts))}
}

func (d draft) count(slot int) *Count {
	i := slot / len(Block{})
	if !d.copied[i] {
		block := *d.blocks[i]
		d.blocks[i], d.copied[i] = &block, true
	}
	return &d.blocks[i][slot%len(Block{})]
}

// withCounts changes the counts of all entries' budgets in the entries'
// windows. What belongs to another run of counting, or to a budget that was
// deleted, is not counted.
func (s State) withCounts(entries []Entry, change counting) State {
	if len(entries) == 0 || change == (counting{}) {
		return s
	}
	d := s.draft()
	for _, e := range entries {
		b, ok := s.Budgets.Get(e.Budget)
		if !ok || b.Epoch != e.Epoch {
			continue
		}
		if next, ok := s.count(b).counted(e, change); ok {
			*d.count(b.Slot) = next
		}
	}
	s.Counts = d.blocks
	return s
}

// withCount sets the count in one slot, making room for it.
func (s State) withCount(slot int, c Count) State {
	d := s.draft()
	for slot >= len(d.blocks)*len(Block{}) {
		d.blocks, d.copied = append(d.blocks, new(Block)), append(d.copied, true)
	}
	*d.count(slot) = c
	s.Counts = d.blocks
	return s
}

// freeSlot answers the first slot that no budget has.
func freeSlot(budgets domain.Map[domain.BudgetID, *Budget]) int {
	taken := make([]bool, budgets.Len()+1)
	for _, b := range budgets.All() {
		if b.Slot < len(taken) {
			taken[b.Slot] = true
		}
	}
	return slices.Index(taken, false)
}
