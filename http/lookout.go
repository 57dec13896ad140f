package http

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
)

// lookout lets this replica see what another one recorded a moment ago, before
// a token or an invitation is called unknown that somebody was just given. How
// often and for how many at once is bounded for all callers together, since
// they are not known: beyond that, what is unknown here is unknown.
type lookout struct {
	models  *projections.Models
	shared  bool // else there is nobody whose records could be missing here
	rate    *rate.Limiter
	looking atomic.Int64
}

const (
	looksPerSecond = 20
	looksAtOnce    = 16
	lookTime       = 300 * time.Millisecond
)

func newLookout(models *projections.Models, shared bool) *lookout {
	return &lookout{models: models, shared: shared, rate: rate.NewLimiter(looksPerSecond, looksPerSecond)}
}

// look waits until the access model holds what the log held when it was
// called. It reports whether asking the model again is of use.
func (l *lookout) look(ctx context.Context) bool {
	if !l.shared || !take(&l.looking, 1, looksAtOnce) {
		return false
	}
	defer l.looking.Add(-1)
	if !l.rate.Allow() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	// Each round reads the log's newest position and waits a moment for the
	// model; one more finds that the last one got there.
	for asked, round := time.Now(), 0; round < 4 && ctx.Err() == nil; round++ {
		if l.models.Stale(ctx, time.Since(asked), access.Name) == nil {
			break
		}
	}
	return true
}
