package crypto

import (
	"context"
	"sync"
	"sync/atomic"
)

// cache is a bounded map for readers on all cores: a hit takes a read lock and
// at most one atomic store. Which entry makes room is decided by the least
// recently used of a few picked at random, so what is in steady use stays.
type cache[K comparable, V any] struct {
	mu      sync.RWMutex
	entries map[K]*cached[V]
	size    int
	epoch   uint64       // counts drops
	tick    atomic.Int64 // counts puts: the clock by which use is recent
}

type cached[V any] struct {
	value V
	used  atomic.Int64 // the tick of its last use
}

// evictionSample is how many entries compete for leaving.
const evictionSample = 16

func newCache[K comparable, V any](size int) *cache[K, V] {
	return &cache[K, V]{entries: make(map[K]*cached[V]), size: size}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.RLock()
	e, ok := c.entries[key]
	c.mu.RUnlock()
	if !ok {
		var none V
		return none, false
	}
	// While nothing is put, hits write nothing that other cores read.
	if tick := c.tick.Load(); e.used.Load() != tick {
		e.used.Store(tick)
	}
	return e.value, true
}

// mark answers the epoch to hand to put: call it before looking up what to put.
func (c *cache[K, V]) mark() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.epoch
}

// put keeps value, unless something was dropped since the mark: value might be
// what was meant to go.
func (c *cache[K, V]) put(key K, value V, mark uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != mark {
		return
	}
	if _, ok := c.entries[key]; !ok && len(c.entries) >= c.size {
		c.evict()
	}
	e := &cached[V]{value: value}
	e.used.Store(c.tick.Add(1))
	c.entries[key] = e
}

func (c *cache[K, V]) evict() {
	var oldest K
	var oldestUse int64
	seen := 0
	for k, e := range c.entries { // in random order
		if used := e.used.Load(); seen == 0 || used < oldestUse {
			oldest, oldestUse = k, used
		}
		if seen++; seen == evictionSample {
			break
		}
	}
	delete(c.entries, oldest)
}

// drop removes what matches, and what is being looked up right now.
func (c *cache[K, V]) drop(match func(K, V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for k, e := range c.entries {
		if match(k, e.value) {
			delete(c.entries, k)
		}
	}
}

// flights lets one caller per key do the work while others wait for it.
type flights[K comparable] struct {
	mu  sync.Mutex
	now map[K]chan struct{}
}

// enter waits until nobody is in flight for key, and puts the caller there.
// The caller then looks whether the work is already done, and leaves by done.
func (f *flights[K]) enter(ctx context.Context, key K) (done func(), err error) {
	for {
		f.mu.Lock()
		other, busy := f.now[key]
		if !busy {
			mine := make(chan struct{})
			f.now[key] = mine
			f.mu.Unlock()
			return func() { f.leave(key, mine) }, nil
		}
		f.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (f *flights[K]) leave(key K, mine chan struct{}) {
	f.mu.Lock()
	delete(f.now, key)
	f.mu.Unlock()
	close(mine)
}
