package http

import (
	"net/http"
	"net/netip"
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
	Open                 int        // calls that need no token at once, and as many pages such as /docs; 64
	OpenPerAddress       int        // both of them together; 8
	WaitsPerCredential   int        // reads at once that wait for min_position; 16
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
	l.Open = or(l.Open, 64)
	l.OpenPerAddress = or(l.OpenPerAddress, 8)
	l.WaitsPerCredential = or(l.WaitsPerCredential, 16)
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
	open      atomic.Int64 // calls that need no token
	pages     atomic.Int64 // apart from those, so that reading the docs slowly keeps nobody from joining

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
	if !l.addresses.get(addressOf(r)).AllowN(time.Now(), 1) {
		return errRateLimited
	}
	return nil
}

// addressOf names whoever a request comes from. In IPv6 that is the network,
// since each subscriber has 2^64 addresses.
func addressOf(r *http.Request) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := from.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, _ := ip.Prefix(64) // never fails for IPv6
	return network.String()
}

// enter counts a call against its credential and its workspace, or against its
// address if it needs no token, and answers how to leave again. Streams are
// counted apart from other requests, since they stay.
func (l *limiter) enter(r *http.Request, c *call) (leave func(), err error) {
	if c.op.rule.open {
		return l.enterOpen(r, &l.open)
	}
	now := time.Now()
	if c.caller.Credential != "" && !l.credentials.get(string(c.caller.Credential)).AllowN(now, 1) {
		return nil, errRateLimited
	}
	if c.caller.Workspace == "" {
		return nil, nil
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

// enterOpen counts what needs no token among all that do not, and against its
// address.
func (l *limiter) enterOpen(r *http.Request, all *atomic.Int64) (leave func(), err error) {
	b := l.addresses.get(addressOf(r))
	if !take(&b.inFlight, 1, int64(l.OpenPerAddress)) {
		return nil, errRateLimited
	}
	if !take(all, 1, int64(l.Open)) {
		b.inFlight.Add(-1)
		return nil, errOverloaded
	}
	return func() { b.inFlight.Add(-1); all.Add(-1) }, nil
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
	waiting  atomic.Int64
}

// held reports whether anybody counts on the bucket to be there later.
func (b *bucket) held() bool { return b.inFlight.Load()+b.streams.Load()+b.waiting.Load() > 0 }

const maxBuckets = 1 << 16

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
		b.evict()
	}
	made := &bucket{Limiter: rate.NewLimiter(b.limit, max(1, int(b.limit)))}
	made.used.Store(now)
	b.named[name] = made
	return made
}

// evictSample is how many buckets are looked at to forget one.
const evictSample = 16

// evict drops the bucket that was used longest ago among a few: looking at all
// would make each new address as dear as all the others together. Forgetting a
// bucket only forgives what its owner sent lately. Those that hold something
// stay; they are so few that a sample of nothing else does not happen, and then
// the map is larger by one. It answers at how many it looked.
func (b *buckets) evict() (looked int) {
	var oldest string
	found, least := false, int64(0)
	for name, e := range b.named {
		if used := e.used.Load(); !e.held() && (!found || used < least) {
			oldest, least, found = name, used, true
		}
		if looked++; looked == evictSample {
			break
		}
	}
	if found {
		delete(b.named, oldest)
	}
	return looked
}
