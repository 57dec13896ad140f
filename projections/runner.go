package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Rhythm of batches. A model whose lists are read from rows commits soon once
// it is live, at once when somebody waits for it, in large batches while it
// catches up: as many as the ledger opens ahead meanwhile. A model in memory
// commits seldom, and more seldom the longer a commit takes.
const (
	batchRecords = 4096
	liveDelay    = 20 * time.Millisecond
	liveGap      = 4 * time.Millisecond // between commits that somebody waits for
	catchUpDelay = 500 * time.Millisecond
	memoryDelay  = 2 * time.Second
	memoryDuty   = 20 // a commit that takes t is followed by a pause of 20 t
	minPause     = 50 * time.Millisecond
	maxPause     = 10 * time.Second
)

// runner runs one projection: it is the feed of its topic and the handler of
// its messages.
type runner struct {
	projection Projection
	spec       Spec
	source     Source
	file       *File
	log        *slog.Logger
	counts     *counters
	crowd      *crowd
	seen       progress // what answers stand for; freshness and WaitFor go by it

	// The two guards: batch for what is between log and rows, which includes
	// all calls of the projection; state for what Health shows.
	batch   sync.Mutex
	meta    meta
	taken   eventlog.Position // newest that was applied or marked
	last    anchor            // newest that was applied
	lastAt  eventlog.Position
	pending int
	live    bool
	ctx     context.Context // of the present subscription
	fail    context.CancelCauseFunc
	timer   *time.Timer
	flushed time.Time     // end of the last commit
	took    time.Duration // and how long it took
	sound   bool          // what the projection holds is what was applied since the checkpoint
	saved   atomic.Uint64 // meta.position, for Health

	probing atomic.Bool // somebody looks whether the log holds anything more for it

	state     sync.Mutex
	condition Condition
	reason    string
	since     time.Time
	pause     time.Duration
}

// errEnded says that a message belongs to a subscription that has ended.
var errEnded = errors.New("the subscription has ended")

// failedFlush is why a subscription ended: its batch could not be committed.
type failedFlush struct{ error }

func (f failedFlush) Unwrap() error { return f.error }

// Begin opens the file, or makes it again if it is of no use, and answers what
// to follow from its checkpoint on.
func (r *runner) Begin(ctx context.Context, fail context.CancelCauseFunc) (eventlog.Query, error) {
	r.batch.Lock()
	defer r.batch.Unlock()
	r.stopTimer()
	r.ctx, r.fail, r.pending, r.live, r.sound = ctx, fail, 0, false, false
	err := r.load(ctx)
	if damaged(err) {
		r.log.Warn("model is made again from the first record", "projection", r.spec.Name, "reason", err)
		r.counts.rebuilds.Inc()
		if err = r.file.remove(); err == nil {
			err = r.load(ctx)
		}
	}
	if err != nil {
		return eventlog.Query{}, fmt.Errorf("loading the model %s: %w", r.spec.Name, err)
	}
	r.taken, r.last, r.lastAt, r.flushed = r.meta.position, anchor{}, 0, time.Now()
	r.set(CatchingUp, nil)
	r.counts.stopped.Set(0)
	return eventlog.Query{After: r.meta.position, TypePrefixes: r.spec.Types}, nil
}

func (r *runner) load(ctx context.Context) (err error) {
	if err = r.file.open(); err != nil {
		return err
	}
	if r.meta, err = begin(ctx, r.file, r.projection, r.source); err != nil {
		return err
	}
	if err = r.projection.Load(ctx, r.file, r.meta.position); err != nil {
		return err
	}
	if err = r.file.cache(catchUpCache); err != nil {
		return err
	}
	r.sound = true
	r.saved.Store(uint64(r.meta.position))
	if !r.spec.Memory {
		r.seen.restart(r.meta.position) // rows that were thrown away are not seen any more
	}
	r.seen.advance(r.meta.position)
	return nil
}

