package budget

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrUnknownEvent says that a stored name is not one of this package's. A
// newer version of the ledger may have written it.
var ErrUnknownEvent = errors.New("budget: unknown event")

// errNoObject says that stored data is JSON of another shape than an event's.
var errNoObject = errors.New("an event is a JSON object")

// Decode reads a stored event. It never panics, whatever the data. Members it
// does not know are passed over, since a newer version may have added them.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "budget.defined.v1":
		return decode[Defined](name, data)
	case "budget.deleted.v1":
		return decode[Deleted](name, data)
	case "budget.prices_set.v1":
		return decode[PricesSet](name, data)
	case "budget.reserved.v1":
		return decode[Reserved](name, data)
	case "budget.settled.v1":
		return decode[Settled](name, data)
	case "budget.released.v1":
		return decode[Released](name, data)
	case "budget.expired.v1":
		return decode[Expired](name, data)
	case "budget.alerted.v1":
		return decode[Alerted](name, data)
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, name)
}

func decode[E Event](name string, data []byte) (Event, error) {
	var e E
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return nil, fmt.Errorf("decoding %s: %w", name, errNoObject)
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", name, err)
	}
	return e, nil
}
