package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
)

// Signer makes compact JWS of records in two steps, because a record names the
// signing input of the one before it: the chain of a batch is known before its
// signatures are, and they are made on all cores.
type Signer interface {
	SigningInput(dst, payload []byte) []byte
	Finish(dst, signingInput []byte) []byte
}

// Keys answers data keys. An empty subject is the workspace itself.
type Keys interface {
	Current(ctx context.Context, ws domain.WorkspaceID, subject domain.SubjectTag) (*ledgercrypto.DataKey, error)
	ByID(ctx context.Context, ws domain.WorkspaceID, id ledgercrypto.KeyID) (*ledgercrypto.DataKey, error)
	SetHead(position uint64)
}

// Ledger seals and appends, reads and opens. It is safe for concurrent use.
type Ledger struct {
	log     eventlog.Log
	keys    Keys
	signer  func() Signer           // asked for each batch, so that a rotation takes effect
	checker func() SignatureChecker // asked for each check, likewise
	head    atomic.Uint64           // newest position this process has seen
	fresh   fresh
}

// New makes a Ledger on a log. signer and checker answer the keys of now.
func New(log eventlog.Log, keys Keys, signer func() Signer, checker func() SignatureChecker) *Ledger {
	return &Ledger{log: log, keys: keys, signer: signer, checker: checker}
}

// Draft is a record to be: everything but its place.
type Draft struct {
	ID          [16]byte
	Type        string
	Payload     []byte // in clear; sealed under the subject's key, or the workspace's
	Subject     domain.SubjectTag
	Time        time.Time // not before the tail's
	Actor       domain.Actor
	Credential  domain.CredentialID
	Correlation string
	Cause       domain.CommandID
}

// Tail is the end of a stream as far as somebody knows it: what the next
// record must follow. The zero Tail is not valid; see [NoTail].
type Tail struct {
	Revision int64     `json:"revision"`
	Digest   string    `json:"digest"` // of the last record's signing input
	Time     time.Time `json:"time"`   // of the last record
}

// NoTail is the end of a stream that has no records.
func NoTail() Tail { return Tail{Revision: eventlog.NoStream} }

// Receipt says where a batch went.
type Receipt struct {
	Tail     Tail
	Position eventlog.Position // of the last record
}

// Overhead is about how many bytes a record takes in the log beside its payload.
const Overhead = 1300

// Append seals the drafts and appends them after tail, all or none. On return
// without error they are durable. An unknown outcome is resolved here by
// appending the same bytes again until ctx ends; only then
// [eventlog.ErrUnknownOutcome] is returned, and the caller must read the
// stream before it writes again. A stream that is not at tail is an
// [*eventlog.WrongRevision].
func (l *Ledger) Append(ctx context.Context, stream string, tail Tail, drafts []Draft) (Receipt, error) {
	ws, err := WorkspaceOf(stream)
	if err != nil {
		return Receipt{}, err
	}
	events, next, err := l.seal(ctx, ws, stream, tail, drafts)
	if err != nil {
		return Receipt{}, fmt.Errorf("sealing %d records of %s: %w", len(drafts), stream, err)
	}
	done, err := l.appendUntilKnown(ctx, stream, tail.Revision, events)
	if err != nil {
		return Receipt{}, fmt.Errorf("appending %d records to %s: %w", len(drafts), stream, err)
	}
	l.saw(done.Position)
	return Receipt{Tail: next, Position: done.Position}, nil
}

// appendUntilKnown appends and, while the outcome is unknown, appends again.
// After one unknown outcome, that the log can't be reached says nothing about
// what it holds: only an answer of the log itself settles it.
func (l *Ledger) appendUntilKnown(ctx context.Context, stream string, expected int64, events []eventlog.Event) (eventlog.Appended, error) {
	var unknown error
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		done, err := l.log.Append(ctx, stream, expected, events)
		switch {
		case errors.Is(err, eventlog.ErrUnknownOutcome):
			unknown = err
		case unknown == nil || settles(err):
			return done, err
		}
		select {
		case <-ctx.Done():
			return done, unknown
		case <-time.After(wait):
		}
	}
}

// settles reports whether an append's answer tells what the stream holds.
func settles(err error) bool {
	var wrong *eventlog.WrongRevision
	return err == nil || errors.As(err, &wrong) || errors.Is(err, eventlog.ErrDeleted)
}

// Head is the newest position this process has seen.
func (l *Ledger) Head() eventlog.Position { return eventlog.Position(l.head.Load()) }

// ReadHead asks the log for its newest position.
func (l *Ledger) ReadHead(ctx context.Context) (eventlog.Position, error) {
	for rec, err := range l.log.Read(ctx, eventlog.Query{Backwards: true, Limit: 1}) {
		if err != nil {
			return 0, fmt.Errorf("reading the newest position: %w", err)
		}
		l.saw(rec.Position)
		return rec.Position, nil
	}
	return 0, nil
}

func (l *Ledger) saw(p eventlog.Position) {
	for {
		old := l.head.Load()
		if uint64(p) <= old {
			return
		}
		if l.head.CompareAndSwap(old, uint64(p)) {
			l.keys.SetHead(uint64(p))
			return
		}
	}
}
