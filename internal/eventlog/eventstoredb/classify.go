package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// verdict is what an error of the client means.
type verdict int

const (
	unclear   verdict = iota // it may or may not have happened
	notDone                  // nothing happened; trying again may help
	conflict                 // the stream is at another revision
	deleted                  // the stream has a tombstone
	missing                  // there is no such stream
	refused                  // nothing happened, and trying again won't help
	malformed                // nothing happened; the call itself is wrong
	oversized                // nothing happened; the request is too large
)

// classify is the one place that knows how the client words its errors. The
// client sends the end of an append last, so what failed while it was being
// made or sent, can't have been stored.
func classify(err error) verdict {
	switch {
	case errors.Is(err, errNotBegun):
		return notDone
	case errors.Is(err, errLeft), errors.Is(err, errPanic):
		return unclear
	}
	var e *esdb.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case esdb.ErrorCodeWrongExpectedVersion:
			return conflict
		case esdb.ErrorCodeStreamDeleted:
			return deleted
		case esdb.ErrorCodeNotLeader, esdb.ErrorCodeConnectionClosed:
			return notDone
		}
	}
	v := byStatus(err, err.Error())
	if v == unclear && unsent(err) {
		return notDone
	}
	return v
}

func byStatus(err error, text string) verdict {
	var e *esdb.Error
	_, answered := status.FromError(err)
	if !answered && errors.As(err, &e) && e.Code() == esdb.ErrorCodeResourceNotFound {
		return missing // made by the client itself, from a message that says so
	}
	switch status.Code(err) {
	case codes.NotFound:
		return notDone // from a server that is not the leader and can't name it
	case codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
		return refused
	case codes.InvalidArgument:
		if strings.Contains(strings.ToLower(text), "maximum append") {
			return oversized
		}
		return malformed
	case codes.ResourceExhausted:
		return oversized
	case codes.FailedPrecondition: // of Delete and Tombstone; appends have it in-band
		if strings.Contains(text, "deleted") {
			return deleted
		}
		return conflict
	default:
		return unclear
	}
}

// lostServer says whether a client has no server any more.
func lostServer(err error) bool {
	var e *esdb.Error
	if errors.As(err, &e) && (e.Code() == esdb.ErrorCodeConnectionClosed || e.Code() == esdb.ErrorUnavailable) {
		return true
	}
	return err != nil && status.Code(err) == codes.Unavailable
}

// actualRevision reads a stream's revision from a conflict, which the client
// gives only in words, "expecting '3' but got '5'". It is -2 if it can't.
func actualRevision(err error) int64 {
	_, got, ok := strings.Cut(err.Error(), "but got '")
	got, _, closed := strings.Cut(got, "'")
	if !ok || !closed {
		return unknownRevision
	}
	if got == "no_stream" {
		return eventlog.NoStream
	}
	n, err := strconv.ParseInt(got, 10, 64)
	if err != nil || n < 0 {
		return unknownRevision
	}
	return n
}

const unknownRevision int64 = -2

// failed is err as the port words it, for everything but appends: one of its
// sentinels, and the context's error where that was the reason. special has
// verdicts that mean something else here.
func (l *Log) failed(ctx context.Context, doing string, err error, special map[verdict]error) error {
	if l.closing.Err() != nil {
		return fmt.Errorf("%s: %w", doing, eventlog.ErrClosed)
	}
	v := classify(err)
	sentinel, ok := special[v]
	if !ok {
		sentinel = eventlog.ErrUnavailable
		switch v {
		case malformed:
			sentinel = eventlog.ErrInvalid
		case oversized:
			sentinel = eventlog.ErrTooLarge
		}
	}
	if v == refused {
		return fmt.Errorf("%s: EventStoreDB refuses; check the credentials and access lists: %w: %w", doing, sentinel, err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w: %w", doing, sentinel, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w: %w", doing, sentinel, err)
}
