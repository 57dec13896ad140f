// Package eventlog is the port to the append-only log, in bytes: it knows
// streams, revisions and positions, and nothing of what the bytes mean.
//
// Its engines are sqlite (embedded, the default) and eventstoredb. One
// conformance suite, eventlogtest, says what an engine is.
package eventlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Position is a record's place in the whole log. Positions grow strictly and
// may have gaps; they mean nothing outside their log and must not be computed.
// 0 stands before the first record.
type Position uint64

// NoStream, as the expected revision of an append, says that the stream must
// have no records. Otherwise the expected revision is that of the last record.
const NoStream int64 = -1

// Event is what a caller appends.
type Event struct {
	ID   [16]byte // chosen by the caller, the same again when it tries again; never zero
	Type string   // 1 to 128 bytes
	Data []byte   // opaque
	Meta []byte   // opaque; real servers want JSON here
}

// Recorded is an event that the log holds. Its slices must not be changed.
type Recorded struct {
	Event
	Stream   string
	Revision int64 // place in the stream, from 0 without gaps
	Position Position
	Created  time.Time // the engine's clock when it was stored
}

// Appended says where a batch went.
type Appended struct {
	Revision int64    // of the batch's last event
	Position Position // of the batch's last event
}

// Query selects records. A query with a Stream reads that stream by revision;
// one without reads the whole log by position, and then the filters apply.
type Query struct {
	Stream string
	From   int64 // stream reads: first revision wanted; backwards: -1 is the newest

	After          Position // whole log, exclusive; backwards: 0 is the end
	StreamPrefixes []string // any of these; none means all
	TypePrefixes   []string // any of these; none means all

	Backwards bool
	Limit     int // at most so many records; 0 means all
}

// Delivery is what a subscription yields: a record, or word of how far it got.
type Delivery struct {
	Record   *Recorded // nil for a mark
	Position Position  // everything the filters let through up to here was delivered
	CaughtUp bool      // a mark: the subscription has reached the log's present end
}

// Log is an append-only log of streams. It is safe for concurrent use.
//
// Append stores events at the end of one stream, all or none, when the stream
// is at the expected revision. On return without error they are durable: a
// crash of this process or machine (on a cluster: of a minority) keeps them.
// An append whose events all stand already at expected+1 and on, by id, answers
// as the first one did, however much has been appended since. Otherwise a
// stream at another revision is a [*WrongRevision]. [ErrUnknownOutcome] means
// the events may or may not be there: the caller appends again with the same
// ids and revision until it knows. Any other error means nothing was stored,
// and the caller decides whether to try again. No events is [ErrInvalid]. The
// events' bytes belong to the log from then on: nobody changes them any more.
//
// Read yields the records of q in order and ends at what was the end when it
// got there. A stream that does not exist, or was deleted, yields nothing
// ([ErrDeleted] is for appends). After an error the sequence ends.
//
// Subscribe yields what Read would and then stays: each new record once, in
// order, without a gap between old and new, until ctx ends (the sequence then
// ends with ctx's error) or the engine fails for good. It takes no Backwards,
// Limit or Stream. An engine that loses its server reconnects by itself.
// Marks come when it has caught up, and now and then while filters hold
// everything back.
//
// Delete removes the records of a key stream for good; only key streams are
// ever deleted. The name can't be used again: Append answers [ErrDeleted].
// Deleting a stream that is deleted or was never there succeeds.
type Log interface {
	Append(ctx context.Context, stream string, expected int64, events []Event) (Appended, error)
	Read(ctx context.Context, q Query) iter.Seq2[Recorded, error]
	Subscribe(ctx context.Context, q Query) iter.Seq2[Delivery, error]
	Delete(ctx context.Context, stream string) error
	Close() error
}

// MaxAppend is the most bytes (data, meta and twice the type's length, summed
// over the batch) that every engine takes in one append; more is [ErrTooLarge].
const MaxAppend = 1 << 20

var (
	// ErrUnknownOutcome: the append may or may not have happened.
	ErrUnknownOutcome = errors.New("outcome of the append is unknown")
	// ErrUnavailable: the log can't be reached or can't write; nothing was stored.
	ErrUnavailable = errors.New("event log unavailable")
	// ErrFull: the disk is full; nothing was stored. It is also ErrUnavailable.
	ErrFull = fmt.Errorf("%w: the disk is full", ErrUnavailable)
	// ErrDamaged: what is stored is not what was written; restore a backup.
	ErrDamaged = errors.New("event log is damaged")
	// ErrDeleted: the stream was deleted and its name can't be used again.
	ErrDeleted = errors.New("stream was deleted")
	// ErrTooLarge: the batch exceeds MaxAppend; nothing was stored.
	ErrTooLarge = errors.New("append is larger than the log takes")
	// ErrInvalid: the call itself is wrong (no events, no id, no stream name).
	ErrInvalid = errors.New("invalid call of the event log")
	// ErrInUse: another process writes to this log.
	ErrInUse = errors.New("event log is in use by another process")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("event log is closed")
)

// WrongRevision says that the stream is not where the append expected it.
type WrongRevision struct {
	Stream   string
	Expected int64
	Actual   int64 // NoStream if it has no records; -2 if the engine could not say
}

func (e *WrongRevision) Error() string {
	return fmt.Sprintf("stream %s is at revision %d, expected %d", e.Stream, e.Actual, e.Expected)
}
