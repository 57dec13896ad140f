package eventlogtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/clawoffice/ledger/internal/eventlog"
)

func limitChecks() []check {
	return []check{
		{"calls that can't be right are refused", limitInvalid},
		{"one append takes MaxAppend bytes and no more", limitSize},
		{"an append under a cancelled context stores nothing or says it may have", limitCancelled},
		{"a closed log says so", limitClosed},
	}
}

func limitInvalid(e *env) {
	s, ok := e.stream("order-1"), event("a.v1", "x")
	noID, noType, longType := ok, ok, ok
	noID.ID, noType.Type, longType.Type = [16]byte{}, "", strings.Repeat("t", 129)
	rows := []struct {
		name     string
		stream   string
		expected int64
		events   []eventlog.Event
	}{
		{"no events", s, eventlog.NoStream, nil},
		{"no stream", "", eventlog.NoStream, []eventlog.Event{ok}},
		{"no id", s, eventlog.NoStream, []eventlog.Event{ok, noID}},
		{"no type", s, eventlog.NoStream, []eventlog.Event{noType}},
		{"type too long", s, eventlog.NoStream, []eventlog.Event{longType}},
		{"revision below NoStream", s, -2, []eventlog.Event{ok}},
	}
	for _, row := range rows {
		_, err := e.log.Append(e.ctx, row.stream, row.expected, row.events)
		e.wantError(err, eventlog.ErrInvalid, row.name)
	}
	longType.Type = longType.Type[:128]
	e.append(s, eventlog.NoStream, longType)
	e.wantRecords(e.read(e.mine()), s, 0, []eventlog.Event{longType})
}

func limitSize(e *env) {
	s := e.stream("big-1")
	sized := func(total int) eventlog.Event {
		ev := event("big.v1", "")
		ev.Meta = []byte(`{}`)
		ev.Data = make([]byte, total-len(ev.Meta)-2*len(ev.Type))
		_, _ = rand.Read(ev.Data)
		return ev
	}
	_, err := e.log.Append(e.ctx, s, eventlog.NoStream, []eventlog.Event{sized(eventlog.MaxAppend + 1)})
	e.wantError(err, eventlog.ErrTooLarge, "one event over MaxAppend")
	half := eventlog.MaxAppend / 2
	_, err = e.log.Append(e.ctx, s, eventlog.NoStream, []eventlog.Event{sized(half), sized(half + 1)})
	e.wantError(err, eventlog.ErrTooLarge, "a batch over MaxAppend")
	one, pair := sized(eventlog.MaxAppend), []eventlog.Event{sized(half), sized(half)}
	e.append(s, eventlog.NoStream, one)
	e.append(s, 0, pair...)
	got := e.read(eventlog.Query{Stream: s})
	if len(got) != 3 {
		e.Fatalf("the stream has %d records, want 3", len(got))
	}
	for i, want := range []eventlog.Event{one, pair[0], pair[1]} {
		if !bytes.Equal(got[i].Data, want.Data) {
			e.Errorf("record %d came back with other bytes", i)
		}
	}
}

func limitCancelled(e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	s, evs := e.stream("order-1"), events("a.v1", 1)
	_, err := e.log.Append(ctx, s, eventlog.NoStream, evs)
	stored := len(e.read(eventlog.Query{Stream: s})) > 0
	if unknown := errors.Is(err, eventlog.ErrUnknownOutcome); err == nil || (stored && !unknown) {
		e.Errorf("Append under a cancelled context: stored %v, error %v", stored, err)
	}
	if got := e.append(s, eventlog.NoStream, evs...); got.Revision != 0 {
		e.Errorf("the same append again went to revision %d", got.Revision)
	}
}

func limitClosed(e *env) {
	s := e.stream("order-1")
	e.append(s, eventlog.NoStream, events("a.v1", 1)...)
	listening, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		var last error
		for d, err := range e.log.Subscribe(e.ctx, e.mine()) {
			if last = err; d.CaughtUp {
				close(listening)
			}
		}
		ended <- last
	}()
	<-listening
	if err := e.log.Close(); err != nil {
		e.Fatalf("Close: %v", err)
	}
	e.wantError(<-ended, eventlog.ErrClosed, "a subscription when the log closes")
	_, err := e.log.Append(e.ctx, s, 0, events("a.v1", 1))
	e.wantError(err, eventlog.ErrClosed, "Append")
	e.wantError(e.log.Delete(e.ctx, e.stream("key-1")), eventlog.ErrClosed, "Delete")
	var read, subscribed error
	for _, err := range e.log.Read(e.ctx, e.mine()) {
		read = err
	}
	e.wantError(read, eventlog.ErrClosed, "Read")
	for _, err := range e.log.Subscribe(e.ctx, e.mine()) {
		subscribed = err
	}
	e.wantError(subscribed, eventlog.ErrClosed, "Subscribe")
	if err := e.log.Close(); err != nil {
		e.Errorf("a second Close: %v", err)
	}
}
