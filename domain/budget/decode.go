package budget

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// ErrUnknownEvent says that a stored name is not one of this package's. A
// newer version of the ledger may have written it.
var ErrUnknownEvent = errors.New("budget: unknown event")

// Decode reads a stored event. It never panics, whatever the data. Members it
// does not know are passed over, since a newer version may have added them.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "budget.defined.v1":
		return domain.DecodeEvent[Defined](data)
	case "budget.deleted.v1":
		return domain.DecodeEvent[Deleted](data)
	case "budget.prices_set.v1":
		return domain.DecodeEvent[PricesSet](data)
	case "budget.reserved.v1":
		return domain.DecodeEvent[Reserved](data)
	case "budget.settled.v1":
		return domain.DecodeEvent[Settled](data)
	case "budget.released.v1":
		return domain.DecodeEvent[Released](data)
	case "budget.expired.v1":
		return domain.DecodeEvent[Expired](data)
	case "budget.alerted.v1":
		return domain.DecodeEvent[Alerted](data)
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, name)
}
