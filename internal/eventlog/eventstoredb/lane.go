package eventstoredb

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	// firstPatience is how long a client may leave every call unanswered before
	// it is replaced. Each replacement doubles it, up to lastPatience, because
	// a client that was given up keeps searching until a server answers.
	firstPatience = 30 * time.Second
	lastPatience  = 8 * time.Hour
)

// lane is one kind of calls and the client they use, one at a time. A client
// that lost its server or answers nobody is retired: later calls get a new one,
// and the old one is closed when its last call has come back, never before.
type lane struct {
	name   string
	limit  int // calls at a time
	dial   func() (*esdb.Client, error)
	logger *slog.Logger

	mu       sync.Mutex
	current  *client // nil until needed
	patience time.Duration
	closed   bool
	busy     sync.WaitGroup // calls, also those left behind
}

// client is an esdb client and who uses it.
type client struct {
	es    *esdb.Client
	slots chan struct{}
	gone  chan struct{} // closed when retired

	// Guarded by the lane's mutex.
	users   int
	retired bool
	alive   time.Time // when it last answered, or began to be used
}

func newLane(name string, limit int, dial func() (*esdb.Client, error), logger *slog.Logger) *lane {
	return &lane{name: name, limit: limit, dial: dial, logger: logger, patience: firstPatience}
}

// borrow gets the current client as soon as it has room for one more call.
// Every borrow is followed by one giveBack.
func (n *lane) borrow(ctx context.Context) (*client, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c, err := n.present()
		if err != nil {
			return nil, err
		}
		select {
		case c.slots <- struct{}{}:
			if n.enter(c) {
				return c, nil
			}
			<-c.slots
		case <-c.gone:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryBorrow is borrow without waiting; it is nil when the client is full.
func (n *lane) tryBorrow() (*client, error) {
	c, err := n.present()
	if err != nil {
		return nil, err
	}
	select {
	case c.slots <- struct{}{}:
		if n.enter(c) {
			return c, nil
		}
		<-c.slots
	default:
	}
	return nil, nil
}

func (n *lane) present() (*client, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, eventlog.ErrClosed
	}
	if n.current == nil {
		es, err := n.dial()
		if err != nil {
			return nil, fmt.Errorf("making a client: %w", err)
		}
		n.current = &client{es: es, slots: make(chan struct{}, n.limit), gone: make(chan struct{}), alive: time.Now()}
	}
	return n.current, nil
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

// lanes are as many lanes as there are subscriptions to carry. A subscription
// holds its place as long as it lasts.
type lanes struct {
	limit  int
	dial   func() (*esdb.Client, error)
	logger *slog.Logger

	mu     sync.Mutex
	all    []*lane
	closed bool
}

func (s *lanes) borrow() (*lane, *client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, eventlog.ErrClosed
	}
	for _, n := range s.all {
		if c, err := n.tryBorrow(); c != nil || err != nil {
			return n, c, err
		}
	}
	n := newLane("subscriptions", s.limit, s.dial, s.logger)
	s.all = append(s.all, n)
	c, err := n.tryBorrow()
	return n, c, err
}

func (s *lanes) shut() {
	s.mu.Lock()
	s.closed = true
	all := s.all
	s.mu.Unlock()
	for _, n := range all {
		n.shut()
	}
}
