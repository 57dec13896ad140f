package process

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain/process"
)

// timetable is what is owed, in order of time: a heap that knows where each
// entry stands, so that one that is done is taken out at once. The zero
// timetable is empty.
type timetable struct {
	entries []entry
	index   map[place]int
}

type entry struct {
	place place
	owed  *process.Owed
}

func (t *timetable) add(p place, o *process.Owed) {
	if t.index == nil {
		t.index = map[place]int{}
	}
	heap.Push(t, entry{p, o})
}

func (t *timetable) remove(p place) {
	if i, ok := t.index[p]; ok {
		heap.Remove(t, i)
	}
}

// at answers when the step under p is due.
func (t *timetable) at(p place) (time.Time, bool) {
	i, ok := t.index[p]
	if !ok {
		return time.Time{}, false
	}
	return t.entries[i].owed.Due, true
}

// until lists what is due at a moment, the longest due first. What is due
// stands together at the top of the heap.
func (t *timetable) until(now time.Time, limit int) []Owed {
	var due []Owed
	for next := []int{0}; len(next) > 0; {
		i := next[len(next)-1]
		next = next[:len(next)-1]
		if i >= len(t.entries) || t.entries[i].owed.Due.After(now) {
			continue
		}
		e := t.entries[i]
		due = append(due, Owed{e.place.ws, e.owed.Command, e.owed.Due})
		next = append(next, 2*i+1, 2*i+2)
	}
	slices.SortFunc(due, func(a, b Owed) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Workspace, b.Workspace), cmp.Compare(a.Command.Key(), b.Command.Key()))
	})
	return due[:min(limit, len(due))]
}

// Len, Less, Swap, Push and Pop are for package heap.
func (t *timetable) Len() int { return len(t.entries) }

// Less is by time.
func (t *timetable) Less(i, j int) bool { return t.entries[i].owed.Due.Before(t.entries[j].owed.Due) }

// Swap keeps the index true.
func (t *timetable) Swap(i, j int) {
	t.entries[i], t.entries[j] = t.entries[j], t.entries[i]
	t.index[t.entries[i].place], t.index[t.entries[j].place] = i, j
}

// Push adds at the end.
func (t *timetable) Push(x any) {
	e, _ := x.(entry)
	t.index[e.place] = len(t.entries)
	t.entries = append(t.entries, e)
}

// Pop takes from the end.
func (t *timetable) Pop() any {
	last := len(t.entries) - 1
	e := t.entries[last]
	t.entries[last] = entry{}
	t.entries = t.entries[:last]
	delete(t.index, e.place)
	return e
}
