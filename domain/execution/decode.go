package execution

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// ErrUnknownEvent says that a stored name is not one of this package's. A
// newer version of the ledger may have written it.
var ErrUnknownEvent = errors.New("execution: unknown event")

// Decode reads a stored event. It never panics, whatever the data. Members it
// does not know are passed over, since a newer version may have added them.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "execution.requested.v1":
		return domain.DecodeEvent[Requested](data)
	case "execution.action_requested.v1":
		return domain.DecodeEvent[ActionRequested](data)
	case "execution.action_authorized.v1":
		return domain.DecodeEvent[ActionAuthorized](data)
	case "execution.action_denied.v1":
		return domain.DecodeEvent[ActionDenied](data)
	case "execution.action_started.v1":
		return domain.DecodeEvent[ActionStarted](data)
	case "execution.prompt_recorded.v1":
		return domain.DecodeEvent[PromptRecorded](data)
	case "execution.completion_recorded.v1":
		return domain.DecodeEvent[CompletionRecorded](data)
	case "execution.prompt_failed.v1":
		return domain.DecodeEvent[PromptFailed](data)
	case "execution.completed.v1":
		return domain.DecodeEvent[Completed](data)
	case "execution.failed.v1":
		return domain.DecodeEvent[Failed](data)
	case "execution.cancelled.v1":
		return domain.DecodeEvent[Cancelled](data)
	case "execution.prompt_resolved.v1":
		return domain.DecodeEvent[PromptResolved](data)
	case "execution.resolved.v1":
		return domain.DecodeEvent[Resolved](data)
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, name)
}
