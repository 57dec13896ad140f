package budget

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// settle replaces what a reservation holds by what its call used. It counts in
// full, in the windows the reservation was made in, also when it comes late or
// is more than was reserved. A repeat with the same amounts changes nothing.
func (s State) settle(c Settle, at time.Time) ([]Event, error) {
	if !c.Used.valid() {
		return nil, amountInvalid()
	}
	held, ok := s.Reservations.Get(c.Reservation)
	if !ok {
		return nil, s.settledBefore(c)
	}
	used := c.Used
	if used.Calls == 0 {
		used.Calls = held.Amounts.Calls
	}
	cost := s.Prices[held.Call.Model].cost(used)
	used.CostMicros = min(maxAmount, max(used.CostMicros, cost))
	done := Settled{Reservation: c.Reservation, Used: used, Reported: c.Used.CostMicros, Call: held.Call,
		Entries: held.Entries, Late: !held.LapsedAt.IsZero(), Overrun: used.exceeds(held.Amounts), At: at}
	return s.alerting(done, held.Entries, counting{free: held.holds(), settled: used}, at), nil
}

// settledBefore judges a settlement of a reservation that is not held.
func (s State) settledBefore(c Settle) error {
	how, ok := s.ending(c.Reservation)
	switch {
	case !ok:
		return reservationUnknown()
	case !how.Settled:
		return domain.Refuse(domain.Conflict, "reservation_released",
			"The reservation was released, so nothing can be settled. Reserve anew before the next call.")
	case how.says(c.Used):
		return nil
	}
	return domain.Refuse(domain.Conflict, "already_settled",
		"The reservation was settled with other amounts. A settlement can't be changed.")
}

// says reports whether a settlement repeats what was reported before.
func (c *Closed) says(used Amounts) bool {
	if used.Calls == 0 {
		used.Calls = c.Used.Calls
	}
	return used.CostMicros == c.Reported && used.Calls == c.Used.Calls &&
		used.PromptTokens == c.Used.PromptTokens && used.OutputTokens == c.Used.OutputTokens
}

func (s State) ending(id domain.ReservationID) (*Closed, bool) {
	if how, ok := s.Recent.Get(id); ok {
		return how, true
	}
	return s.Older.Get(id)
}

func reservationUnknown() error {
	return domain.Refuse(domain.NotFound, "reservation_unknown",
		"There is no such reservation. One that expired can be settled for 7 days.")
}

// release gives a reservation back unused; it can't be settled afterwards. A
// repeat changes nothing.
func (s State) release(c Release) ([]Event, error) {
	if s.Reservations.Has(c.Reservation) {
		return []Event{Released{Reservation: c.Reservation, Reason: c.Reason}}, nil
	}
	how, ok := s.ending(c.Reservation)
	switch {
	case !ok:
		return nil, reservationUnknown()
	case how.Settled:
		return nil, domain.Refuse(domain.Conflict, "already_settled", "The reservation was settled and can't be released.")
	}
	return nil, nil
}
