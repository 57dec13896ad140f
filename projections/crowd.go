package projections

import (
	runtimemetrics "runtime/metrics"
	"sync"
	"time"
)

// crowd tells whether the processors are in demand: whether goroutines of this
// process that could run had to wait for one.
type crowd struct {
	mu     sync.Mutex
	at     time.Time
	sample []runtimemetrics.Sample
	before []uint64
	dense  bool
}

const (
	crowdEvery = 50 * time.Millisecond // how often it is looked at
	longWait   = time.Millisecond      // for a processor, where none was free
	crowdShare = 20                    // it is a crowd if one in so many waits that long
)

func newCrowd() *crowd {
	return &crowd{sample: []runtimemetrics.Sample{{Name: "/sched/latencies:seconds"}}}
}

// is reports whether there was a crowd in the last moments.
func (c *crowd) is(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.at) < crowdEvery {
		return c.dense
	}
	c.at = now
	runtimemetrics.Read(c.sample)
	if c.sample[0].Value.Kind() != runtimemetrics.KindFloat64Histogram {
		return false // a runtime that does not tell
	}
	h := c.sample[0].Value.Float64Histogram()
	all, long := uint64(0), uint64(0)
	for i, n := range h.Counts {
		if i < len(c.before) {
			n -= c.before[i]
		}
		if all += n; h.Buckets[i] >= longWait.Seconds() {
			long += n
		}
	}
	c.before = append(c.before[:0], h.Counts...)
	c.dense = all > 0 && long*crowdShare >= all
	return c.dense
}