// handle takes a message's records into the batch, in order. Tried again, it
// goes on at the record that failed.
func (r *runner) handle(m *message.Message) error {
	run, begun := runOf(m.Context()), time.Now()
	defer func() { r.rest(m.Context(), time.Since(begun)) }()
	r.batch.Lock()
	defer r.batch.Unlock()
	start := time.Now()
	for i, record := range run.records {
		if r.ctx.Err() != nil {
			return errEnded
		}
		if record.Position <= r.taken {
			continue // sent again though it was taken
		}
		run.at = i
		if err := r.take(m.Context(), record); err != nil {
			return err
		}
		now := time.Now()
		r.counts.handling.Observe(now.Sub(start).Seconds())
		r.counts.applied.Inc()
		start = now
	}
	return nil
}

// A model that lets others go first pauses while the processors are in demand.
// Once it is far behind it works all the same, a part of the time.
const (
	aside     = 100 * time.Millisecond
	farBehind = time.Minute
	restShare = 3
	longRest  = 250 * time.Millisecond
)

// rest lets others go first after some work, unless somebody waits for this.
func (r *runner) rest(ctx context.Context, worked time.Duration) {
	for r.spec.Delay > 0 {
		r.batch.Lock()
		live := r.live
		r.batch.Unlock()
		behind, ok := r.seen.freshness()
		if !live || !ok || r.seen.awaited() || !r.crowd.is(time.Now()) {
			return
		}
		pause := aside
		if behind > farBehind {
			pause = min(restShare*worked, longRest)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		if behind > farBehind {
			return
		}
	}
}

// take takes one record into the batch.
func (r *runner) take(ctx context.Context, record *ledger.Record) error {
	if err := r.projection.Apply(ctx, record); err != nil {
		return fmt.Errorf("record %s@%d at position %d can't be applied: %w", record.Stream, record.Revision, record.Position, err)
	}
	r.taken, r.lastAt = record.Position, record.Position
	if !ledger.IsKeyStream(record.Stream) {
		r.last = anchorOf(record)
	}
	r.pending++
	if r.spec.Memory {
		r.seen.advance(r.taken)
	}
	switch {
	case r.spec.Memory && r.pending > 1:
	case r.pending >= max(r.spec.Batch, batchRecords) && !r.spec.Memory:
		r.flush()
	case r.live && !r.spec.Memory && r.seen.awaits(r.taken):
		r.soon()
	case r.pending == 1:
		r.schedule(r.delay())
	}
	return nil
}

// soon commits at once, or a little later if a commit was just made.
func (r *runner) soon() {
	if wait := liveGap - time.Since(r.flushed); wait > 0 {
		r.schedule(wait)
		return
	}
	r.flush()
}

// delay is how long the first record of a batch waits at most.
func (r *runner) delay() time.Duration {
	switch {
	case r.spec.Memory:
		return max(memoryDelay, memoryDuty*r.took)
	case r.live:
		return max(liveDelay, r.spec.Delay)
	}
	return max(catchUpDelay, r.spec.Delay)
}

// Mark notes that the log holds nothing more for this model up to a position.
func (r *runner) Mark(d ledger.Delivery) {
	r.batch.Lock()
	defer r.batch.Unlock()
	arrived := d.CaughtUp && !r.live
	if arrived {
		r.live = true
		if r.pending > 0 && !r.spec.Memory {
			r.flush() // nobody is told that it is live before its rows are
		}
		if r.ctx.Err() != nil {
			return
		}
		r.set(Live, nil)
		if err := r.file.cache(liveCache); err != nil {
			r.log.Warn("page cache of a model stays as large as while it caught up", "projection", r.spec.Name, "error", err)
		}
	}
	r.reach(d.Position)
	switch {
	case r.pending == 0 || r.spec.Memory:
	case d.CaughtUp && r.seen.awaits(r.taken):
		r.soon()
	}
}

// reach moves on over records that are not for this model.
func (r *runner) reach(position eventlog.Position) {
	if position <= r.taken {
		return
	}
	r.taken = position
	if r.pending == 0 || r.spec.Memory {
		r.seen.advance(position)
	}
	if r.pending == 0 && r.timer == nil {
		r.schedule(memoryDelay) // the checkpoint may follow later
	}
}

// schedule makes the next flush happen after a time, whatever was scheduled.
func (r *runner) schedule(wait time.Duration) {
	ctx := r.ctx
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		r.batch.Lock()
		defer r.batch.Unlock()
		if r.timer == timer {
			r.timer = nil
		}
		if ctx == r.ctx && ctx.Err() == nil {
			r.flush()
		}
	})
	r.stopTimer()
	r.timer = timer
}

