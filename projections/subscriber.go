package projections

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Keys of a message's metadata; all of it is public in the log. There are no
// more than eight because a map of nine costs twice as much.
const (
	MetaStream      = "stream"
	MetaRevision    = "revision"
	MetaPosition    = "position"
	MetaType        = "type"
	MetaWorkspace   = "workspace"
	MetaActor       = "actor"
	MetaCredential  = "credential"
	MetaCorrelation = middleware.CorrelationIDMetadataKey
)

// Feed is a topic's end of a [Subscriber]: it says where a subscription starts
// and is told how it goes. Its methods are called by one goroutine.
//
// Begin answers what to follow; it may call fail, now or later, to end this
// subscription. Mark tells that everything up to a position was delivered and
// acknowledged. End tells why the subscription ended and answers how long to
// wait before the next Begin, or false for never.
type Feed interface {
	Begin(ctx context.Context, fail context.CancelCauseFunc) (eventlog.Query, error)
	Mark(d ledger.Delivery)
	End(cause error) (pause time.Duration, again bool)
}

// Subscriber is Watermill's view of the ledger. A message is one opened
// record: its UUID is the event id, its payload the opened payload, its
// metadata what is public about the record, and its context holds the record
// itself ([RecordOf]), so that nothing is decoded twice. The next message is
// sent after the one before was acknowledged; one that was refused is sent
// again after a pause. Topics are the names of feeds.
type Subscriber struct {
	source Source
	feeds  map[string]Feed

	close  context.CancelFunc
	closed context.Context
	work   sync.WaitGroup
}

var _ message.Subscriber = (*Subscriber)(nil)

// NewSubscriber makes a Subscriber with a feed for each topic.
func NewSubscriber(source Source, feeds map[string]Feed) *Subscriber {
	closed, done := context.WithCancel(context.Background())
	return &Subscriber{source: source, feeds: feeds, close: done, closed: closed}
}

// Subscribe delivers the topic's records until ctx ends or the Subscriber is
// closed; then the channel is closed.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	feed, ok := s.feeds[topic]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, topic)
	}
	if s.closed.Err() != nil {
		return nil, fmt.Errorf("subscribing to %s: %w", topic, eventlog.ErrClosed)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closed, cancel)
	out := make(chan *message.Message)
	s.work.Go(func() {
		defer close(out)
		defer cancel()
		defer stop()
		s.serve(ctx, feed, out)
	})
	return out, nil
}

// Close ends all subscriptions and waits for them.
func (s *Subscriber) Close() error {
	s.close()
	s.work.Wait()
	return nil
}

// serve follows, and follows again when that ended, until ctx ends. A feed that
// does not want to go on keeps its channel open and silent: a router closes
// itself when all its subscriptions have ended.
func (s *Subscriber) serve(ctx context.Context, feed Feed, out chan<- *message.Message) {
	for {
		pause, again := feed.End(s.once(ctx, feed, out))
		if !again || ctx.Err() != nil {
			<-ctx.Done()
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// once is one subscription; it answers why it ended.
func (s *Subscriber) once(ctx context.Context, feed Feed, out chan<- *message.Message) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	q, err := feed.Begin(ctx, fail)
	if err != nil {
		return err
	}
	for d, err := range s.source.Follow(ctx, q) {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case d.Record == nil:
			feed.Mark(d)
		default:
			if err := send(ctx, d.Record, out); err != nil {
				return err
			}
		}
	}
	return context.Cause(ctx)
}

// send sends r until it is acknowledged.
func send(ctx context.Context, r *ledger.Record, out chan<- *message.Message) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		m := newMessage(ctx, r)
		select {
		case out <- m:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case <-m.Acked():
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.Nacked():
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func newMessage(ctx context.Context, r *ledger.Record) *message.Message {
	m := message.NewMessageWithContext(context.WithValue(ctx, recordKey{}, r), ledger.EventID(r.ID), r.Payload)
	m.Metadata[MetaStream] = r.Stream
	m.Metadata[MetaRevision] = strconv.FormatInt(r.Revision, 10)
	m.Metadata[MetaPosition] = strconv.FormatUint(uint64(r.Position), 10)
	m.Metadata[MetaType] = r.Type
	m.Metadata[MetaWorkspace] = string(r.Workspace)
	m.Metadata[MetaActor] = r.Actor
	if r.Credential != "" {
		m.Metadata[MetaCredential] = string(r.Credential)
	}
	if r.Correlation != "" {
		middleware.SetCorrelationID(r.Correlation, m)
	}
	return m
}

type recordKey struct{}

// RecordOf answers the record that a message's context holds, or nil.
func RecordOf(ctx context.Context) *ledger.Record {
	r, _ := ctx.Value(recordKey{}).(*ledger.Record)
	return r
}
