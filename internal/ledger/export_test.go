package ledger

import (
	"context"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// NewChain makes the chain check of a follower that remembers few streams. It
// also answers how many it remembers at the moment.
func NewChain(log eventlog.Log, limit int) (check func(context.Context, *Record) error, size func() int) {
	c := newChain(log, limit)
	return c.check, func() int { return len(c.young) + len(c.old) }
}
