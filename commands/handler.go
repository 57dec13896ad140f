package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Log is what handlers need of the ledger.
type Log interface {
	Append(ctx context.Context, stream string, tail ledger.Tail, drafts []ledger.Draft) (ledger.Receipt, error)
	ReadStream(ctx context.Context, stream string, tail ledger.Tail) iter.Seq2[ledger.Record, error]
	ReadRecord(ctx context.Context, stream string, revision int64) (ledger.Record, error)
}

// Cache keeps folded states between processes; it only saves time.
type Cache interface {
	Save(ctx context.Context, stream, schema string, tail ledger.Tail, state []byte) error
	Load(ctx context.Context, stream, schema string) (state []byte, tail ledger.Tail, ok bool)
}

// IDs makes the ids of events.
type IDs interface {
	EventID(cmd domain.CommandID, n int) [16]byte
}

// attempts makes each decision's events unlike those of every other decision,
// of the same command too. The log takes a batch with known ids for a repeat of
// the same bytes; a command that another process has recorded meanwhile must
// instead conflict, and be answered with what was recorded.
type attempts struct {
	process string
	count   atomic.Uint64
}

func newAttempts() *attempts { return &attempts{process: randomKey()} }

// of answers what the ids of one attempt at a command derive from.
func (a *attempts) of(cmd domain.CommandID) domain.CommandID {
	return cmd + domain.CommandID("/"+a.process+strconv.FormatUint(a.count.Add(1), 36))
}

// Options tunes a [Handler].
type Options struct {
	Name    string // of the aggregate, for the snapshot's schema
	Forever bool   // remember command ids for the stream's life
	Shared  bool   // other processes write to the log
	Young   bool   // a stream not held is mostly one that has no records yet
	Streams int    // how many streams' states are held
	Queue   int    // how many commands may wait for one stream
	Now     func() time.Time
	Cache   Cache // nil for none
}

// stateSchema is part of every snapshot's schema: raise it when any State's
// JSON changes its meaning.
const stateSchema = 1

// Limits of one round of a writer.
const (
	maxConflicts = 16        // appends tried again because another process wrote
	roundBytes   = 700 << 10 // of one append; the log takes 1 MiB
	roundTime    = 20 * time.Second
	snapshotFrom = 500 // events since the last snapshot
	snapshotWait = time.Minute
)

// Handler decides commands of one kind of aggregate. It is safe for
// concurrent use.
type Handler[S domain.State[S, C, E], C any, E domain.Event] struct {
	log     Log
	ids     IDs
	tries   *attempts
	decode  func(name string, data []byte) (E, error)
	options Options
	writers *writers[S, C, E]
}

// NewHandler makes a Handler. decode is the aggregate's table of stored events.
func NewHandler[S domain.State[S, C, E], C any, E domain.Event](log Log, ids IDs,
	decode func(string, []byte) (E, error), options Options) *Handler[S, C, E] {
	return &Handler[S, C, E]{log: log, ids: ids, tries: newAttempts(), decode: decode, options: options,
		writers: newWriters[S, C, E](options.Streams)}
}

// Result is what came of a command. State is the stream's state after it (after
// a repeat: as it is now). No events means that nothing had to change.
type Result[S any, E any] struct {
	Receipt
	State  S
	Events []E
}

// Do decides the command that build makes of stream time, and answers when its
// events are durable. A refusal is a [*domain.Error].
func (h *Handler[S, C, E]) Do(ctx context.Context, stream string, call Call, build func(at time.Time) C, contents ...Content) (Result[S, E], error) {
	a := &ask[S, C, E]{call: call, build: build, contents: contents, done: make(chan struct{})}
	return h.submit(ctx, stream, a)
}

// Load answers the present state of a stream; exists is false if it has no
// records.
func (h *Handler[S, C, E]) Load(ctx context.Context, stream string) (state S, exists bool, err error) {
	a := &ask[S, C, E]{done: make(chan struct{})}
	r, err := h.submit(ctx, stream, a)
	return r.State, a.exists, err
}

// ask is one waiting command, or a wish to see the state if build is nil.
type ask[S, C, E any] struct {
	call     Call
	build    func(at time.Time) C
	contents []Content

	first, last int // its events among the round's
	result      Result[S, E]
	exists      bool
	err         error
	done        chan struct{}
}

