package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	// While a filtered subscription catches up, the server looks through this
	// many events at a time and says after each lot how far it got.
	catchUpWindow = 1024
	// Once it is live it says so after each event, so that a reader knows it is
	// up to date although the newest events are not for it.
	liveWindow = 1
	// heldBack is how many events may be held back here without a word.
	heldBack = 256
	// patrol is how often a subscription that waits to be confirmed has its
	// client looked after.
	patrol = 10 * time.Second
)

var (
	errStopped  = errors.New("the subscriber wants no more")
	errGoNarrow = errors.New("caught up; the next session is a live one")
	errGone     = errors.New("the client was replaced")
)

// Subscribe implements [eventlog.Log]. A subscription that breaks is opened
// again, after a pause, behind the last record or mark that came. It ends by
// itself only when the server refuses it.
func (l *Log) Subscribe(ctx context.Context, q eventlog.Query) iter.Seq2[eventlog.Delivery, error] {
	return func(yield func(eventlog.Delivery, error) bool) {
		if q.Stream != "" || q.Backwards || q.Limit != 0 {
			yield(eventlog.Delivery{}, fmt.Errorf("%w: a subscription takes no stream, limit or direction", eventlog.ErrInvalid))
			return
		}
		bound, cancel := l.bind(ctx)
		defer cancel()
		place, err := l.subscriptions.take()
		if err != nil {
			yield(eventlog.Delivery{}, fmt.Errorf("subscription: %w", err))
			return
		}
		defer l.subscriptions.leave(place)
		s := &subscriber{lane: place.lane, q: q, last: q.After, yield: yield}
		for failures := 0; ; {
			err := s.session(bound)
			switch {
			case errors.Is(err, errStopped):
				return
			case bound.Err() != nil:
				yield(eventlog.Delivery{}, fmt.Errorf("subscription: %w", l.endOf(ctx)))
				return
			case errors.Is(err, errGoNarrow):
				failures = 0
				continue
			}
			if v := classify(err); v == refused || v == malformed {
				yield(eventlog.Delivery{}, l.failed(ctx, "subscribing", err, nil))
				return
			}
			if s.progress {
				failures = 0
			}
			failures++
			l.logger.Warn("eventstoredb: subscription broke off and is opened again", "after", s.last, "failures", failures, "error", err)
			pause(bound, failures, lastPause)
		}
	}
}

// subscriber is where one Subscribe stands, over all its sessions.
type subscriber struct {
	lane  *lane
	q     eventlog.Query
	yield func(eventlog.Delivery, error) bool

	last     eventlog.Position // everything up to here was delivered or held back
	held     int               // events held back since the last word
	narrow   bool              // the next session is opened live
	live     bool              // this session has caught up
	progress bool              // this session brought something
}

// session opens one subscription and passes on what it brings until it breaks.
func (s *subscriber) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before the client is given back: it ends the call
	c, err := s.lane.borrow(ctx)
	if err != nil {
		return err
	}
	s.live, s.progress = false, false
	sub, err := s.open(ctx, c)
	if err != nil {
		s.narrow = false
		return err
	}
	err = s.follow(sub)
	_ = sub.Close() // never fails
	back := err
	if errors.Is(err, errStopped) || errors.Is(err, errGoNarrow) || ctx.Err() != nil {
		back = nil
	}
	s.lane.giveBack(c, back)
	s.narrow = errors.Is(err, errGoNarrow)
	return err
}

// open waits for the server's confirmation. On success c stays borrowed.
func (s *subscriber) open(ctx context.Context, c *client) (*esdb.Subscription, error) {
	opts := s.options()
	done := make(chan outcome[*esdb.Subscription], 1)
	go func() {
		var out outcome[*esdb.Subscription]
		out.value, out.err = guarded(ctx, c.es, func(ctx context.Context, es *esdb.Client) (*esdb.Subscription, error) {
			return es.SubscribeToAll(ctx, opts)
		})
		done <- out
	}()
	abandon := func(reason error) (*esdb.Subscription, error) {
		go func() {
			out := <-done
			if out.value != nil {
				_ = out.value.Close() // never fails
			}
			s.lane.giveBack(c, out.err)
		}()
		return nil, reason
	}
	ticker := time.NewTicker(patrol)
	defer ticker.Stop()
	for {
		select {
		case out := <-done:
			if out.err != nil {
				s.lane.giveBack(c, out.err)
			}
			return out.value, out.err
		case <-c.gone:
			return abandon(errGone)
		case <-ctx.Done():
			return abandon(context.Cause(ctx))
		case <-ticker.C:
			s.lane.overdue(c)
		}
	}
}

// options has the server apply one kind of filter; the other is applied here.
// Without filters there is none, because every event moves the position then.
func (s *subscriber) options() esdb.SubscribeToAllOptions {
	opts := esdb.SubscribeToAllOptions{From: esdb.Start{}}
	if s.last > 0 {
		opts.From = position(s.last)
	}
	switch {
	case len(s.q.TypePrefixes) > 0:
		opts.Filter = &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: s.q.TypePrefixes}
	case len(s.q.StreamPrefixes) > 0:
		opts.Filter = &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: s.q.StreamPrefixes}
	default:
		return opts
	}
	opts.CheckpointInterval, opts.MaxSearchWindow = 1, catchUpWindow
	if s.narrow {
		opts.MaxSearchWindow = liveWindow
	}
	return opts
}

func (s *subscriber) follow(sub *esdb.Subscription) error {
	for {
		switch got := sub.Recv(); {
		case got.SubscriptionDropped != nil:
			return fmt.Errorf("dropped: %w", got.SubscriptionDropped.Error)
		case got.EventAppeared != nil:
			if err := s.event(got.EventAppeared.OriginalEvent()); err != nil {
				return err
			}
		case got.CheckPointReached != nil:
			// Servers have sent checkpoints at the end of time.
			if p := got.CheckPointReached.Commit; p <= math.MaxInt64 && eventlog.Position(p) > s.last {
				s.last = eventlog.Position(p)
				if err := s.mark(false); err != nil {
					return err
				}
			}
		case got.CaughtUp != nil:
			if err := s.caughtUp(); err != nil {
				return err
			}
		}
	}
}

// event passes on one event, unless it came before.
func (s *subscriber) event(ev *esdb.RecordedEvent) error {
	if ev == nil {
		return nil
	}
	record, err := recorded(ev)
	if err != nil {
		return err
	}
	if record.Position <= s.last {
		return nil
	}
	s.last, s.progress = record.Position, true
	if !system(&record) && selected(&record, &s.q) {
		s.held = 0
		if !s.yield(eventlog.Delivery{Record: &record, Position: record.Position}, nil) {
			return errStopped
		}
		return nil
	}
	if s.held++; s.live || s.held >= heldBack {
		return s.mark(false)
	}
	return nil
}

func (s *subscriber) mark(caughtUp bool) error {
	s.held, s.progress = 0, true
	if !s.yield(eventlog.Delivery{Position: s.last, CaughtUp: caughtUp}, nil) {
		return errStopped
	}
	return nil
}

// caughtUp tells the reader, and then changes a filtered subscription that was
// opened for catching up into one that is good at being live.
func (s *subscriber) caughtUp() error {
	s.live = true
	if err := s.mark(true); err != nil {
		return err
	}
	if !s.narrow && len(s.q.TypePrefixes)+len(s.q.StreamPrefixes) > 0 {
		return errGoNarrow
	}
	return nil
}
