package budget

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Bounds of a reservation.
const (
	defaultTTL = 10 * time.Minute
	maxTTL     = 24 * time.Hour
	maxHeld    = 100_000 // open at one time
)

// reserve holds amounts back in every budget the call matches, or in none.
//
// For each limit of each budget that is enforced: what is settled in the
// window, and open, and asked for, together, may not be more than the limit.
// A reservation that exists, or that ended lately, is answered with nothing.
func (s State) reserve(c Reserve, at time.Time) ([]Event, error) {
	if s.known(c.Reservation) {
		return nil, nil
	}
	ttl, err := checkReserve(c)
	if err != nil {
		return nil, err
	}
	if s.Due.Len() >= maxHeld {
		return nil, domain.Refuse(domain.Throttled, "too_many_reservations",
			"The workspace has %d open reservations, the most it can have. Settle or release some.", maxHeld)
	}
	amounts, priced, err := s.asked(c)
	if err != nil {
		return nil, err
	}
	ids := s.Matches(c.Call)
	entries := make([]Entry, 0, len(ids))
	for _, id := range ids {
		b, _ := s.Budgets.Get(id)
		count := s.count(b)
		start, end, err := count.windowFor(b.Spec, at)
		if err != nil {
			return nil, err
		}
		entry := Entry{Budget: id, Epoch: b.Epoch, Start: start, End: end}
		if err := b.Spec.grants(entry, count.at(start), amounts, priced); err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	made := Reserved{Reservation: c.Reservation, Call: c.Call, Amounts: amounts, Entries: entries,
		ExpiresAt: at.Add(ttl).Truncate(time.Microsecond), At: at}
	return s.alerting(made, entries, counting{open: amounts}, at), nil
}

func (s State) known(id domain.ReservationID) bool {
	return s.Reservations.Has(id) || s.Recent.Has(id) || s.Older.Has(id)
}

func checkReserve(c Reserve) (ttl time.Duration, err error) {
	switch {
	case c.Reservation == "":
		return 0, invalid("invalid_reservation", "A reservation has an id.")
	case !c.Amounts.valid():
		return 0, amountInvalid()
	case c.TTL < 0 || c.TTL > maxTTL:
		return 0, invalid("invalid_ttl", "A reservation lives for more than nothing and at most 24 hours.")
	case c.TTL == 0:
		return defaultTTL, nil
	}
	return c.TTL, nil
}

func amountInvalid() error {
	return invalid("invalid_amount", "An amount is a whole number from 0 to 1000000000000000.")
}

// asked answers the amounts to be held: one call if none is given, and the
// larger of the caller's estimate and the price table's cost. priced is false
// for a model that has no price.
func (s State) asked(c Reserve) (amounts Amounts, priced bool, err error) {
	amounts = c.Amounts
	if amounts.Calls == 0 {
		amounts.Calls = 1
	}
	price, priced := s.Prices[c.Call.Model]
	amounts.CostMicros = max(amounts.CostMicros, price.cost(amounts))
	if amounts.CostMicros > maxAmount {
		return amounts, priced, amountInvalid()
	}
	return amounts, priced, nil
}

// grants refuses what would go beyond a limit.
func (spec *Spec) grants(e Entry, count Count, asked Amounts, priced bool) error {
	settled, open, want := count.Settled.figures(), count.Open.figures(), asked.figures()
	for i := range want {
		if open[i] > maxOpen-want[i] {
			return domain.Refuse(domain.Conflict, "too_much_reserved",
				"More is reserved in the budget %s than can be counted. Settle or release some.", e.Budget)
		}
	}
	if spec.Mode != Enforce {
		return nil
	}
	if spec.Limits.CostMicros != nil && !priced {
		return domain.Refuse(domain.Exceeded, "price_unknown",
			"The budget %s limits cost, and the price table has no price for this model. Set its price.", e.Budget).
			With("budget", string(e.Budget)).With("limit", limitCost)
	}
	for i, limit := range spec.Limits.maxima() {
		if limit >= 0 && saturate(saturate(settled[i], open[i]), want[i]) > limit {
			return exceeded(e, limitNames()[i], limit, settled[i], open[i], want[i])
		}
	}
	return nil
}

func exceeded(e Entry, limit string, most, used, reserved, requested int64) error {
	refusal := domain.Refuse(domain.Exceeded, "budget_exceeded",
		"The budget %s allows %d %s in its window: %d are used, %d reserved, %d were requested. Ask for less, wait for the next window, or have the limit raised.",
		e.Budget, most, limit, used, reserved, requested).
		With("budget", string(e.Budget)).With("limit", limit).With("max", most).
		With("used", used).With("reserved", reserved).With("requested", requested)
	if !e.End.IsZero() {
		refusal = refusal.With("window_end", e.End)
	}
	return refusal
}