func (r *runner) stopTimer() {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
}

// flush commits the batch. If that fails, the subscription ends and a new one
// begins at the checkpoint; a model in memory goes on and tries again later,
// because what it answers does not depend on its rows.
func (r *runner) flush() {
	err := r.commit(r.ctx)
	if err == nil || r.ctx.Err() != nil {
		return
	}
	r.counts.failures.Inc()
	if r.spec.Memory && !damaged(err) && r.projection.Load(r.ctx, r.file, r.meta.position) == nil {
		r.sound = true
		r.log.Error("model could not be saved; it goes on in memory", "projection", r.spec.Name, "error", err)
		r.set(Unsaved, err)
		r.schedule(r.nextPause())
		return
	}
	r.fail(failedFlush{err})
}

// commit writes rows and checkpoint in one transaction.
func (r *runner) commit(ctx context.Context) error {
	r.stopTimer()
	if r.taken == r.meta.position || !r.sound {
		return nil
	}
	start, next := time.Now(), r.meta
	next.position = r.taken
	if r.last.stream != "" {
		next.last = r.last
	}
	if r.lastAt < r.taken {
		if a, ok := newest(ctx, r.source, r.taken); ok {
			next.last = a
		}
	}
	if next.log == "" {
		next.log, _ = firstLink(ctx, r.source) // without it the next commit tries again
	}
	r.sound = false
	err := r.file.write(ctx, func(conn *sqlite.Conn) error {
		if r.pending > 0 {
			if err := r.projection.Flush(ctx, conn); err != nil {
				return err
			}
		}
		if err := next.sealed(ctx, conn, r.projection); err != nil {
			return err
		}
		return next.write(conn)
	})
	if err != nil {
		return fmt.Errorf("committing %d records of the model %s: %w", r.pending, r.spec.Name, err)
	}
	r.meta, r.pending, r.flushed, r.sound = next, 0, time.Now(), true
	r.saved.Store(uint64(next.position))
	r.took = r.flushed.Sub(start)
	r.counts.flushes.Observe(r.took.Seconds())
	r.seen.advance(r.taken)
	r.recovered()
	return nil
}

// End notes why a subscription ended and says when to begin again: never after
// a record that fails its check.
func (r *runner) End(cause error) (time.Duration, bool) {
	r.batch.Lock()
	defer r.batch.Unlock()
	r.stopTimer()
	var stopped poison
	switch {
	case errors.As(cause, &stopped):
		return 0, false
	case errors.Is(cause, ledger.ErrForged):
		r.poison(cause)
		return 0, false
	case errors.Is(cause, context.Canceled):
		return 0, true
	case damaged(cause):
		r.discard(cause)
	}
	pause := r.nextPause()
	r.set(Retrying, cause)
	r.log.Error("projection failed and starts again from its checkpoint", "projection", r.spec.Name, "error", cause, "pause", pause)
	return pause, true
}

// discard throws a file away that turned out to be damaged.
func (r *runner) discard(cause error) {
	r.log.Warn("model is damaged and made again", "projection", r.spec.Name, "reason", cause)
	r.counts.rebuilds.Inc()
	if err := r.file.remove(); err != nil {
		r.log.Error("damaged model can't be removed", "projection", r.spec.Name, "error", err)
	}
}
