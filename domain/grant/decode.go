package grant

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// ErrUnknownEvent says that a stored name is not one of this package's. A
// newer version of the ledger may have written it.
var ErrUnknownEvent = errors.New("grant: unknown event")

// Decode reads a stored event. It never panics, whatever the data. Members it
// does not know are passed over, since a newer version may have added them.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "grant.given.v1":
		return domain.DecodeEvent[Given](data)
	case "grant.used.v1":
		return domain.DecodeEvent[Used](data)
	case "grant.revoked.v1":
		return domain.DecodeEvent[Revoked](data)
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, name)
}
