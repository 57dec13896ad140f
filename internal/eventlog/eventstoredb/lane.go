package eventstoredb

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	// firstPatience is how long a client may leave every call unanswered before
	// it is replaced. Each replacement doubles it, up to lastPatience.
	firstPatience = 30 * time.Second
	lastPatience  = 8 * time.Hour
	// soon is how short a client's life must be to make the next one wait: a
	// server that answers "not ready" to everything is not to be stormed.
	soon = time.Second
)

// lane is one kind of calls and the client they use, one at a time. A client
// that lost its server or answers nobody is retired: later calls get a new one,
// and the old one is closed when its last call has come back, never before.
type lane struct {
	name    string
	limit   int // calls at a time
	connect func(context.Context) (*esdb.Client, error)
	closing context.Context
	logger  *slog.Logger
	jobs    chan func() // to workers that have nothing to do
	idle    atomic.Int32

	mu       sync.Mutex
	current  *client       // nil while there is no server
	arrived  chan struct{} // closed when current is set, or never will be; nil while nobody connects
	failure  error         // of the last attempt to connect
	flaps    int           // clients in a row that were retired soon
	patience time.Duration
	closed   bool
	busy     sync.WaitGroup // calls, also those left behind, and the connecting
}

// client is an esdb client and who uses it.
type client struct {
	es    *esdb.Client
	slots chan struct{}
	gone  chan struct{} // closed when retired

	// Guarded by the lane's mutex.
	users   int
	retired bool
	made    time.Time
	alive   time.Time // when it last answered, or began to be used
}

// borrow gets the current client as soon as there is one and it has room for
// one more call. Every borrow is followed by one giveBack.
func (n *lane) borrow(ctx context.Context) (*client, error) {
	for {
		if ctx.Err() != nil {
			return nil, n.tooLate(ctx)
		}
		c, arrived, err := n.present()
		switch {
		case err != nil:
			return nil, err
		case c == nil:
			select {
			case <-arrived:
			case <-ctx.Done():
			}
			continue
		}
		select {
		case c.slots <- struct{}{}:
			if n.enter(c) {
				return c, nil
			}
			<-c.slots
		case <-c.gone:
		case <-ctx.Done():
		}
	}
}

// tooLate says why ctx ended before a client was free.
func (n *lane) tooLate(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failure != nil {
		return fmt.Errorf("%w; the last attempt to connect failed: %w", context.Cause(ctx), n.failure)
	}
	return context.Cause(ctx)
}

// present is the current client, or else what to wait for.
func (n *lane) present() (*client, <-chan struct{}, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, nil, eventlog.ErrClosed
	}
	if n.current == nil && n.arrived == nil {
		n.arrived = make(chan struct{})
		n.busy.Go(n.search)
	}
	return n.current, n.arrived, nil
}

// search connects, however long that takes.
func (n *lane) search() {
	n.mu.Lock()
	flaps := n.flaps
	n.mu.Unlock()
	if flaps > 0 {
		pause(n.closing, flaps, lastSearchPause)
	}
	for failures := 1; ; failures++ {
		es, err := n.connect(n.closing)
		if n.found(es, err) {
			return
		}
		if failures == 1 {
			n.logger.Warn("eventstoredb: no server", "calls", n.name, "error", err)
		}
		pause(n.closing, failures, lastSearchPause)
	}
}

// found takes the result of one attempt to connect and says whether to stop.
func (n *lane) found(es *esdb.Client, err error) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failure = err
	over := n.closed || n.closing.Err() != nil
	if over && es != nil {
		_ = es.Close() // never fails; nobody else has it
	}
	if !over && err != nil {
		return false
	}
	if !over {
		n.current = &client{es: es, slots: make(chan struct{}, n.limit), gone: make(chan struct{}), made: time.Now()}
	}
	close(n.arrived)
	n.arrived = nil
	return true
}

func (n *lane) enter(c *client) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.retired {
		return false
	}
	if c.users == 0 {
		c.alive = time.Now()
	}
	c.users++
	n.busy.Add(1)
	return true
}

// giveBack ends a borrow, with what became of the call.
func (n *lane) giveBack(c *client, err error) {
	if lostServer(err) {
		n.retire(c, "it lost its server")
	}
	n.mu.Lock()
	if c.alive = time.Now(); err == nil {
		n.patience = firstPatience
	}
	c.users--
	last := c.retired && c.users == 0
	n.mu.Unlock()
	<-c.slots
	if last {
		_ = c.es.Close() // never fails
	}
	n.busy.Done()
}

// retire takes c out of service. It is harmless to retire a client twice.
func (n *lane) retire(c *client, why string) {
	n.mu.Lock()
	if c.retired {
		n.mu.Unlock()
		return
	}
	c.retired = true
	close(c.gone)
	if n.current == c {
		n.current = nil
	}
	if n.flaps++; time.Since(c.made) > soon {
		n.flaps = 0
	}
	idle, closed := c.users == 0, n.closed
	n.mu.Unlock()
	if !closed {
		n.logger.Warn("eventstoredb: replacing a client", "calls", n.name, "why", why)
	}
	if idle {
		_ = c.es.Close()
	}
}

// overdue is told of a call that c did not answer in time. It retires c when
// nothing else was answered for long either.
func (n *lane) overdue(c *client) {
	n.mu.Lock()
	hung := !c.retired && time.Since(c.alive) > n.patience
	if hung {
		n.patience = min(2*n.patience, lastPatience)
	}
	n.mu.Unlock()
	if hung {
		n.retire(c, "it answers nobody")
	}
}

// shut takes no more calls and waits for those under way.
func (n *lane) shut() {
	n.mu.Lock()
	n.closed = true
	c := n.current
	n.mu.Unlock()
	if c != nil {
		n.retire(c, "the log was closed")
	}
	n.busy.Wait()
}
