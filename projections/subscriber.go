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

// Keys of the metadata of a message of one record; all of it is public in the
// log. There are no more than eight because a map of nine costs twice as much.
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

// Subscriber is Watermill's view of the ledger. A message is a run of opened
// records that were at hand at once, in order: one while the log is quiet, up
// to a few dozen while a topic catches up, when a message for each record would
// cost more than the record. Its context holds the records themselves
// ([RecordsOf]), so that nothing is decoded twice; its UUID is the event id of
// the first. A record that is alone is also the message's payload, and what is
// public about it the message's metadata.
//
// The next message is sent after the one before was acknowledged; one that was
// refused is sent again after a pause, with the records that were taken before
// it was refused, which the handler knows by their positions. Topics are the
// names of feeds.
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
	var records []*ledger.Record
	for d, err := range s.source.Follow(ctx, q) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil && d.Record != nil {
			if records = append(records, d.Record); d.More {
				continue
			}
		}
		if len(records) > 0 { // also those before an error or a mark
			if err := send(ctx, records, out); err != nil {
				return err
			}
			records = nil
		}
		if err != nil {
			return err
		}
		if d.Record == nil {
			feed.Mark(d)
		}
	}
	return context.Cause(ctx)
}

// send sends a run until it is acknowledged.
func send(ctx context.Context, records []*ledger.Record, out chan<- *message.Message) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		m := newMessage(ctx, records)
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

func newMessage(ctx context.Context, records []*ledger.Record) *message.Message {
	ctx = context.WithValue(ctx, runKey{}, &run{records: records})
	if len(records) > 1 {
		return message.NewMessageWithContext(ctx, ledger.EventID(records[0].ID), nil)
	}
	r := records[0]
	m := message.NewMessageWithContext(ctx, ledger.EventID(r.ID), r.Payload)
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

// run is the records of one message, and how far its handler is.
type run struct {
	records []*ledger.Record
	at      int
}

type runKey struct{}

func runOf(ctx context.Context) *run {
	r, _ := ctx.Value(runKey{}).(*run)
	return r
}

// RecordsOf answers the records that a message's context holds.
func RecordsOf(ctx context.Context) []*ledger.Record {
	if r := runOf(ctx); r != nil {
		return r.records
	}
	return nil
}
