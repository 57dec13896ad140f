package ledger

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Delivery is what [Ledger.Follow] yields: a record, or word of how far it got.
type Delivery struct {
	Record   *Record           // nil for a mark
	Position eventlog.Position // everything the filters let through up to here was delivered
	CaughtUp bool              // a mark: the log's present end was reached
	More     bool              // the next delivery is a record, or an error, and comes without waiting
}

// Bounds of the pipeline between the log and the consumer. A chunk ends at
// whichever comes first. What is on its way is bounded by bytes as stored, so
// that a log full of large content stays bounded too; a consumer that is busy
// for a while, as with a commit, finds that much opened when it comes back.
const (
	chunkRecords = 32
	chunkBytes   = 48 << 10
	aheadChunks  = 256 // of chunkBytes; a larger one counts for several
)

// Follow yields the records that q selects, in order of position, checked and
// opened, and then stays for new ones until ctx ends or the log fails; the
// sequence ends with that error. A record that fails its check (digest, seal,
// or its place in its stream's chain) is a [*BadRecord] and ends the sequence.
// Only what q lets through is opened; a record whose predecessor it holds back
// is checked against the predecessor as stored, which costs a read. Content
// rides between the facts of executions: for a q that wants those facts it is
// read along, unopened, for the chain alone. Records of key streams come
// unopened and unchained, because their streams may be deleted.
//
// Records are opened ahead of the consumer on all cores. Nothing is left
// running when the sequence has ended.
func (l *Ledger) Follow(ctx context.Context, q eventlog.Query) iter.Seq2[Delivery, error] {
	return func(yield func(Delivery, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		p := newPipeline(ctx, l)
		q, p.unread = alongside(q)
		p.start(l.log.Subscribe(ctx, q))
		defer p.wait()
		defer cancel()
		p.run(newChain(l.log, chainStreams), yield)
	}
}

// alongside adds to a query for the facts of executions, and for no content,
// what rides with them, and reports whether it did.
func alongside(q eventlog.Query) (eventlog.Query, bool) {
	if !slices.Contains(q.TypePrefixes, "execution.") || slices.ContainsFunc(q.TypePrefixes, IsContent) {
		return q, false
	}
	q.TypePrefixes = append(slices.Clone(q.TypePrefixes), "content.prompt.", "content.completion.", "content.result.")
	return q, true
}

// Read yields the records that q selects, checked and opened like those of
// [Ledger.Follow], and ends where the log did. Backwards, the chain is not
// checked; digest and seal are.
func (l *Ledger) Read(ctx context.Context, q eventlog.Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		p := newPipeline(ctx, l)
		p.start(deliveries(l.log.Read(ctx, q)))
		defer p.wait()
		defer cancel()
		chain := newChain(l.log, chainStreams)
		if q.Backwards {
			chain = nil
		}
		p.run(chain, func(d Delivery, err error) bool {
			if err != nil {
				yield(Record{}, err)
				return false
			}
			return yield(*d.Record, nil)
		})
	}
}

// deliveries makes a read look like a subscription.
func deliveries(read iter.Seq2[eventlog.Recorded, error]) iter.Seq2[eventlog.Delivery, error] {
	return func(yield func(eventlog.Delivery, error) bool) {
		for r, err := range read {
			if !yield(eventlog.Delivery{Record: &r, Position: r.Position}, err) {
				return
			}
		}
	}
}

// pipeline opens records ahead, keeping their order: one goroutine reads the
// log, one gathers what is there into chunks, and some open chunks while those
// before them are consumed.
type pipeline struct {
	ctx     context.Context
	ledger  *Ledger
	raw     chan arrival
	sealed  chan *chunk   // to be opened, by whoever is free
	chunks  chan *chunk   // in order
	room    chan struct{} // holds as much as is on its way
	unread  bool          // content is for the chain alone
	openers int
	work    sync.WaitGroup
}

// arrival is what the log yielded; err ends the sequence.
type arrival struct {
	eventlog.Delivery
	err error
}

func (a *arrival) size() int {
	if a.Record == nil {
		return 0
	}
	return len(a.Record.Data) + len(a.Record.Meta)
}

// item is one delivery on its way.
type item struct {
	arrival
	opened Record
}

// chunk is a run of items that are opened together.
type chunk struct {
	items []item
	room  int // what it takes
	done  chan struct{}
}

func newPipeline(ctx context.Context, l *Ledger) *pipeline {
	return &pipeline{ctx: ctx, ledger: l, raw: make(chan arrival, chunkRecords), sealed: make(chan *chunk),
		chunks: make(chan *chunk, aheadChunks), room: make(chan struct{}, aheadChunks)}
}

func (p *pipeline) start(source iter.Seq2[eventlog.Delivery, error]) {
	p.work.Go(func() { p.read(source) })
	p.work.Go(p.gather)
}

func (p *pipeline) wait() { p.work.Wait() }

