package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// lane sends the records of some workspaces, one append after the other.
// Consecutive records of a stream travel together.
type lane struct {
	to   eventlog.Log
	work chan batch
	next batch // being filled by who sends
}

// laneBytes is about how large a batch gets; a record may be as large as an
// append.
const laneBytes = eventlog.MaxAppend / 2

func (l *lane) send(ctx context.Context, r *eventlog.Recorded) error {
	size := len(r.Data) + len(r.Meta) + 2*len(r.Type)
	follows := l.next.stream == r.Stream && l.next.after+int64(len(l.next.events))+1 == r.Revision
	if len(l.next.events) > 0 && (!follows || l.next.size+size > laneBytes) {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	if len(l.next.events) == 0 {
		l.next = batch{stream: r.Stream, after: r.Revision - 1}
	}
	l.next.events, l.next.size = append(l.next.events, r.Event), l.next.size+size
	return nil
}

func (l *lane) flush(ctx context.Context) error {
	if len(l.next.events) == 0 {
		return nil
	}
	select {
	case l.work <- l.next:
		l.next = batch{}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end sends the rest; nothing may be sent afterwards.
func (l *lane) end(ctx context.Context) {
	_ = l.flush(ctx) // it fails only when another part has failed
	close(l.work)
}

func (l *lane) run(ctx context.Context) error {
	for b := range l.work {
		if err := l.append(ctx, b); err != nil {
			return fmt.Errorf("appending %s@%d: %w", b.stream, b.after+1, err)
		}
	}
	return nil
}

// patience is how long a migration waits for a server that does not answer.
const patience = 2 * time.Minute

// append appends until it is known to be there. An append that is repeated is
// recognised by ids and revision.
func (l *lane) append(ctx context.Context, b batch) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		_, err := l.to.Append(ctx, b.stream, b.after, b.events)
		if !errors.Is(err, eventlog.ErrUnknownOutcome) && !errors.Is(err, eventlog.ErrUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}
