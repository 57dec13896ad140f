package eventstoredb

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
	// lastSearchPause is shorter, because somebody waits for the end of it.
	lastSearchPause = 500 * time.Millisecond
)

// pause waits longer with each failure in a row, and never as long as its
// neighbours do.
func pause(ctx context.Context, failures int, longest time.Duration) {
	wait := min(firstPause<<min(failures-1, 10), longest)
	wait = wait/2 + rand.N(wait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
