package projections_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
)

// feed starts at a position and notes what it is told.
type feed struct {
	after eventlog.Position
	marks chan eventlog.Position
	ends  chan error
	fail  context.CancelCauseFunc
}

func (f *feed) Begin(_ context.Context, fail context.CancelCauseFunc) (eventlog.Query, error) {
	f.fail = fail
	return eventlog.Query{After: f.after, StreamPrefixes: []string{"acme/execution-"}}, nil
}
func (f *feed) Mark(d ledger.Delivery) {
	select {
	case f.marks <- d.Position:
	default:
	}
}
func (f *feed) End(cause error) (time.Duration, bool) {
	f.ends <- cause
	return 0, true
}

func next(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-messages:
		if !ok {
			t.Fatal("the channel was closed")
		}
		return m
	case <-time.After(time.Minute):
		t.Fatal("no message within a minute")
	}
	return nil
}

// only answers the record of a message that has one.
func only(t *testing.T, m *message.Message) *ledger.Record {
	t.Helper()
	records := projections.RecordsOf(m.Context())
	if len(records) != 1 {
		t.Fatalf("a message of %d records, want 1", len(records))
	}
	return records[0]
}

// Records that are at hand come as one message, in order, and again as a whole
// if it is refused; what ends a run comes after it.
func TestSubscriberSendsRuns(t *testing.T) {
	f := ledgertest.New(t)
	var list []ledger.Draft
	for i := range 7 {
		list = append(list, ledgertest.Draft(fmt.Sprint(i), "execution.a.v1", fmt.Sprint(i)))
	}
	if _, err := f.Append(context.Background(), "acme/execution-1", ledger.NoTail(), list); err != nil {
		t.Fatal(err)
	}
	topic := &feed{marks: make(chan eventlog.Position, 1), ends: make(chan error, 10)}
	s := projections.NewSubscriber(&faulty{Ledger: f.Ledger, follow: inRuns(3)}, map[string]projections.Feed{"topic": topic})
	messages, err := s.Subscribe(context.Background(), "topic")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	refused := false
	for _, size := range []int{3, 3, 3, 1} {
		m := next(t, messages)
		records := projections.RecordsOf(m.Context())
		if len(records) != size || m.UUID != ledger.EventID(records[0].ID) {
			t.Fatalf("after %v a message %s of %d records, want %d", got, m.UUID, len(records), size)
		}
		if size > 1 && (len(m.Payload) > 0 || len(m.Metadata) > 0) {
			t.Errorf("a run has the payload %q and the metadata %v of one record", m.Payload, m.Metadata)
		}
		for _, r := range records {
			got = append(got, string(r.Payload))
		}
		select {
		case position := <-topic.marks:
			t.Errorf("marked %d before all was acknowledged", position)
		default:
		}
		if len(got) == 6 && !refused {
			refused = true
			m.Nack()
			got = got[:3]
			continue
		}
		m.Ack()
	}
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4", "5", "6"}, got); diff != "" {
		t.Error(diff)
	}
	<-topic.marks
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSubscriber(t *testing.T) {
	f := ledgertest.New(t)
	list := []ledger.Draft{ledgertest.Draft("a", "execution.a.v1", "first"), ledgertest.Draft("b", "execution.b.v1", "second")}
	list[0].Correlation, list[0].Credential = "order:7", "tk_1"
	if _, err := f.Append(context.Background(), "acme/execution-1", ledger.NoTail(), list); err != nil {
		t.Fatal(err)
	}
	topic := &feed{marks: make(chan eventlog.Position, 1), ends: make(chan error, 10)}
	s := projections.NewSubscriber(&faulty{Ledger: f.Ledger, follow: inRuns(1)}, map[string]projections.Feed{"topic": topic})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, err := s.Subscribe(ctx, "other"); !errors.Is(err, projections.ErrUnknown) {
		t.Errorf("subscribing to another topic: %v", err)
	}
	messages, err := s.Subscribe(ctx, "topic")
	if err != nil {
		t.Fatal(err)
	}

	m := next(t, messages)
	record := only(t, m)
	if string(m.Payload) != "first" || m.UUID != ledger.EventID(list[0].ID) || record.Type != "execution.a.v1" {
		t.Errorf("message %s %q with the record %+v", m.UUID, m.Payload, record)
	}
	for key, want := range map[string]string{projections.MetaStream: "acme/execution-1", projections.MetaRevision: "0",
		projections.MetaType: "execution.a.v1", projections.MetaWorkspace: "acme", projections.MetaCredential: "tk_1"} {
		if got := m.Metadata.Get(key); got != want {
			t.Errorf("metadata %s is %q, want %q", key, got, want)
		}
	}
	if middleware.MessageCorrelationID(m) != "order:7" {
		t.Errorf("correlation is %q", middleware.MessageCorrelationID(m))
	}
	select {
	case early := <-messages:
		t.Fatalf("%q came before the first message was acknowledged", early.Payload)
	case <-time.After(20 * time.Millisecond):
	}

	m.Nack() // it comes again
	if m = next(t, messages); string(m.Payload) != "first" {
		t.Fatalf("after a refusal came %q", m.Payload)
	}
	m.Ack()
	m = next(t, messages)
	if string(m.Payload) != "second" {
		t.Fatalf("after an acknowledgement came %q", m.Payload)
	}
	select {
	case position := <-topic.marks:
		t.Errorf("marked %d before the second message was acknowledged", position)
	default:
	}

	topic.after = record.Position // what is not acknowledged when a subscription fails comes with the next
	topic.fail(errInjected)
	if err := <-topic.ends; !errors.Is(err, errInjected) {
		t.Errorf("ended with %v", err)
	}
	if m = next(t, messages); string(m.Payload) != "second" {
		t.Fatalf("the new subscription began with %q", m.Payload)
	}
	m.Ack()
	if position := <-topic.marks; position < record.Position {
		t.Errorf("marked %d, before what was acknowledged", position)
	}

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, open := <-messages; open {
		t.Error("a message came after Close")
	}
	if _, err := s.Subscribe(ctx, "topic"); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("subscribing after Close: %v", err)
	}
}
