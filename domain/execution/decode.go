package execution

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrUnknownEvent says that a stored name is not one of this package's. A
// newer version of the ledger may have written it.
var ErrUnknownEvent = errors.New("execution: unknown event")

// errNoObject says that stored data is JSON of another shape than an event's.
var errNoObject = errors.New("an event is a JSON object")

// Decode reads a stored event. It never panics, whatever the data. Members it
// does not know are passed over, since a newer version may have added them.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "execution.requested.v1":
		return decode[Requested](name, data)
	case "execution.action_requested.v1":
		return decode[ActionRequested](name, data)
	case "execution.action_authorized.v1":
		return decode[ActionAuthorized](name, data)
	case "execution.action_denied.v1":
		return decode[ActionDenied](name, data)
	case "execution.action_started.v1":
		return decode[ActionStarted](name, data)
	case "execution.prompt_recorded.v1":
		return decode[PromptRecorded](name, data)
	case "execution.completion_recorded.v1":
		return decode[CompletionRecorded](name, data)
	case "execution.prompt_failed.v1":
		return decode[PromptFailed](name, data)
	case "execution.completed.v1":
		return decode[Completed](name, data)
	case "execution.failed.v1":
		return decode[Failed](name, data)
	case "execution.cancelled.v1":
		return decode[Cancelled](name, data)
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
