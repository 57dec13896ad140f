package sqlite

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	groupEvents = 1024     // one transaction takes appends until it has so many events
	groupBytes  = 8 << 20  // or so many bytes
	queueLength = 4096     // appends that may wait
	queueBytes  = 64 << 20 // bytes that may wait; further callers wait outside
)

// The states of a request. The committer takes it or its caller withdraws it,
// never both.
const (
	waiting int32 = iota
	taken
	withdrawn
)

// request is one append, or something that needs the writer for itself.
type request struct {
	stream   string
	expected int64
	events   []eventlog.Event
	size     int64
	alone    func(*writer) error

	state  atomic.Int32
	stored []eventlog.Recorded
	answer eventlog.Appended
	err    error
	done   chan struct{}
}

// submit hands a request to the committer and waits for its answer. When ctx
// ends while the request still waits, it is withdrawn: nothing was stored. Once
// taken it is answered soon, so the caller is told how it ended.
func (l *Log) submit(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.room.Acquire(ctx, r.size); err != nil {
		return err
	}
	select {
	case l.queue <- r:
	case <-ctx.Done():
		l.room.Release(r.size)
		return ctx.Err()
	case <-l.closing:
		l.room.Release(r.size)
		return errClosed()
	}
	select {
	case <-r.done:
		return r.err
	case <-l.stopped:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, withdrawn) {
			return ctx.Err()
		}
	}
	select {
	case <-r.done:
		return r.err
	case <-l.stopped:
	}
	select { // the committer answers before it stops
	case <-r.done:
		return r.err
	default:
		return errClosed()
	}
}

func errClosed() error { return fmt.Errorf("%w: open it again", eventlog.ErrClosed) }

// commitLoop is the committer. It alone uses the writer, until Close.
func (l *Log) commitLoop() {
	defer close(l.stopped)
	group := make([]*request, 0, 256)
	for {
		select {
		case <-l.closing:
			return
		case first := <-l.queue:
			var alone *request
			// Callers just answered append again: let them join this group,
			// which costs a lone caller nothing and spares a fifth of the CPU.
			runtime.Gosched()
			group, alone = l.gather(group[:0], first)
			if len(group) > 0 {
				l.commitGroup(group)
				clear(group)
			}
			if alone != nil {
				alone.err = alone.alone(l.writer)
				l.finish(alone)
			}
		}
	}
}

// gather takes what waits, up to the limits of a group. A request that wants
// the writer alone ends the group and runs after it.
func (l *Log) gather(group []*request, r *request) (_ []*request, alone *request) {
	var events int
	var bytes int64
	for {
		switch {
		case !r.state.CompareAndSwap(waiting, taken):
			l.room.Release(r.size)
		case r.alone != nil:
			return group, r
		default:
			group, events, bytes = append(group, r), events+len(r.events), bytes+r.size
		}
		if events >= groupEvents || bytes >= groupBytes {
			return group, nil
		}
		select {
		case r = <-l.queue:
		default:
			return group, nil
		}
	}
}

// commitGroup decides and stores a group of appends in one transaction.
func (l *Log) commitGroup(group []*request) {
	w := l.writer
	var bytes int64
	w.names.rotate(w.last, false)
	err := w.transaction(func() error {
		for _, r := range group {
			var err error
			if r.answer, r.err, err = w.append(r); err != nil {
				return err
			}
		}
		var err error
		w.tx.moved, err = w.names.write(w.lookup, 64+2*len(w.tx.slots))
		return translate(err)
	})
	for _, r := range group {
		if err != nil {
			// Even a refusal may have rested on another append of the group.
			r.answer, r.err, r.stored = eventlog.Appended{}, err, nil
		} else if r.stored != nil {
			bytes += r.size
		}
	}
	if bytes > 0 {
		l.recent.publish(group, eventlog.Position(w.last))
		l.checkpoints.wrote(bytes)
	}
	for _, r := range group {
		l.finish(r)
	}
}

func (l *Log) finish(r *request) {
	l.room.Release(r.size)
	close(r.done)
}
