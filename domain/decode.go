package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// errNoObject says that stored data is JSON of another shape than an event's.
var errNoObject = errors.New("an event is a JSON object")

// DecodeEvent reads stored data as an event of the shape E. It never panics,
// whatever the data. Members it does not know are passed over, since a newer
// version may have added them.
func DecodeEvent[E Event](data []byte) (E, error) {
	var e, none E
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return none, fmt.Errorf("decoding %s: %w", e.EventType(), errNoObject)
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return none, fmt.Errorf("decoding %s: %w", none.EventType(), err)
	}
	return e, nil
}
