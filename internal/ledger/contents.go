package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain/schema"
)

// ErrNoContent says that content a fact names is not where it should be.
var ErrNoContent = errors.New("content is not where its fact says")

// Streams reads streams, as [Ledger] does.
type Streams interface {
	ReadStream(ctx context.Context, stream string, tail Tail) iter.Seq2[Record, error]
}

var _ Streams = (*Ledger)(nil)

// ridesAlong is how many records after a fact its content may stand: an append
// holds the facts of one decision, then what they name.
const ridesAlong = 64

// Content answers what a fact names, or erased if the key of its subject was
// destroyed. r is the fact's record.
func Content(ctx context.Context, l Streams, r *Record, ref schema.Reference) (payload []byte, erased bool, err error) {
	if ref.Stream != "" {
		return parts(ctx, l, ref)
	}
	tail, seen := r.Tail(), 0
	for next, err := range l.ReadStream(ctx, r.Stream, tail) {
		if err != nil {
			return nil, false, err
		}
		switch seen++; {
		case !IsContent(next.Type) && next.Cause != r.Cause, seen > ridesAlong:
			return nil, false, fmt.Errorf("%w: after %s@%d", ErrNoContent, r.Stream, r.Revision)
		case next.Erased:
			return nil, true, nil
		case IsContent(next.Type) && ledgercrypto.Digest(next.Payload) == ref.Digest:
			return next.Payload, false, nil
		}
	}
	return nil, false, fmt.Errorf("%w: after %s@%d", ErrNoContent, r.Stream, r.Revision)
}

// parts puts a large content together again.
func parts(ctx context.Context, l Streams, ref schema.Reference) (payload []byte, erased bool, err error) {
	for part, err := range l.ReadStream(ctx, ref.Stream, NoTail()) {
		if err != nil {
			return nil, false, err
		}
		if part.Erased {
			return nil, true, nil
		}
		payload = append(payload, part.Payload...)
	}
	if ledgercrypto.Digest(payload) != ref.Digest {
		return nil, false, fmt.Errorf("%w: %s", ErrNoContent, ref.Stream)
	}
	return payload, false, nil
}

// WrittenIn answers what people and models wrote in a fact and in the content that
// it names. erased says that some of it can't be read any more.
func WrittenIn(ctx context.Context, l Streams, r *Record) (texts []string, erased bool, err error) {
	if r.Erased {
		return nil, true, nil
	}
	if IsContent(r.Type) {
		return schema.ContentTexts(r.Payload), false, nil
	}
	_, payload, err := UnwrapFact(r.Payload)
	if err != nil {
		return nil, false, err
	}
	event, err := schema.Decode(r.Type, payload)
	if err != nil {
		return nil, false, fmt.Errorf("reading %s@%d: %w", r.Stream, r.Revision, err)
	}
	texts = schema.Texts(event)
	for _, ref := range schema.Contents(event) {
		content, gone, err := Content(ctx, l, r, ref)
		if err != nil {
			return nil, false, err
		}
		erased = erased || gone
		texts = append(texts, schema.ContentTexts(content)...)
	}
	return texts, erased, nil
}