func (p *pipeline) read(source iter.Seq2[eventlog.Delivery, error]) {
	defer close(p.raw)
	for d, err := range source {
		select {
		case p.raw <- arrival{d, err}:
		case <-p.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// gather makes chunks of whatever has come, without waiting for more: alone
// when the log is quiet, in full chunks while catching up.
func (p *pipeline) gather() {
	defer close(p.chunks)
	defer close(p.sealed)
	for first := range p.raw {
		c := &chunk{items: append(make([]item, 0, 1+len(p.raw)), item{arrival: first}), done: make(chan struct{})}
		size := first.size()
	fill:
		for len(c.items) < chunkRecords && size < chunkBytes {
			select {
			case next, ok := <-p.raw:
				if !ok {
					break fill
				}
				c.items = append(c.items, item{arrival: next})
				size += next.size()
			default:
				break fill
			}
		}
		if c.room = min(1+size/chunkBytes, aheadChunks); !p.send(c) {
			return
		}
	}
}

// send gives a chunk to an opener and, in its turn, to the consumer. It waits
// for room, and answers false when ctx has ended.
func (p *pipeline) send(c *chunk) bool {
	for range c.room {
		select {
		case p.room <- struct{}{}:
		case <-p.ctx.Done():
			return false
		}
	}
	p.chunks <- c // there is a place for all that there is room for
	select {
	case p.sealed <- c:
		return true
	default:
	}
	if p.openers < runtime.GOMAXPROCS(0) {
		p.openers++
		p.work.Go(func() {
			for c := range p.sealed {
				p.open(c)
			}
		})
	}
	select {
	case p.sealed <- c:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// open opens a chunk's records in place.
func (p *pipeline) open(c *chunk) {
	defer close(c.done)
	for i := range c.items {
		it := &c.items[i]
		switch {
		case it.err != nil || it.Record == nil:
		case p.unread && IsContent(it.Record.Type):
			it.opened, _, it.err = Parse(it.Record)
		default:
			it.opened, it.err = p.ledger.Open(p.ctx, it.Record)
		}
	}
}

// run hands the opened records to the consumer in order.
func (p *pipeline) run(chain *chain, yield func(Delivery, error) bool) {
	for c := range p.chunks {
		select {
		case <-c.done:
		case <-p.ctx.Done(): // it may never be opened
			yield(Delivery{}, p.ctx.Err())
			return
		}
		for i := range c.items {
			it := &c.items[i]
			if it.err == nil && it.Record != nil && chain != nil {
				it.err = chain.check(p.ctx, &it.opened)
			}
			if it.err != nil {
				yield(Delivery{}, it.err)
				return
			}
			d := Delivery{Position: it.Position, CaughtUp: it.CaughtUp, More: p.more(c, i+1)}
			if p.wants(it) {
				d.Record, d.Position = &it.opened, it.opened.Position
			}
			p.ledger.saw(d.Position)
			if !yield(d, nil) {
				return
			}
		}
		for range c.room {
			<-p.room
		}
	}
	if err := p.ctx.Err(); err != nil {
		yield(Delivery{}, err)
	}
}

// wants reports whether an item is a record for the consumer.
func (p *pipeline) wants(it *item) bool {
	return it.Record != nil && !(p.unread && IsContent(it.Record.Type))
}

// more reports whether item i is a record for the consumer, or the error that
// came in its place.
func (p *pipeline) more(c *chunk, i int) bool {
	return i < len(c.items) && (p.wants(&c.items[i]) || c.items[i].err != nil)
}

// chainStreams is how many streams' ends a chain remembers at most, in two
// generations: the younger is full at half of it, and then the older goes.
// A stream that fell out costs one more read when it goes on.
const chainStreams = 1 << 14

// chain checks that each record names the one before it in its stream.
type chain struct {
	log        eventlog.Log
	limit      int
	young, old map[string]end
}

// end is a [Tail] without pointers, so that the collector need not look at it.
type end struct {
	revision int64
	micros   int64
	digest   [43]byte
}

func newChain(log eventlog.Log, limit int) *chain {
	return &chain{log: log, limit: limit, young: map[string]end{}}
}

// check checks r against its predecessor and remembers r.
func (c *chain) check(ctx context.Context, r *Record) error {
	if IsKeyStream(r.Stream) {
		return nil
	}
	if !r.own {
		tail, err := c.before(ctx, r)
		if err != nil {
			return err
		}
		if err := r.Follows(tail); err != nil {
			return err
		}
	}
	if len(c.young) >= c.limit/2 {
		c.young, c.old = map[string]end{}, c.young
	}
	e := end{revision: r.Revision, micros: r.Time.UnixMicro()}
	copy(e.digest[:], r.Link)
	c.young[r.Stream] = e
	return nil
}

// before answers the end of r's stream before r: as remembered, or as stored
// if the records since were held back by a filter or were before the start.
func (c *chain) before(ctx context.Context, r *Record) (Tail, error) {
	if r.Revision == 0 {
		return NoTail(), nil
	}
	e, ok := c.young[r.Stream]
	if !ok {
		e, ok = c.old[r.Stream]
	}
	if ok && e.revision >= r.Revision-1 {
		return Tail{Revision: e.revision, Digest: string(e.digest[:]), Time: time.UnixMicro(e.micros).UTC()}, nil
	}
	for stored, err := range c.log.Read(ctx, eventlog.Query{Stream: r.Stream, From: r.Revision - 1, Limit: 1}) {
		if err != nil {
			return Tail{}, fmt.Errorf("reading the record before %s@%d: %w", r.Stream, r.Revision, err)
		}
		before, _, err := Parse(&stored)
		return before.Tail(), err
	}
	return Tail{}, &BadRecord{r.Stream, r.Revision, r.Position, "the record before it is missing"}
}
