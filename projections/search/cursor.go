package search

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Cursor is where a page ended, in a form that invites nobody to compute it.
type Cursor string

// CursorAt is the cursor of a page whose last row is at a position.
func CursorAt(o Order, at eventlog.Position) Cursor {
	return Cursor(base64.RawURLEncoding.EncodeToString(strconv.AppendUint([]byte{o.letter()}, uint64(at), 36)))
}

func (o Order) letter() byte {
	if o == OldestFirst {
		return 'o'
	}
	return 'n'
}

// Position is the last row's of the page before, and 0 for no cursor. It is
// [ErrCursor] for one of another order, or of nothing.
func (c Cursor) Position(o Order) (eventlog.Position, error) {
	if c == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(string(c))
	if err == nil && len(raw) > 1 {
		var n uint64
		n, err = strconv.ParseUint(string(raw[1:]), 36, 64)
		if at := eventlog.Position(n); err == nil && n > 0 && n <= math.MaxInt64 && CursorAt(o, at) == c {
			return at, nil
		}
	}
	return 0, fmt.Errorf("%w: begin the search anew", ErrCursor)
}
