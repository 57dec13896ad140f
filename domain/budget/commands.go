package budget

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Command asks something of the spending book. At is stream time.
//
//sumtype:decl
type Command interface{ budgetCommand() }

// Define makes or changes a budget. IfVersion, where given, must be the
// version that stands (0: none).
type Define struct {
	Budget    domain.BudgetID
	Spec      Spec
	IfVersion *int
	By        domain.Actor
	At        time.Time
}

// Delete ends a budget.
type Delete struct {
	Budget domain.BudgetID
	By     domain.Actor
	At     time.Time
}

// SetPrices replaces the price table.
type SetPrices struct {
	Prices    map[domain.Model]Price
	IfVersion *int
	By        domain.Actor
	At        time.Time
}

// Reserve holds amounts back in every budget that matches the call, or in
// none. Amounts.CostMicros is the caller's estimate; the book takes the larger
// of it and the price table's. TTL 0 is ten minutes; at most 24 hours.
type Reserve struct {
	Reservation domain.ReservationID
	Call        Call
	Amounts     Amounts
	TTL         time.Duration
	At          time.Time
}

// Settle says what a reservation's call really used.
type Settle struct {
	Reservation domain.ReservationID
	Used        Amounts
	At          time.Time
}

// Release gives a reservation back unused.
type Release struct {
	Reservation domain.ReservationID
	Reason      string
	At          time.Time
}

// Expire writes the expiry of every reservation that is due.
type Expire struct{ At time.Time }

func (Define) budgetCommand()    {}
func (Delete) budgetCommand()    {}
func (SetPrices) budgetCommand() {}
func (Reserve) budgetCommand()   {}
func (Settle) budgetCommand()    {}
func (Release) budgetCommand()   {}
func (Expire) budgetCommand()    {}
