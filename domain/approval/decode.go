package approval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrUnknownEvent says that a stored name is not one of this package's. A
// newer version of the ledger may have written it.
var ErrUnknownEvent = errors.New("approval: unknown event")

// errNoObject says that stored data is JSON of another shape than an event's.
var errNoObject = errors.New("an event is a JSON object")

// Decode reads a stored event. It never panics, whatever the data. Members it
// does not know are passed over, since a newer version may have added them.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "approval.requested.v1":
		return decode[Requested](name, data)
	case "approval.vote_cast.v1":
		return decode[VoteCast](name, data)
	case "approval.approved.v1":
		return decode[Approved](name, data)
	case "approval.denied.v1":
		return decode[Denied](name, data)
	case "approval.expired.v1":
		return decode[Expired](name, data)
	case "approval.withdrawn.v1":
		return decode[Withdrawn](name, data)
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