// submit queues a for its stream's writer. Whoever finds the writer idle works
// for everybody who waits.
func (h *Handler[S, C, E]) submit(ctx context.Context, stream string, a *ask[S, C, E]) (Result[S, E], error) {
	w := h.writers.get(stream)
	defer h.writers.put(w)
	lead, err := w.join(a, h.options.Queue)
	if err != nil {
		return a.result, err
	}
	if lead {
		h.round(ctx, w)
	}
	select {
	case <-a.done:
		return a.result, a.err
	case <-ctx.Done():
		return Result[S, E]{}, fmt.Errorf("%w: %w", ErrOutcomeUnknown, ctx.Err())
	}
}

// round takes everything that waits for w, decides it and answers it. If more
// came meanwhile, another goroutine goes on, so that no caller works for ever.
func (h *Handler[S, C, E]) round(ctx context.Context, w *writer[S, C, E]) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), roundTime)
	defer cancel()
	asks := w.take()
	rest := h.settleSafely(ctx, w, asks)
	for _, a := range asks[:len(asks)-len(rest)] {
		close(a.done)
	}
	if w.leave(rest) {
		h.writers.hold(w)
		go func() {
			defer h.writers.put(w)
			h.round(context.Background(), w) // not ctx, or a busy stream's rounds would nest for ever
		}()
	}
}

// settleSafely is settle, but a panic in a decision ends the asks of this round
// with an error instead of leaving the stream without a worker for ever.
func (h *Handler[S, C, E]) settleSafely(ctx context.Context, w *writer[S, C, E], asks []*ask[S, C, E]) (rest []*ask[S, C, E]) {
	defer func() {
		if p := recover(); p != nil {
			w.forget()
			rest = nil
			for _, a := range asks {
				a.err = &panicked{w.stream, fmt.Sprintf("%T", p), string(debug.Stack())}
			}
		}
	}()
	return h.settle(ctx, w, asks)
}

// panicked says that a decision panicked. It tells where and not with what,
// which may hold content. It is no error that callers know, so it is logged.
type panicked struct{ stream, kind, stack string }

func (p *panicked) Error() string {
	return fmt.Sprintf("deciding on %s panicked with a %s:\n%s", p.stream, p.kind, p.stack)
}

// settle decides asks against w's state and appends their events once. It
// answers those that did not fit into the append.
func (h *Handler[S, C, E]) settle(ctx context.Context, w *writer[S, C, E], asks []*ask[S, C, E]) (rest []*ask[S, C, E]) {
	fresh, err := h.ready(ctx, w, asks)
	for try := 0; err == nil; try++ {
		var p plan[S, E]
		p, rest = h.decide(ctx, w, asks)
		asks := asks[:len(asks)-len(rest)]
		if !fresh && p.refused {
			err, fresh = h.renew(ctx, w), true // the log may hold what makes the difference
			continue
		}
		if len(p.drafts) == 0 {
			return rest
		}
		var receipt ledger.Receipt
		receipt, err = h.log.Append(ctx, w.stream, w.tail, p.drafts)
		if err == nil {
			h.commit(w, asks, p, receipt)
			return rest
		}
		var wrong *eventlog.WrongRevision
		if !errors.As(err, &wrong) || try == maxConflicts {
			break
		}
		err, fresh = h.renew(ctx, w), true
	}
	if !loading(w.loaded, err) {
		w.forget() // what the stream holds is not known now
	}
	for _, a := range asks[:len(asks)-len(rest)] {
		a.err = translate(err)
	}
	return rest
}

// loading reports whether err only ran out of time while the stream was read
// for the first time: what was folded so far is right, and the next try goes on
// from there.
func loading(loaded bool, err error) bool {
	return !loaded && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, eventlog.ErrUnavailable))
}

// ready loads w's state if it is not held. It reports whether the state is
// known to be the log's present one. If not, the log has the last word: an
// append at a wrong revision fails, and a refusal is looked at again. So a
// young stream is taken for empty without asking.
func (h *Handler[S, C, E]) ready(ctx context.Context, w *writer[S, C, E], asks []*ask[S, C, E]) (fresh bool, err error) {
	reads := slices.ContainsFunc(asks, func(a *ask[S, C, E]) bool { return a.build == nil })
	switch {
	case !w.loaded && h.options.Young && !reads && w.tail.Revision == eventlog.NoStream:
		w.forget()
		w.loaded = true
		return false, nil
	case !w.loaded:
		return true, h.load(ctx, w)
	case !h.options.Shared:
		return true, nil
	case reads:
		return true, h.refresh(ctx, w)
	}
	return false, nil
}

