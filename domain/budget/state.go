// Package budget is what a workspace may spend, as one aggregate, the stream
// "<workspace>/budget-book". It is one book for all budgets, so that a call is
// checked against, and reserved in, every budget it matches in one decision.
//
// A reservation holds amounts back in a window of each matching budget. It is
// settled with what was used, released, or expires; an expired one can still
// be settled late. The time that counts is stream time: it never goes back,
// a command that names an earlier time than the book has seen is decided as of
// the latest. Windows are recorded in the events as instants, so that a fold
// needs neither a clock nor time zones.
package budget

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// What the book remembers of reservations that are over.
const (
	keepLapsed    = 7 * 24 * time.Hour // an expired one can be settled for this long
	maxLapsed     = 20_000             // but only so many of them, the newest
	maxRemembered = 2048               // settled and released ones, in each of two halves
)

// State is the spending book. Its fields are exported because it is kept as a
// JSON snapshot; it is changed only by Evolve, and what its pointers show is
// never changed.
type State struct {
	Budgets      domain.Map[domain.BudgetID, *Budget]      `json:"budgets"`
	Counts       []*Block                                  `json:"counts,omitempty"` // by Budget.Slot
	Index        domain.Map[string, []domain.BudgetID]     `json:"index"`            // by one field of the scope; see Scope.key
	Epochs       int64                                     `json:"epochs,omitempty"`
	Prices       map[domain.Model]Price                    `json:"prices,omitempty"`
	PriceVersion int                                       `json:"price_version,omitempty"`
	Reservations domain.Map[domain.ReservationID, *Held]   `json:"reservations"` // open and expired ones
	Due          domain.Map[string, struct{}]              `json:"due"`          // open ones by expiry
	Lapsed       domain.Map[string, struct{}]              `json:"lapsed"`       // expired ones by time
	Recent       domain.Map[domain.ReservationID, *Closed] `json:"recent"`       // settled and released lately
	Older        domain.Map[domain.ReservationID, *Closed] `json:"older"`        // and before that
	Latest       time.Time                                 `json:"latest,omitzero"`
}

// Budget is a budget as it stands. Slot is the place of its count. Epoch tells
// one run of counting from another: a budget that is defined anew, or whose
// window, time zone or scope changes, starts from nothing, and reservations of
// before do not count in it.
type Budget struct {
	Version int   `json:"version"`
	Epoch   int64 `json:"epoch"`
	Slot    int   `json:"slot"`
	Spec    *Spec `json:"spec"`
}

// Held is a reservation that is not over: open, or expired and not settled.
type Held struct {
	Call      Call      `json:"call"`
	Amounts   Amounts   `json:"amounts"`
	Entries   []Entry   `json:"entries,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
	LapsedAt  time.Time `json:"lapsed_at,omitzero"` // when it expired
}

// Closed is how a reservation ended.
type Closed struct {
	Settled  bool          `json:"settled,omitempty"` // else released
	Used     Amounts       `json:"used,omitzero"`
	Reported domain.Micros `json:"reported,omitempty"`
}

var _ domain.State[State, Command, Event] = State{}

// Evolve folds one event. It never fails and leaves s as it was.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Defined:
		return s.defined(e)
	case Deleted:
		return s.deleted(e)
	case PricesSet:
		s.Prices, s.PriceVersion = e.Prices, e.Version
		return s.seen(e.At)
	case Reserved:
		return s.reserved(e)
	case Settled:
		return s.settled(e)
	case Released:
		return s.released(e)
	case Expired:
		return s.expired(e)
	case Alerted:
		return s.alerted(e)
	}
	return s
}

// seen moves stream time.
func (s State) seen(at time.Time) State {
	if at.After(s.Latest) {
		s.Latest = at
	}
	return s
}

// now is stream time for a command, to the microsecond, as records hold it.
func (s State) now(at time.Time) time.Time {
	at = at.UTC().Truncate(time.Microsecond)
	if at.Before(s.Latest) {
		return s.Latest
	}
	return at
}
