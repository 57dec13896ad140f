package sqlite

import (
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// pollEvery is how often a read-only log looks for what another process wrote.
const pollEvery = 100 * time.Millisecond

// Subscribe implements [eventlog.Log]. A mark comes whenever everything there
// is was looked at and the last of it held back, and once per page of rows
// that were all held back.
func (l *Log) Subscribe(ctx context.Context, q eventlog.Query) iter.Seq2[eventlog.Delivery, error] {
	return func(yield func(eventlog.Delivery, error) bool) {
		if q.Stream != "" || q.Limit != 0 || q.Backwards {
			yield(eventlog.Delivery{}, fmt.Errorf("%w: a subscription takes no stream, limit or direction", eventlog.ErrInvalid))
			return
		}
		s := &subscription{log: l, filter: newFilter(q), at: q.After, marked: q.After, behind: true, yield: yield}
		if l.recent != nil {
			l.recent.subscribe()
			defer l.recent.unsubscribe()
			s.near = make([]eventlog.Recorded, 256)
		}
		if err := s.run(ctx); err != nil {
			yield(eventlog.Delivery{}, fmt.Errorf("subscribed to the event log: %w", err))
		}
	}
}

type subscription struct {
	log    *Log
	filter *filter
	near   []eventlog.Recorded
	at     eventlog.Position // everything up to here was looked at
	marked eventlog.Position // up to where the consumer knows
	behind bool              // has not caught up since it had to read pages
	yield  func(eventlog.Delivery, error) bool
}

func (s *subscription) run(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, wake, err := s.advance(ctx)
		if err != nil || !more {
			return err
		}
		if wake == nil {
			continue
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.log.closing:
			return errClosed()
		}
	}
}

// advance delivers some records. It answers false when the consumer left, and
// what to wait for when there are no more for now.
func (s *subscription) advance(ctx context.Context) (more bool, wake <-chan struct{}, err error) {
	if s.log.recent == nil {
		return s.poll(ctx)
	}
	n, near, last, woken := s.log.recent.after(s.at, s.near)
	if !near {
		// Every record up to last is committed, so a page that ends saw them all.
		_, more, err := s.fromFile(ctx, last)
		return more, nil, err
	}
	for i := range s.near[:n] {
		r := s.near[i]
		s.near[i] = eventlog.Recorded{}
		s.at = r.Position
		if s.filter.passes(&r) && !s.record(&r) {
			return false, nil, nil
		}
	}
	if n == len(s.near) {
		return true, nil, nil
	}
	s.at = max(s.at, last) // positions without a record are behind us, too
	return s.mark(true), woken, nil
}

// fromFile reads and delivers one page. A page that met the end has seen
// everything up to last at least.
func (s *subscription) fromFile(ctx context.Context, last eventlog.Position) (end, more bool, err error) {
	p, err := s.log.wholePage(ctx, s.filter, s.at, false, math.MaxInt)
	if err != nil {
		return false, false, err
	}
	for i := range p.records {
		s.at = p.records[i].Position
		if !s.record(&p.records[i]) {
			return false, false, nil
		}
	}
	s.at = max(s.at, eventlog.Position(p.scanned))
	if p.end {
		s.at = max(s.at, last)
	} else {
		s.behind = true
	}
	if len(p.records) == 0 && !p.end {
		return false, s.mark(false), nil
	}
	return p.end, true, nil
}

// poll serves a read-only log, whose writer is another process.
func (s *subscription) poll(ctx context.Context) (more bool, wake <-chan struct{}, err error) {
	end, more, err := s.fromFile(ctx, 0)
	if err != nil || !more || !end {
		return more, nil, err
	}
	if !s.mark(true) {
		return false, nil, nil
	}
	tick := make(chan struct{})
	time.AfterFunc(pollEvery, func() { close(tick) })
	return true, tick, nil
}

func (s *subscription) record(r *eventlog.Recorded) bool {
	s.marked = r.Position
	return s.yield(eventlog.Delivery{Record: r, Position: r.Position}, nil)
}

// mark tells how far the subscription is, if the consumer does not know yet.
func (s *subscription) mark(caughtUp bool) bool {
	if s.marked == s.at && !(caughtUp && s.behind) {
		return true
	}
	s.marked = s.at
	s.behind = s.behind && !caughtUp
	return s.yield(eventlog.Delivery{Position: s.at, CaughtUp: caughtUp}, nil)
}
