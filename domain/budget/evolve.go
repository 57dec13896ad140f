package budget

import (
	"strconv"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// defined keeps the count where window, time zone and scope stay the same. A
// limit whose size changed alerts anew.
func (s State) defined(e Defined) State {
	next := Budget{Version: e.Version, Spec: &e.Spec}
	old, ok := s.Budgets.Get(e.Budget)
	if ok && sameRun(*old.Spec, e.Spec) {
		next.Epoch, next.Slot = old.Epoch, old.Slot
		count := *s.count(old)
		count.Marks = keptMarks(count.Marks, old.Spec.Limits.maxima(), e.Spec.Limits.maxima())
		s = s.withCount(next.Slot, count)
	} else {
		s = s.deleted(Deleted{Budget: e.Budget})
		s.Epochs++
		next.Epoch, next.Slot = s.Epochs, freeSlot(s.Budgets)
		s = s.withCount(next.Slot, Count{})
		s.Index = indexed(s.Index, e.Spec.Scope.key(), e.Budget)
	}
	s.Budgets = s.Budgets.Set(e.Budget, &next)
	return s.seen(e.At)
}

// sameRun reports whether a count goes on from one spec to the next.
func sameRun(a, b Spec) bool {
	return a.Scope == b.Scope && a.Window == b.Window && a.Timezone == b.Timezone
}

func keptMarks(marks Marks, before, after figures) Marks {
	for i := range marks {
		if before[i] != after[i] {
			marks[i] = 0
		}
	}
	return marks
}

func (s State) deleted(e Deleted) State {
	if old, ok := s.Budgets.Get(e.Budget); ok {
		s.Index = unindexed(s.Index, old.Spec.Scope.key(), e.Budget)
		s.Budgets = s.Budgets.Delete(e.Budget)
		s = s.withCount(old.Slot, Count{})
	}
	return s
}

func (s State) reserved(e Reserved) State {
	s.Reservations = s.Reservations.Set(e.Reservation,
		&Held{Call: e.Call, Amounts: e.Amounts, Entries: e.Entries, ExpiresAt: e.ExpiresAt})
	s.Due = s.Due.Set(dueKey(e.ExpiresAt, e.Reservation), struct{}{})
	return s.withCounts(e.Entries, counting{open: e.Amounts}).seen(e.At)
}

// settled replaces what is held by what was used, each in the windows of its
// entries. A late settlement holds nothing any more.
func (s State) settled(e Settled) State {
	var free Amounts
	if held, ok := s.Reservations.Get(e.Reservation); ok {
		free = held.holds()
		s = s.without(e.Reservation, held)
	}
	s = s.withCounts(e.Entries, counting{free: free, settled: e.Used})
	return s.closed(e.Reservation, &Closed{Settled: true, Used: e.Used, Reported: e.Reported}).seen(e.At)
}

func (s State) released(e Released) State {
	if held, ok := s.Reservations.Get(e.Reservation); ok {
		s = s.withCounts(held.Entries, counting{free: held.holds()}).without(e.Reservation, held)
	}
	return s.closed(e.Reservation, &Closed{})
}

func (s State) expired(e Expired) State {
	held, ok := s.Reservations.Get(e.Reservation)
	if !ok || !held.LapsedAt.IsZero() {
		return s.seen(e.At)
	}
	s = s.withCounts(held.Entries, counting{free: held.Amounts}).without(e.Reservation, held)
	lapsed := *held
	lapsed.LapsedAt = e.At
	s.Reservations = s.Reservations.Set(e.Reservation, &lapsed)
	s.Lapsed = s.Lapsed.Set(dueKey(e.At, e.Reservation), struct{}{})
	return s.seen(e.At).forget()
}

func (s State) alerted(e Alerted) State {
	if b, ok := s.Budgets.Get(e.Budget); ok {
		count := *s.count(b)
		if i := limitIndex(e.Limit); i >= 0 && count.start().Equal(e.Start) {
			count.Marks[i] = max(count.Marks[i], int16(min(e.Threshold, maxThreshold)))
			s = s.withCount(b.Slot, count)
		}
	}
	return s.seen(e.At)
}

// holds is what a reservation holds back: nothing once it has expired.
func (h *Held) holds() Amounts {
	if h.LapsedAt.IsZero() {
		return h.Amounts
	}
	return Amounts{}
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
func (s State) closed(id domain.ReservationID, how *Closed) State {
	s.Recent = s.Recent.Set(id, how)
	if s.Recent.Len() >= maxRemembered {
		s.Older, s.Recent = s.Recent, domain.Map[domain.ReservationID, *Closed]{}
	}
	return s
}

// forget drops expired reservations that nobody settled for a long time, and
// the oldest ones where there are too many.
func (s State) forget() State {
	for {
		key, _, ok := s.Lapsed.Min()
		if !ok {
			return s
		}
		id := dueID(key)
		held, _ := s.Reservations.Get(id)
		if s.Lapsed.Len() <= maxLapsed && s.Latest.Sub(held.LapsedAt) <= keepLapsed {
			return s
		}
		s = s.without(id, held)
	}
}

// dueDigits is how many digits of a due key are microseconds since 1970.
const dueDigits = 19

// dueID reads the reservation out of a due key.
func dueID(key string) domain.ReservationID { return domain.ReservationID(key[dueDigits+1:]) }

// dueKey orders reservations by a time, to the microsecond, and their id.
func dueKey(at time.Time, id domain.ReservationID) string {
	const zeros = "0000000000000000000" // dueDigits of them
	digits := strconv.FormatInt(max(0, at.UnixMicro()), 10)
	return zeros[min(len(digits), len(zeros)):] + digits + " " + string(id)
}
