package journal

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// ErrUnknownEvent says that a stored name is not one of this package's.
var ErrUnknownEvent = errors.New("not an entry of a journal")

// Decode reads a stored event. Members it does not know are ignored, so that
// an older reader survives optional ones added later.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "access.denied.v1":
		return domain.DecodeEvent[Denied](data)
	case "access.content_opened.v1":
		return domain.DecodeEvent[ContentOpened](data)
	case "access.searched.v1":
		return domain.DecodeEvent[Searched](data)
	case "access.exported.v1":
		return domain.DecodeEvent[Exported](data)
	case "system.operator_acted.v1":
		return domain.DecodeEvent[OperatorActed](data)
	}
	return nil, fmt.Errorf("%q: %w", name, ErrUnknownEvent)
}
