package policy

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrUnknownEvent says that a stored name is not one of this package's.
var ErrUnknownEvent = errors.New("not an event of the policies")

// Decode reads a stored event. Members it does not know are ignored, so that
// an older reader survives optional ones added later.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "policy.written.v1":
		return decode[Written](data)
	}
	return nil, fmt.Errorf("%q: %w", name, ErrUnknownEvent)
}

func decode[E Event](data []byte) (Event, error) {
	var e E
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", e.EventType(), err)
	}
	return e, nil
}
