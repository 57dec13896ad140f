package budget

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// maxSweep bounds the expiries that one command writes, so that they fit into
// one append beside what else is decided. What is due beyond it counts as open
// until a later command writes it.
const maxSweep = 200

// Decide answers the events that follow from a command, or a [*domain.Error].
// Every command first writes the expiry of the reservations that are due, and
// is then decided as of their end.
func (s State) Decide(command Command) ([]Event, error) {
	switch c := command.(type) {
	case Define:
		return s.swept(c.At, func(s State, at time.Time) ([]Event, error) { return s.define(c, at) })
	case Delete:
		return s.swept(c.At, func(s State, _ time.Time) ([]Event, error) { return s.delete(c) })
	case SetPrices:
		return s.swept(c.At, func(s State, at time.Time) ([]Event, error) { return s.setPrices(c, at) })
	case Reserve:
		return s.swept(c.At, func(s State, at time.Time) ([]Event, error) { return s.reserve(c, at) })
	case Settle:
		return s.swept(c.At, func(s State, at time.Time) ([]Event, error) { return s.settle(c, at) })
	case Release:
		return s.swept(c.At, func(s State, _ time.Time) ([]Event, error) { return s.release(c) })
	case Expire:
		return s.swept(c.At, func(State, time.Time) ([]Event, error) { return nil, nil })
	}
	return nil, domain.Refuse(domain.Invalid, "command_unknown", "The spending book does not know this command.")
}

// swept writes what is due at stream time, then decides on the state after it.
func (s State) swept(at time.Time, decide func(State, time.Time) ([]Event, error)) ([]Event, error) {
	at = s.now(at)
	var events []Event
	for key := range s.Due.All() {
		id := dueID(key)
		held, ok := s.Reservations.Get(id)
		if !ok || held.ExpiresAt.After(at) || len(events) == maxSweep {
			break
		}
		events = append(events, Expired{Reservation: id, At: at})
	}
	decided, err := decide(domain.Fold(s, events...), at)
	if err != nil {
		return nil, err
	}
	return append(events, decided...), nil
}

// NextExpiry answers when the next open reservation is due, and whether there
// is one. While it is not after now, there is something for Expire to write.
func (s State) NextExpiry() (time.Time, bool) {
	key, _, ok := s.Due.Min()
	if !ok {
		return time.Time{}, false
	}
	held, ok := s.Reservations.Get(dueID(key))
	if !ok {
		return time.Time{}, false
	}
	return held.ExpiresAt, true
}
