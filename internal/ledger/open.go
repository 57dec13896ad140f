package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/internal/eventlog"
)

// ErrForged says that a record is not what this ledger wrote at this place:
// its digest, chain, seal or place is wrong. State must not depend on it.
var ErrForged = errors.New("record fails its check")

// BadRecord is a record that fails a check. It is [ErrForged].
type BadRecord struct {
	Stream   string            `json:"stream"`
	Revision int64             `json:"revision"`
	Position eventlog.Position `json:"position"`
	Problem  string            `json:"problem"` // a sentence without content
}

func (b *BadRecord) Error() string {
	return fmt.Sprintf("record %s@%d at position %d: %s", b.Stream, b.Revision, b.Position, b.Problem)
}

// Is makes a BadRecord [ErrForged].
func (b *BadRecord) Is(target error) bool { return target == ErrForged }

// Record is a record as read: checked against its digest and opened.
type Record struct {
	Header
	Position eventlog.Position
	Payload  []byte // nil if Erased
	Erased   bool   // content whose key was destroyed; it stays provable and can't be read
	Link     string // digest of its signing input, which its successor names
	Stored   *eventlog.Recorded

	own bool // sealed by this process, after a tail that it had checked
}

// Tail is the tail of a stream that ends with this record.
func (r *Record) Tail() Tail { return Tail{Revision: r.Revision, Digest: r.Link, Time: r.Time} }

// JWS is the record's compact JWS as stored.
func (r *Record) JWS() []byte {
	jws, _ := unwrapMeta(r.Stored.Meta) // it was unwrapped before
	return jws
}

// Parse checks a stored record against its own signed payload (place, name,
// digest of the ciphertext) and answers it unopened. It checks no signature.
func Parse(stored *eventlog.Recorded) (Record, []byte, error) {
	bad := func(problem string) (Record, []byte, error) {
		return Record{}, nil, &BadRecord{stored.Stream, stored.Revision, stored.Position, problem}
	}
	jws, err := unwrapMeta(stored.Meta)
	if err != nil {
		return bad("its metadata does not hold a signature")
	}
	input, payload, err := ledgercrypto.ParseUnverified(jws)
	if err != nil {
		return bad("its signature is not a compact JWS")
	}
	h, associated, err := ParseHeader(payload)
	switch {
	case err != nil:
		return bad("its signed payload is not in the record format")
	case h.Stream != stored.Stream || h.Revision != stored.Revision:
		return bad(fmt.Sprintf("it was signed as %s@%d", h.Stream, h.Revision))
	case h.Type != stored.Type:
		return bad("it was signed with the type " + h.Type)
	case h.ID != stored.ID:
		return bad("it was signed with the id " + EventID(h.ID))
	case h.Data != digest64(sha256.Sum256(stored.Data)):
		return bad("its ciphertext is not the one that was signed")
	}
	if ws, err := WorkspaceOf(h.Stream); err != nil || ws != h.Workspace {
		return bad("its workspace is not its stream's")
	}
	return Record{Header: h, Position: stored.Position, Link: digest64(sha256.Sum256(input)), Stored: stored}, associated, nil
}

// Follows checks that r comes right after tail in its stream.
func (r *Record) Follows(tail Tail) error {
	problem := ""
	switch {
	case r.Revision != tail.Revision+1:
		problem = fmt.Sprintf("the record before it is %d", tail.Revision)
	case r.Prev != tail.Digest:
		problem = "it does not name the record before it"
	case r.Time.Before(tail.Time):
		problem = "it is older than the record before it"
	default:
		return nil
	}
	return &BadRecord{r.Stream, r.Revision, r.Position, problem}
}

// Open checks a stored record and opens it. The chain is not checked here; see
// [Record.Follows].
func (l *Ledger) Open(ctx context.Context, stored *eventlog.Recorded) (Record, error) {
	if r, ok := l.fresh.open(stored); ok {
		return r, nil
	}
	r, associated, err := Parse(stored)
	if err != nil {
		return Record{}, err
	}
	if IsKeyStream(r.Stream) {
		return r, nil // sealed by the key-encryption key; the key ring opens it
	}
	key, err := l.keys.ByID(ctx, r.Workspace, ledgercrypto.KeyID(r.Key))
	switch {
	case errors.Is(err, ledgercrypto.ErrKeyErased):
		return l.erased(r)
	case errors.Is(err, ledgercrypto.ErrKeyUnknown):
		return Record{}, &BadRecord{r.Stream, r.Revision, r.Position, "its data key was never made here"}
	case err != nil:
		return Record{}, fmt.Errorf("finding the data key of %s@%d: %w", r.Stream, r.Revision, err)
	}
	if r.Payload, err = key.Open(stored.Data, associated); err != nil {
		return Record{}, &BadRecord{r.Stream, r.Revision, r.Position, "its ciphertext does not open at this place"}
	}
	return r, nil
}

// erased answers a record whose key was destroyed. Nothing but its signature
// says now that it was written here, so that is checked; and only content can
// be erased, since no key of a fact is ever destroyed.
func (l *Ledger) erased(r Record) (Record, error) {
	if !IsContent(r.Type) {
		return Record{}, &BadRecord{r.Stream, r.Revision, r.Position, "it is a fact under a key that was destroyed, which no fact's is"}
	}
	if _, _, err := l.checker().Verify(r.JWS(), ledgercrypto.RecordTyp); err != nil {
		return Record{}, &BadRecord{r.Stream, r.Revision, r.Position, "its key was destroyed, and " + signatureProblem(err)}
	}
	r.Erased = true
	return r, nil
}

// ReadStream yields the records of a stream after tail, in order, checked and
// opened; [NoTail] reads it whole. A record that fails a check is a
// [*BadRecord] and ends the sequence.
func (l *Ledger) ReadStream(ctx context.Context, stream string, tail Tail) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for stored, err := range l.log.Read(ctx, eventlog.Query{Stream: stream, From: tail.Revision + 1}) {
			var r Record
			if err == nil {
				r, err = l.Open(ctx, &stored)
			}
			if err == nil {
				err = r.Follows(tail)
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			tail = r.Tail()
			if !yield(r, nil) {
				return
			}
		}
	}
}

// ReadRecord answers one record of a stream, checked and opened, or
// [ErrNoRecord].
func (l *Ledger) ReadRecord(ctx context.Context, stream string, revision int64) (Record, error) {
	for stored, err := range l.log.Read(ctx, eventlog.Query{Stream: stream, From: revision, Limit: 1}) {
		if err != nil {
			return Record{}, err
		}
		return l.Open(ctx, &stored)
	}
	return Record{}, ErrNoRecord
}

// ErrNoRecord says that there is no such record.
var ErrNoRecord = errors.New("no such record")
