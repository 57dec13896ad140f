package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// maxType is the port's limit to an event type, in bytes.
const maxType = 128

// How far an append got.
const (
	notSent int32 = iota
	sent
	dropped // given up before it was sent, and now it must not be
)

// Append implements [eventlog.Log]. The expected revision is always exact and
// the ids are the caller's, so the server recognises a repeat by reading what
// it stored. Nothing is tried again here.
func (l *Log) Append(ctx context.Context, stream string, expected int64, events []eventlog.Event) (eventlog.Appended, error) {
	if err := checkAppend(stream, expected, events); err != nil {
		return eventlog.Appended{}, err
	}
	caller := ctx
	ctx, cancel := l.bound(ctx)
	defer cancel()
	opts, data := proposal(expected, events)
	var stage atomic.Int32
	result, err := call(ctx, l.writes, func(ctx context.Context, es *esdb.Client) (*esdb.WriteResult, error) {
		// This waits for a connection and sends nothing. What goes wrong until
		// here is known not to have been stored.
		if _, err := serverVersion(ctx, es); err != nil {
			return nil, fmt.Errorf("%w: %w", errNotBegun, err)
		}
		if !stage.CompareAndSwap(notSent, sent) {
			return nil, errNotBegun
		}
		return appendToLeader(ctx, es, stream, opts, data)
	})
	if err == nil {
		return eventlog.Appended{Revision: int64(result.NextExpectedVersion), Position: eventlog.Position(result.CommitPosition)}, nil
	}
	if stage.CompareAndSwap(notSent, dropped) {
		err = fmt.Errorf("%w: %w", errNotBegun, err)
	}
	return eventlog.Appended{}, l.appendFailed(caller, stream, expected, err)
}

// appendFailed words the failure of an append: what is known not to be stored,
// and everything else as unknown.
func (l *Log) appendFailed(ctx context.Context, stream string, expected int64, err error) error {
	switch classify(err) {
	case conflict:
		actual := actualRevision(err)
		if actual == unknownRevision {
			actual = l.tip(ctx, stream)
		}
		return &eventlog.WrongRevision{Stream: stream, Expected: expected, Actual: actual}
	case deleted:
		return fmt.Errorf("appending to %s: %w", stream, eventlog.ErrDeleted)
	case oversized:
		return fmt.Errorf("appending to %s: %w: the server's own limit is lower than %d bytes; raise its MaxAppendSize: %w",
			stream, eventlog.ErrTooLarge, eventlog.MaxAppend, err)
	case unclear:
		return fmt.Errorf("appending to %s: %w: %w", stream, eventlog.ErrUnknownOutcome, err)
	default:
		return l.failed(ctx, "appending to "+stream, err, nil)
	}
}

// tip is the stream's last revision, or -2 if that can't be had either.
func (l *Log) tip(ctx context.Context, stream string) int64 {
	for r, err := range l.Read(ctx, eventlog.Query{Stream: stream, From: -1, Backwards: true, Limit: 1}) {
		if err != nil {
			return unknownRevision
		}
		return r.Revision
	}
	return eventlog.NoStream
}

// checkAppend refuses what no server should see. The size is checked here
// because the client loses a server's word about it.
func checkAppend(stream string, expected int64, events []eventlog.Event) error {
	switch {
	case stream == "":
		return fmt.Errorf("%w: append without a stream", eventlog.ErrInvalid)
	case expected < eventlog.NoStream:
		return fmt.Errorf("%w: append to %s at revision %d", eventlog.ErrInvalid, stream, expected)
	case len(events) == 0:
		return fmt.Errorf("%w: append to %s without events", eventlog.ErrInvalid, stream)
	}
	size := 0
	for i, ev := range events {
		if ev.ID == [16]byte{} {
			return fmt.Errorf("%w: append to %s: event %d has no id", eventlog.ErrInvalid, stream, i)
		}
		if len(ev.Type) == 0 || len(ev.Type) > maxType {
			return fmt.Errorf("%w: append to %s: the type of event %d has %d bytes, 1 to %d are allowed", eventlog.ErrInvalid, stream, i, len(ev.Type), maxType)
		}
		size += len(ev.Data) + len(ev.Meta) + 2*len(ev.Type)
	}
	if size > eventlog.MaxAppend {
		return fmt.Errorf("%w: append to %s has %d bytes, %d are allowed", eventlog.ErrTooLarge, stream, size, eventlog.MaxAppend)
	}
	return nil
}

func proposal(expected int64, events []eventlog.Event) (esdb.AppendToStreamOptions, []esdb.EventData) {
	opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
	if expected >= 0 {
		opts.ExpectedRevision = esdb.Revision(uint64(expected))
	}
	data := make([]esdb.EventData, len(events))
	for i, ev := range events {
		data[i] = esdb.EventData{EventID: uuid.UUID(ev.ID), EventType: ev.Type, ContentType: esdb.ContentTypeBinary, Data: ev.Data, Metadata: ev.Meta}
	}
	return opts, data
}

// deleteTries is how often Delete is tried while its outcome is unknown or a
// server says that another is the leader; a tombstone is the same however
// often it is set.
const deleteTries = 3

// Delete implements [eventlog.Log] by a tombstone.
func (l *Log) Delete(ctx context.Context, stream string) error {
	if stream == "" {
		return fmt.Errorf("%w: delete without a stream", eventlog.ErrInvalid)
	}
	caller := ctx
	ctx, cancel := l.bound(ctx)
	defer cancel()
	var err error
	for range deleteTries {
		_, err = call(ctx, l.writes, func(ctx context.Context, es *esdb.Client) (*esdb.DeleteResult, error) {
			return es.TombstoneStream(ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
		})
		if err == nil {
			return nil
		}
		switch classify(err) {
		case deleted, conflict, missing: // it is deleted, or there never was one
			return nil
		case unclear, notDone:
			if ctx.Err() == nil {
				continue
			}
		}
		break
	}
	return l.failed(caller, "deleting "+stream, err, map[verdict]error{unclear: eventlog.ErrUnknownOutcome})
}

// endOf says why a context ended, in the port's words.
func (l *Log) endOf(ctx context.Context) error {
	if l.closing.Err() != nil || errors.Is(context.Cause(ctx), eventlog.ErrClosed) {
		return eventlog.ErrClosed
	}
	return ctx.Err()
}
