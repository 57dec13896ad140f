package eventstoredb

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// settle waits until a condition holds, which it must soon.
func settle(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after a minute", what)
		}
	}
}

// TestWorkersAreKept has more jobs at a time than a client carries calls: of
// their workers as many are kept, and used again.
func TestWorkersAreKept(t *testing.T) {
	const limit, jobs = 3, 10
	n, _ := newTestLane(t, limit, never)
	release := make(chan struct{})
	var running, done sync.WaitGroup
	running.Add(jobs)
	done.Add(jobs)
	for range jobs {
		n.run(func() { running.Done(); <-release; done.Done() })
	}
	running.Wait() // a job that waited for another's worker would never get here
	close(release)
	done.Wait()
	settle(t, "idle workers", func() bool { return n.idle.Load() == limit })
	hold, held := make(chan struct{}), make(chan struct{})
	n.jobs <- func() { close(held); <-hold } // as run does, once a worker waits for it
	<-held
	settle(t, "workers with one at work", func() bool { return n.idle.Load() == limit-1 })
	close(hold)
	settle(t, "idle workers again", func() bool { return n.idle.Load() == limit })
}

// TestClosingEndsCalls: a call that the client does not answer ends when the
// log closes, although its own context goes on.
func TestClosingEndsCalls(t *testing.T) {
	n, _ := newTestLane(t, 1, never)
	closing, stop := context.WithCancel(t.Context())
	n.closing = closing
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := call(ctx, n, func(ctx context.Context, _ *esdb.Client) (int, error) {
		stop()
		<-ctx.Done()
		return 0, nil
	})
	if !errors.Is(err, eventlog.ErrClosed) || classify(err) != unclear || ctx.Err() != nil {
		t.Errorf("call while the log closed: %v", err)
	}
}
