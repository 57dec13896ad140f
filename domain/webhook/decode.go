package webhook

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// ErrUnknownEvent says that a stored name is not one of this package's. A
// newer version of the ledger may have written it.
var ErrUnknownEvent = errors.New("webhook: unknown event")

// Decode reads a stored event. It never panics, whatever the data. Members it
// does not know are passed over, since a newer version may have added them.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "webhook.registered.v1":
		return domain.DecodeEvent[Registered](data)
	case "webhook.changed.v1":
		return domain.DecodeEvent[Changed](data)
	case "webhook.secret_rotated.v1":
		return domain.DecodeEvent[SecretRotated](data)
	case "webhook.removed.v1":
		return domain.DecodeEvent[Removed](data)
	case "webhook.test_requested.v1":
		return domain.DecodeEvent[TestRequested](data)
	case "webhook.delivered.v1":
		return domain.DecodeEvent[Delivered](data)
	case "webhook.attempt_failed.v1":
		return domain.DecodeEvent[AttemptFailed](data)
	case "webhook.abandoned.v1":
		return domain.DecodeEvent[Abandoned](data)
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, name)
}
