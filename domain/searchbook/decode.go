package searchbook

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// ErrUnknownEvent says that a stored name is not one of this package's.
var ErrUnknownEvent = errors.New("not an event of a search book")

// Decode reads a stored event. Members it does not know are passed over.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "search.saved.v1":
		return domain.DecodeEvent[Saved](data)
	case "search.deleted.v1":
		return domain.DecodeEvent[Deleted](data)
	case "search.retention_set.v1":
		return domain.DecodeEvent[RetentionSet](data)
	}
	return nil, fmt.Errorf("%q: %w", name, ErrUnknownEvent)
}