// translate makes errors of the log and of ctx those of this package.
func translate(err error) error {
	var wrong *eventlog.WrongRevision
	switch {
	case errors.Is(err, ledger.ErrForged):
		return fmt.Errorf("%w: %w", ErrIntegrity, err)
	case errors.Is(err, eventlog.ErrUnknownOutcome):
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	case errors.As(err, &wrong):
		return fmt.Errorf("%w: other processes keep writing to the stream: %w", ErrBusy, err)
	case errors.Is(err, eventlog.ErrUnavailable), errors.Is(err, eventlog.ErrClosed), errors.Is(err, eventlog.ErrDamaged),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, eventlog.ErrTooLarge):
		return domain.Refuse(domain.Invalid, "too_large", "What this call would record exceeds what the log takes at once. Send less in one call.")
	}
	return err
}

// plan is what a round would write and where it would lead.
type plan[S, E any] struct {
	drafts  []ledger.Draft
	state   S
	at      time.Time // of the last event
	refused bool      // an ask was refused, or had nothing to do
}

// decide decides asks in order, each on the state the ones before it lead to,
// until the append is full.
func (h *Handler[S, C, E]) decide(ctx context.Context, w *writer[S, C, E], asks []*ask[S, C, E]) (plan[S, E], []*ask[S, C, E]) {
	p := plan[S, E]{state: w.state, at: w.tail.Time}
	size := 0
	for i, a := range asks {
		a.err, a.result, a.first, a.last = nil, Result[S, E]{}, len(p.drafts), len(p.drafts)
		if a.build == nil {
			a.result.State, a.exists = w.state, w.tail.Revision != eventlog.NoStream
			continue
		}
		if twin(asks[:i], a) {
			return p, asks[i:]
		}
		if h.replay(ctx, w, a) {
			continue
		}
		at := stamp(h.options.Now(), p.at)
		events, err := p.state.Decide(a.build(at))
		if err != nil || len(events) == 0 {
			p.refused = true
			a.err, a.result.State, a.result.At, a.result.Position = err, p.state, at, w.last
			continue
		}
		drafts, more, err := h.draft(a, events, at)
		if err != nil {
			p.refused, a.err = true, err
			continue
		}
		if size += more; size > roundBytes && i > 0 {
			return p, asks[i:]
		}
		p.state, p.at = domain.Fold[S, C, E](p.state, events...), at
		p.drafts = append(p.drafts, drafts...)
		a.last = len(p.drafts)
		a.result = Result[S, E]{Receipt: Receipt{At: at}, State: p.state, Events: events}
	}
	return p, nil
}

// stamp is stream time: the clock's, in the log's precision, never before the
// stream's last record.
func stamp(now, last time.Time) time.Time {
	now = now.UTC().Truncate(time.Microsecond)
	if now.Before(last) {
		return last
	}
	return now
}

// draft makes the records of a decision: its facts, then the contents that
// they name. size is about what they take in the log.
func (h *Handler[S, C, E]) draft(a *ask[S, C, E], events []E, at time.Time) (drafts []ledger.Draft, size int, err error) {
	drafts = make([]ledger.Draft, 0, len(events)+len(a.contents))
	attempt := h.tries.of(a.call.ID)
	add := func(name string, payload []byte, subject domain.SubjectTag) {
		drafts = append(drafts, ledger.Draft{ID: h.ids.EventID(attempt, len(drafts)), Type: name, Payload: payload,
			Subject: subject, Time: at, Actor: a.call.Actor, Credential: a.call.Credential,
			Correlation: a.call.Correlation, Cause: a.call.ID})
		size += len(payload) + ledger.Overhead
	}
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			return nil, 0, fmt.Errorf("writing %s: %w", e.EventType(), err)
		}
		add(e.EventType(), ledger.WrapFact(a.call.MAC, data), "")
	}
	for _, c := range a.contents {
		add(c.Type, c.Payload, c.Subject)
	}
	return drafts, size, nil
}

// commit makes what was appended the writer's state and notes its commands.
func (h *Handler[S, C, E]) commit(w *writer[S, C, E], asks []*ask[S, C, E], p plan[S, E], receipt ledger.Receipt) {
	base := w.tail.Revision + 1
	for _, a := range asks {
		if a.first == a.last {
			continue
		}
		w.seen.add(a.call.ID, a.call.MAC, base+int64(a.first), a.result.At)
		w.seen.add(a.call.ID, a.call.MAC, base+int64(a.last-1), a.result.At)
		a.result.Position = receipt.Position
	}
	w.state, w.tail, w.last = p.state, receipt.Tail, receipt.Position
	if !h.options.Forever {
		w.seen.forget(receipt.Tail.Time)
	}
	w.since += len(p.drafts)
	h.snapshot(w)
}
