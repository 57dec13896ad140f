package policy

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// ErrUnknownEvent says that a stored name is not one of this package's.
var ErrUnknownEvent = errors.New("not an event of the policies")

// Decode reads a stored event. Members it does not know are ignored, so that
// an older reader survives optional ones added later.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "policy.written.v1":
		return domain.DecodeEvent[Written](data)
	}
	return nil, fmt.Errorf("%q: %w", name, ErrUnknownEvent)
}
