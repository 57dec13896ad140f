package projections

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// progress is how far a model has got: its position, who waits for it, and the
// last moment at which it is known to have held everything the log held.
type progress struct {
	position atomic.Uint64
	due      atomic.Uint64 // lowest position that somebody wants to know about; 0 if none

	mu      sync.Mutex
	targets []target // heads that were seen and are not reached yet, ascending
	waiters []waiter
	fresh   time.Time
}

// waiter waits for a position; done is closed when it is reached.
type waiter struct {
	position eventlog.Position
	done     chan struct{}
}

// target is the log's end at a moment.
type target struct {
	position eventlog.Position
	at       time.Time
}

// maxTargets bounds what a model that is far behind remembers: the first ones
// say when it gets fresh again, the last one is replaced by newer ones.
const maxTargets = 64

func (p *progress) at() eventlog.Position { return eventlog.Position(p.position.Load()) }

// restart goes back to a position if the model is made again; it is not fresh
// before it has caught up.
func (p *progress) restart(at eventlog.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at() > at {
		p.position.Store(uint64(at))
		p.fresh = time.Time{}
	}
}

// advance moves on to a position and tells whoever waits for it. Lower
// positions change nothing.
func (p *progress) advance(to eventlog.Position) {
	for {
		old := p.position.Load()
		if uint64(to) <= old {
			return
		}
		if p.position.CompareAndSwap(old, uint64(to)) {
			break
		}
	}
	if due := p.due.Load(); due == 0 || uint64(to) < due {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle()
}

// settle takes the targets and waiters that are reached; called with mu held.
func (p *progress) settle() {
	at, n := p.at(), 0
	for ; n < len(p.targets) && p.targets[n].position <= at; n++ {
		if t := p.targets[n].at; t.After(p.fresh) {
			p.fresh = t
		}
	}
	p.targets = append(p.targets[:0], p.targets[n:]...)
	var due eventlog.Position
	if len(p.targets) > 0 {
		due = p.targets[0].position
	}
	waiting := p.waiters[:0]
	for _, w := range p.waiters {
		if w.position <= at {
			close(w.done)
			continue
		}
		waiting = append(waiting, w)
		if due == 0 || w.position < due {
			due = w.position
		}
	}
	p.waiters = waiting
	p.due.Store(uint64(due))
	if p.at() > at {
		p.settle() // an advance since did not see the new due
	}
}

// expect notes that the log ended at head at a moment.
func (p *progress) expect(head eventlog.Position, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.targets); n >= maxTargets {
		p.targets = p.targets[:n-1]
	}
	p.targets = append(p.targets, target{head, at})
	p.settle()
}

// freshness is how long ago the model is known to have held everything; false
// if it never did.
func (p *progress) freshness() (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.fresh), !p.fresh.IsZero()
}

// wait waits until the model got to a position, or ctx ends.
func (p *progress) wait(ctx context.Context, position eventlog.Position) error {
	if p.at() >= position {
		return nil
	}
	done := make(chan struct{})
	p.mu.Lock()
	p.waiters = append(p.waiters, waiter{position, done})
	p.settle()
	p.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters = slices.DeleteFunc(p.waiters, func(w waiter) bool { return w.done == done })
	return context.Cause(ctx)
}

// awaited reports whether anybody waits for anything.
func (p *progress) awaited() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiters) > 0
}

// awaits reports whether somebody waits for a position up to at.
func (p *progress) awaits(at eventlog.Position) bool {
	if due := p.due.Load(); due == 0 || due > uint64(at) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.waiters, func(w waiter) bool { return w.position <= at })
}
