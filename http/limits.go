package http

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Limits bounds what callers can take. A zero field means its default.
type Limits struct {
	InFlight             int        // requests at once; 2048
	InFlightPerWorkspace int        // half of InFlight, so that one flood leaves room
	Places               int        // requests worked on at once, by turns of workspaces; 512
	Streams              int        // server-sent event streams at once; 512
	StreamsPerWorkspace  int        // 64
	BodyBytes            int64      // of request bodies in memory at once; 256 MiB
	PerWorkspace         rate.Limit // requests a second; 20,000
	PerCredential        rate.Limit // requests a second; 20,000
	PerAddress           rate.Limit // requests a second without a valid token; 100
}

func (l Limits) orDefault() Limits {
	l.InFlight = or(l.InFlight, 2048)
	l.InFlightPerWorkspace = or(l.InFlightPerWorkspace, max(1, l.InFlight/2))
	l.Places = or(l.Places, 512)
	l.Streams = or(l.Streams, 512)
	l.StreamsPerWorkspace = or(l.StreamsPerWorkspace, 64)
	l.BodyBytes = or(l.BodyBytes, 256<<20)
	l.PerWorkspace = or(l.PerWorkspace, 20_000)
	l.PerCredential = or(l.PerCredential, 20_000)
	l.PerAddress = or(l.PerAddress, 100)
	return l
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// limiter holds the counters behind Limits.
type limiter struct {
	Limits
	inFlight  atomic.Int64
	streams   atomic.Int64
	bodyBytes atomic.Int64

	turns       *turns
	workspaces  buckets
	credentials buckets
	addresses   buckets
}

func newLimiter(l Limits) *limiter {
	l = l.orDefault()
	return &limiter{Limits: l,
		turns:       newTurns(l.Places, l.InFlightPerWorkspace),
		workspaces:  buckets{limit: l.PerWorkspace},
		credentials: buckets{limit: l.PerCredential},
		addresses:   buckets{limit: l.PerAddress},
	}
}

// take adds n to counter unless that would pass limit.
func take(counter *atomic.Int64, n, limit int64) bool {
	if counter.Add(n) <= limit {
		return true
	}
	counter.Add(-n)
	return false
}

// anonymous counts a call without a valid token against its address.
func (l *limiter) anonymous(r *http.Request) error {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if !l.addresses.get(host).AllowN(time.Now(), 1) {
		return errRateLimited
	}
	return nil
}

// enter counts an authenticated call against its credential and its workspace
// and answers how to leave again. Streams are counted apart from other
// requests, since they stay.
func (l *limiter) enter(c *call) (leave func(), err error) {
	now := time.Now()
	if c.caller.Credential != "" && !l.credentials.get(string(c.caller.Credential)).AllowN(now, 1) {
		return nil, errRateLimited
	}
	if c.caller.Workspace == "" {
		return func() {}, nil
	}
	b := l.workspaces.get(string(c.caller.Workspace))
	if !b.AllowN(now, 1) {
		return nil, errRateLimited
	}
	if c.op.streams {
		return l.enterStream(c, b)
	}
	if !take(&b.inFlight, 1, int64(l.InFlightPerWorkspace)) {
		return nil, errRateLimited
	}
	return func() { b.inFlight.Add(-1) }, nil
}

func (l *limiter) enterStream(c *call, b *bucket) (func(), error) {
	if !take(&b.streams, 1, int64(l.StreamsPerWorkspace)) {
		return nil, errRateLimited
	}
	if !take(&l.streams, 1, int64(l.Streams)) {
		b.streams.Add(-1)
		return nil, errOverloaded
	}
	c.release()
	return func() { b.streams.Add(-1); l.streams.Add(-1) }, nil
}

// bucket is what one workspace, credential or address has taken.
type bucket struct {
	*rate.Limiter
	used     atomic.Int64 // unix seconds
	inFlight atomic.Int64
	streams  atomic.Int64
}

const (
	maxBuckets = 1 << 16
	bucketIdle = 60 // seconds; a bucket is full again long before
)

// buckets is a bounded map of buckets by name.
type buckets struct {
	limit rate.Limit
	mu    sync.RWMutex
	named map[string]*bucket
}

func (b *buckets) get(name string) *bucket {
	now := time.Now().Unix()
	b.mu.RLock()
	found := b.named[name]
	b.mu.RUnlock()
	if found == nil {
		found = b.add(name, now)
	}
	if found.used.Load() != now {
		found.used.Store(now)
	}
	return found
}

func (b *buckets) add(name string, now int64) *bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	if found := b.named[name]; found != nil {
		return found
	}
	if b.named == nil {
		b.named = map[string]*bucket{}
	}
	if len(b.named) >= maxBuckets {
		b.evict(now)
	}
	made := &bucket{Limiter: rate.NewLimiter(b.limit, max(1, int(b.limit)))}
	made.used.Store(now)
	b.named[name] = made
	return made
}

// evict drops idle buckets, and any others that hold nothing when all are
// busy: forgetting a bucket only forgives what its owner sent lately.
func (b *buckets) evict(now int64) {
	for name, e := range b.named {
		if e.used.Load() < now-bucketIdle && e.inFlight.Load()+e.streams.Load() == 0 {
			delete(b.named, name)
		}
	}
	for name, e := range b.named {
		if len(b.named) < maxBuckets {
			return
		}
		if e.inFlight.Load()+e.streams.Load() == 0 {
			delete(b.named, name)
		}
	}
}
