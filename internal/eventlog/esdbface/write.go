package esdbface

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf16"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	// anyTries bounds how often an append without an exact revision is tried
	// again because another writer was faster.
	anyTries = 200
	// recentIDs is how many of a stream's newest records such an append looks
	// through for its own ids. A real server's memory is bounded too.
	recentIDs = 64
)

// proposal is the common shape of Append's and BatchAppend's proposed messages.
type proposal interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

// proposed checks one proposed event and makes it the log's. size is what it
// counts towards the limit of an append.
func proposed(p proposal) (ev eventlog.Event, size int, err error) {
	md := p.GetMetadata()
	kind, hasType := md[keyType]
	content, hasContent := md[keyContentType]
	if !hasType || !hasContent {
		return ev, 0, errMissingProperty
	}
	id, err := parseUUID(p.GetId())
	switch {
	case err != nil:
		return ev, 0, status.Error(codes.InvalidArgument, err.Error())
	case id == [16]byte{}:
		return ev, 0, status.Error(codes.Unknown, "an event's id must not be empty")
	case kind == "":
		return ev, 0, status.Error(codes.Unknown, "an event's type must not be empty")
	case strings.HasPrefix(kind, "$"):
		return ev, 0, status.Errorf(codes.InvalidArgument, "event type %q: types beginning with $ are reserved", kind)
	case content == contentJSON && len(p.GetData()) > 0 && !json.Valid(p.GetData()):
		return ev, 0, status.Error(codes.InvalidArgument, "data declared as application/json is no JSON; send it as application/octet-stream")
	}
	ev = eventlog.Event{ID: id, Type: kind, Data: p.GetData(), Meta: p.GetCustomMetadata()}
	return ev, len(ev.Data) + len(ev.Meta) + 2*utf16Length(kind), nil
}

// utf16Length is how long a real server finds a string.
func utf16Length(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// writable checks whether a stream of that name may be written at all.
func (f *Face) writable(stream string) error {
	switch {
	case f.opts.ReadOnly:
		return errReadOnly
	case stream == "":
		return status.Error(codes.InvalidArgument, "the request names no stream")
	case strings.HasPrefix(stream, "$"):
		return status.Errorf(codes.Unimplemented,
			"stream %q: this server keeps no system streams and no stream metadata", stream)
	}
	return nil
}

// append stores events as want says. Without events it only checks want, and
// answers the stream's tip without a position. It fails with a *conflict or an
// error of the log.
func (f *Face) append(ctx context.Context, stream string, want expectation, events []eventlog.Event) (eventlog.Appended, error) {
	if len(events) == 0 {
		return f.checkOnly(ctx, stream, want)
	}
	if want.kind == exactly {
		return f.appendAt(ctx, stream, want, want.revision, events)
	}
	for range anyTries {
		at, repeat, err := f.resolve(ctx, stream, want, events)
		if err != nil {
			return eventlog.Appended{}, err
		}
		got, err := f.appendAt(ctx, stream, want, at, events)
		var c *conflict
		if !errors.As(err, &c) || repeat || ctx.Err() != nil {
			return got, err
		}
	}
	return eventlog.Appended{}, status.Errorf(codes.Aborted,
		"stream %q is written so fast that %d tries came too late; nothing was stored, try again", stream, anyTries)
}

// resolve finds the revision that an inexact expectation means now: the
// stream's tip, or where the first event already stands, which makes it a repeat.
func (f *Face) resolve(ctx context.Context, stream string, want expectation, events []eventlog.Event) (at int64, repeat bool, err error) {
	tip := eventlog.NoStream
	q := eventlog.Query{Stream: stream, From: -1, Backwards: true, Limit: recentIDs + len(events)}
	for r, err := range f.log.Read(ctx, q) {
		if err != nil {
			return 0, false, err
		}
		if r.ID == events[0].ID {
			return r.Revision - 1, true, nil
		}
		tip = max(tip, r.Revision)
	}
	if !want.holds(tip) {
		return 0, false, &conflict{stream, want, tip}
	}
	return tip, false, nil
}

func (f *Face) appendAt(ctx context.Context, stream string, want expectation, at int64, events []eventlog.Event) (eventlog.Appended, error) {
	got, err := f.log.Append(ctx, stream, at, events)
	var wrong *eventlog.WrongRevision
	if !errors.As(err, &wrong) {
		return got, err
	}
	actual := wrong.Actual
	if actual < eventlog.NoStream { // the engine could not say
		if actual, _, err = f.tip(ctx, stream); err != nil {
			return eventlog.Appended{}, err
		}
	}
	return eventlog.Appended{}, &conflict{stream, want, actual}
}

func (f *Face) checkOnly(ctx context.Context, stream string, want expectation) (eventlog.Appended, error) {
	tip, _, err := f.tip(ctx, stream)
	if err != nil {
		return eventlog.Appended{}, err
	}
	if !want.holds(tip) {
		return eventlog.Appended{}, &conflict{stream, want, tip}
	}
	return eventlog.Appended{Revision: tip}, nil
}

// tip is the revision and position of a stream's last record, or NoStream and
// 0. An empty name means the whole log.
func (f *Face) tip(ctx context.Context, stream string) (int64, eventlog.Position, error) {
	for r, err := range f.log.Read(ctx, eventlog.Query{Stream: stream, From: -1, Backwards: true, Limit: 1}) {
		if err != nil {
			return 0, 0, fmt.Errorf("reading the newest record: %w", err)
		}
		return r.Revision, r.Position, nil
	}
	return eventlog.NoStream, 0, nil
}

// deleted says whether an empty stream is empty because it was deleted. The
// port tells only writers, so this asks as one: no stream ever reaches the
// revision it appends at, so nothing is stored whatever the answer.
func (f *Face) deleted(ctx context.Context, stream string) bool {
	probe := eventlog.Event{Type: "probe"}
	_, _ = rand.Read(probe.ID[:]) // never fails, see crypto/rand
	probe.ID[0] |= 1
	_, err := f.log.Append(ctx, stream, math.MaxInt64-1, []eventlog.Event{probe})
	return errors.Is(err, eventlog.ErrDeleted)
}
