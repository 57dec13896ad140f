package budget

import (
	"strconv"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// defined keeps the count where window, time zone and scope stay the same. A
// limit whose size changed alerts anew.
func (s State) defined(e Defined) State {
	spec := e.Spec
	next := Budget{Version: e.Version, Spec: &spec}
	old, ok := s.Budgets.Get(e.Budget)
	if ok && sameRun(*old.Spec, spec) {
		next.Epoch, next.Count = old.Epoch, old.Count
		next.Count.Marks = keptMarks(old, spec.Limits.maxima())
	} else {
		s.Epochs++
		next.Epoch = s.Epochs
	}
	if ok {
		s.Index = unindexed(s.Index, old.Spec.Scope.key(), e.Budget)
	}
	s.Index = indexed(s.Index, spec.Scope.key(), e.Budget)
	s.Budgets = s.Budgets.Set(e.Budget, &next)
	return s.seen(e.At)
}

// sameRun reports whether a count goes on from one spec to the next.
func sameRun(a, b Spec) bool {
	return a.Scope == b.Scope && a.Window == b.Window && a.Timezone == b.Timezone
}

func keptMarks(old *Budget, maxima figures) Marks {
	marks, before := old.Count.Marks, old.Spec.Limits.maxima()
	for i := range marks {
		if before[i] != maxima[i] {
			marks[i] = 0
		}
	}
	return marks
}

func (s State) deleted(e Deleted) State {
	if old, ok := s.Budgets.Get(e.Budget); ok {
		s.Index = unindexed(s.Index, old.Spec.Scope.key(), e.Budget)
		s.Budgets = s.Budgets.Delete(e.Budget)
	}
	return s
}

func (s State) reserved(e Reserved) State {
	s.Reservations = s.Reservations.Set(e.Reservation,
		&Held{Call: e.Call, Amounts: e.Amounts, Entries: e.Entries, ExpiresAt: e.ExpiresAt})
	s.Due = s.Due.Set(dueKey(e.ExpiresAt, e.Reservation), e.Reservation)
	for _, entry := range e.Entries {
		s = s.count(entry, counting{open: e.Amounts})
	}
	return s.seen(e.At)
}

// settled replaces what is held by what was used, each in the windows of its
// entries. A late settlement holds nothing any more.
func (s State) settled(e Settled) State {
	var free Amounts
	if held, ok := s.Reservations.Get(e.Reservation); ok {
		free = held.holds()
		s = s.without(e.Reservation, held)
	}
	for _, entry := range e.Entries {
		s = s.count(entry, counting{free: free, settled: e.Used})
	}
	return s.closed(e.Reservation, Closed{Settled: true, Used: e.Used, Reported: e.Reported}).seen(e.At)
}

func (s State) released(e Released) State {
	if held, ok := s.Reservations.Get(e.Reservation); ok {
		s = s.free(held).without(e.Reservation, held)
	}
	return s.closed(e.Reservation, Closed{})
}

func (s State) expired(e Expired) State {
	held, ok := s.Reservations.Get(e.Reservation)
	if !ok || !held.LapsedAt.IsZero() {
		return s.seen(e.At)
	}
	s = s.free(held).without(e.Reservation, held)
	lapsed := *held
	lapsed.LapsedAt = e.At
	s.Reservations = s.Reservations.Set(e.Reservation, &lapsed)
	s.Lapsed = s.Lapsed.Set(dueKey(e.At, e.Reservation), e.Reservation)
	return s.seen(e.At).forget()
}

func (s State) alerted(e Alerted) State {
	if b, ok := s.Budgets.Get(e.Budget); ok {
		if i := limitIndex(e.Limit); i >= 0 && b.Count.Start.Equal(e.Start) {
			next := *b
			next.Count.Marks[i] = max(next.Count.Marks[i], e.Threshold)
			s.Budgets = s.Budgets.Set(e.Budget, &next)
		}
	}
	return s.seen(e.At)
}

// count changes a budget's count in the window of an entry.
func (s State) count(e Entry, change counting) State {
	if b, ok := s.Budgets.Get(e.Budget); ok {
		if next, ok := b.counted(e, change); ok {
			s.Budgets = s.Budgets.Set(e.Budget, next)
		}
	}
	return s
}

// counting is a change of a count: first some of what is open goes, then
// amounts come to be open or settled.
type counting struct{ free, open, settled Amounts }

// counted answers the budget after a change in the window of an entry. A later
// window than the current one begins from nothing; what belongs to a window
// that is over, or to another run of counting, holds nothing back and is not
// counted here.
func (b *Budget) counted(e Entry, change counting) (*Budget, bool) {
	if b.Epoch != e.Epoch || e.Start.Before(b.Count.Start) {
		return nil, false
	}
	next := *b
	if e.Start.After(b.Count.Start) {
		next.Count = Count{Start: e.Start}
	}
	if e.End.After(next.Count.End) {
		next.Count.End = e.End
	}
	next.Count.Open = next.Count.Open.minus(change.free).plus(change.open)
	next.Count.Settled = next.Count.Settled.plus(change.settled)
	return &next, true
}

// holds is what a reservation holds back: nothing once it has expired.
func (h *Held) holds() Amounts {
	if h.LapsedAt.IsZero() {
		return h.Amounts
	}
	return Amounts{}
}

// free gives back what a reservation holds.
func (s State) free(held *Held) State {
	for _, entry := range held.Entries {
		s = s.count(entry, counting{free: held.holds()})
	}
	return s
}

// without takes a reservation out of the book.
func (s State) without(id domain.ReservationID, held *Held) State {
	s.Reservations = s.Reservations.Delete(id)
	if held.LapsedAt.IsZero() {
		s.Due = s.Due.Delete(dueKey(held.ExpiresAt, id))
	} else {
		s.Lapsed = s.Lapsed.Delete(dueKey(held.LapsedAt, id))
	}
	return s
}

// closed remembers how a reservation ended, for a while: once the newer half
// is full it becomes the older half, and what was in that is forgotten.
func (s State) closed(id domain.ReservationID, how Closed) State {
	s.Recent = s.Recent.Set(id, how)
	if s.Recent.Len() >= maxRemembered {
		s.Older, s.Recent = s.Recent, domain.Map[domain.ReservationID, Closed]{}
	}
	return s
}

// forget drops expired reservations that nobody settled for a long time, and
// the oldest ones where there are too many.
func (s State) forget() State {
	for {
		_, id, ok := s.Lapsed.Min()
		if !ok {
			return s
		}
		held, _ := s.Reservations.Get(id)
		if s.Lapsed.Len() <= maxLapsed && s.Latest.Sub(held.LapsedAt) <= keepLapsed {
			return s
		}
		s = s.without(id, held)
	}
}

// dueKey orders reservations by a time, to the microsecond, and their id.
func dueKey(at time.Time, id domain.ReservationID) string {
	const zeros = "0000000000000000000"
	digits := strconv.FormatInt(max(0, at.UnixMicro()), 10)
	return zeros[min(len(digits), len(zeros)):] + digits + " " + string(id)
}
