package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Append implements [eventlog.Log].
func (l *Log) Append(ctx context.Context, stream string, expected int64, events []eventlog.Event) (eventlog.Appended, error) {
	size, err := validate(stream, expected, events)
	if err != nil {
		return eventlog.Appended{}, err
	}
	if l.lock == nil {
		return eventlog.Appended{}, l.refuseWrite()
	}
	r := &request{stream: stream, expected: expected, events: events, size: size}
	if err := l.submit(ctx, r); err != nil {
		return eventlog.Appended{}, fmt.Errorf("appending to %s: %w", stream, err)
	}
	return r.answer, nil
}

func (l *Log) refuseWrite() error {
	if isClosed(l.closing) {
		return errClosed()
	}
	return fmt.Errorf("%w: the log in %s was opened for reading only", eventlog.ErrUnavailable, l.dir)
}

// validate refuses what the contract refuses, and answers the batch's size.
func validate(stream string, expected int64, events []eventlog.Event) (size int64, err error) {
	switch {
	case stream == "":
		return 0, fmt.Errorf("%w: an append needs a stream name", eventlog.ErrInvalid)
	case expected < eventlog.NoStream:
		return 0, fmt.Errorf("%w: append to %s expects revision %d; the least is NoStream, -1", eventlog.ErrInvalid, stream, expected)
	case len(events) == 0:
		return 0, fmt.Errorf("%w: append to %s has no events", eventlog.ErrInvalid, stream)
	}
	for i := range events {
		e := &events[i]
		if e.ID == [16]byte{} {
			return 0, fmt.Errorf("%w: event %d of the append to %s has no id", eventlog.ErrInvalid, i, stream)
		}
		if n := len(e.Type); n < 1 || n > 128 {
			return 0, fmt.Errorf("%w: event %d of the append to %s has a type of %d bytes; it needs 1 to 128", eventlog.ErrInvalid, i, stream, n)
		}
		size += int64(len(e.Data) + len(e.Meta) + 2*len(e.Type))
	}
	if size > eventlog.MaxAppend {
		return 0, fmt.Errorf("%w: append to %s has %d bytes, at most %d fit; split it", eventlog.ErrTooLarge, stream, size, eventlog.MaxAppend)
	}
	return size, nil
}

// errHeldBack says that bytes of a deleted stream still lie in the write-ahead
// log, because a reader is looking at an older state of the file.
var errHeldBack = errors.New("a reader of an older state holds the write-ahead log")

// Delete implements [eventlog.Log]. When it answers without error, the bytes
// are in none of the log's files; blocks the file system freed, and backups,
// are beyond its reach. Until a reader of an older state has finished it
// waits, as long as ctx lasts; the records are gone for callers by then.
func (l *Log) Delete(ctx context.Context, stream string) error {
	if stream == "" {
		return fmt.Errorf("%w: Delete needs a stream name", eventlog.ErrInvalid)
	}
	if l.lock == nil {
		return l.refuseWrite()
	}
	work := l.erase(stream)
	for {
		err := l.submit(ctx, &request{alone: work})
		if !errors.Is(err, errHeldBack) {
			if err != nil {
				return fmt.Errorf("deleting %s: %w", stream, err)
			}
			return nil
		}
		work = (*writer).scrub
		select {
		case <-ctx.Done():
			return fmt.Errorf("deleting %s: %w: its records are gone, but %w; delete it again later", stream, eventlog.ErrUnavailable, err)
		case <-l.closing:
			return errClosed()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// erase zeroes the stream's events where they lie. A stream that was deleted
// before is scrubbed again, as the first call may have been cut short.
func (l *Log) erase(stream string) func(*writer) error {
	return func(w *writer) error {
		at, err := w.head(stream)
		if err != nil || at.stream == 0 {
			return err
		}
		if !at.deleted {
			if err := w.transaction(func() error { return w.zero(at.stream) }); err != nil {
				return err
			}
			at.deleted = true
			w.heads.put(stream, at)
			l.recent.forget()
		}
		return w.scrub()
	}
}

func (w *writer) zero(stream int64) error {
	s, err := w.conn.Prepare("UPDATE event SET live=0, id=zeroblob(16), data=zeroblob(length(data)), meta=zeroblob(length(meta)) WHERE stream=?")
	if err != nil {
		return translate(err)
	}
	s.BindInt64(1, stream)
	return translate(step(s))
}

// scrub moves the zeroed pages into the file and empties the write-ahead log,
// where the bytes also were. It does not make the committer wait for readers.
func (w *writer) scrub() error {
	w.conn.SetBusyTimeout(0)
	defer w.conn.SetBusyTimeout(busyTimeout)
	state, err := checkpoint(w.conn, "TRUNCATE")
	if err != nil {
		return err
	}
	if state.busy {
		return errHeldBack
	}
	return nil
}
