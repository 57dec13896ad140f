package approval

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// ErrUnknownEvent says that a stored name is not one of this package's. A
// newer version of the ledger may have written it.
var ErrUnknownEvent = errors.New("approval: unknown event")

// Decode reads a stored event. It never panics, whatever the data. Members it
// does not know are passed over, since a newer version may have added them.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "approval.requested.v1":
		return domain.DecodeEvent[Requested](data)
	case "approval.vote_cast.v1":
		return domain.DecodeEvent[VoteCast](data)
	case "approval.escalated.v1":
		return domain.DecodeEvent[Escalated](data)
	case "approval.approved.v1":
		return domain.DecodeEvent[Approved](data)
	case "approval.denied.v1":
		return domain.DecodeEvent[Denied](data)
	case "approval.expired.v1":
		return domain.DecodeEvent[Expired](data)
	case "approval.withdrawn.v1":
		return domain.DecodeEvent[Withdrawn](data)
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, name)
}
