package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
)

// Engine is an index of rows. It is safe for concurrent use; Insert and Remove
// may wait for each other.
//
// Errors are those of this package, or the context's. [ErrUnavailable] may pass
// and the call be made again; nothing else becomes right by repeating it.
type Engine interface {
	// Insert takes in a batch. On return it is durable as a whole; after an
	// error all of it or nothing is. Rows at positions the index already
	// stands at change nothing, so a batch may be repeated, also cut
	// differently or after later ones. [ErrGap] if the batch begins after
	// where the index stands.
	Insert(ctx context.Context, b Batch) error

	// Position is where the index stands: all batches up to it are in. 0 for
	// an empty index.
	Position(ctx context.Context) (eventlog.Position, error)

	// Find answers a page of rows, in order of position. Pages that follow
	// each other by cursor hold each row that was there throughout exactly
	// once, whatever is inserted or removed between them.
	Find(ctx context.Context, q Query) (Page, error)

	// Count counts the rows that meet a query's conditions; its order, cursor
	// and limit mean nothing here.
	Count(ctx context.Context, q Query, g Grouping) ([]Group, error)

	// Remove takes something out. On return no answer holds it any more, and
	// repeating an insert does not bring it back. After an error a part may be
	// out; the call may be repeated.
	Remove(ctx context.Context, r Removal) error
}

// Batch is what the index learns at once: all rows after From up to To, in
// order of position. There may be none.
type Batch struct {
	From, To eventlog.Position
	Rows     []Row
}

// Removal is one of [Erasure] and [Retention]. Valid answers [ErrRemoval] for
// one that does not say what to remove.
//
//sumtype:decl
type Removal interface {
	Valid() error
	removal()
}

// Erasure takes the tags of a subject's content, of all rows so far, out of a
// workspace. The rows stay, as the facts do. Engines keep no trace of the tags
// in their files beyond a bounded time, which each states.
type Erasure struct {
	Workspace domain.WorkspaceID
	Subject   domain.SubjectTag
}

// Retention takes rows of a class older than Before out of a workspace, with
// their tags.
type Retention struct {
	Workspace domain.WorkspaceID
	Class     Class
	Before    time.Time
}

func (Erasure) removal()   {}
func (Retention) removal() {}

// Valid answers [ErrRemoval] without a workspace or a subject.
func (e Erasure) Valid() error {
	if e.Workspace == "" || e.Subject == "" {
		return fmt.Errorf("%w: an erasure names a workspace and a subject", ErrRemoval)
	}
	return nil
}

// Valid answers [ErrRemoval] without a workspace or a time.
func (r Retention) Valid() error {
	if r.Workspace == "" || r.Before.IsZero() {
		return fmt.Errorf("%w: retention names a workspace and a time", ErrRemoval)
	}
	return nil
}

var (
	// ErrGap: the batch begins after where the index stands; rows between
	// would be missing for ever.
	ErrGap = errors.New("batch leaves a gap in the search index")
	// ErrBatch: the batch can't be what its sender means.
	ErrBatch = errors.New("not a batch of the search index")
	// ErrQuery: the query can't be answered as it is.
	ErrQuery = errors.New("not a query of the search index")
	// ErrCursor: the cursor is not one that a page of this order answered.
	ErrCursor = errors.New("not a cursor of this search")
	// ErrRemoval: the removal does not say what to remove.
	ErrRemoval = errors.New("not a removal of the search index")
	// ErrUnavailable: the index can't be reached or can't answer now.
	ErrUnavailable = errors.New("search index unavailable")
	// ErrDamaged: what is stored is not what was written; make the index again.
	ErrDamaged = errors.New("search index is damaged")
	// ErrClosed: the index was closed.
	ErrClosed = errors.New("search index is closed")
)

// MaxText is the most bytes a text of a row may have.
const MaxText = 4096

// MaxTags is the most tags a row may have.
const MaxTags = 1 << 16

// Valid answers [ErrBatch] for a batch that no engine takes.
func (b Batch) Valid() error {
	if b.To < b.From || b.To > math.MaxInt64 {
		return fmt.Errorf("%w: it goes from %d to %d", ErrBatch, b.From, b.To)
	}
	last := b.From
	for i := range b.Rows {
		r := &b.Rows[i]
		if r.Position <= last || r.Position > b.To {
			return fmt.Errorf("%w: row %d is at position %d, after %d in a batch up to %d", ErrBatch, i, r.Position, last, b.To)
		}
		last = r.Position
		if err := r.valid(); err != nil {
			return fmt.Errorf("%w: the row at position %d %w", ErrBatch, r.Position, err)
		}
	}
	return nil
}

var (
	errNoWorkspace = errors.New("names no workspace")
	errNoTime      = errors.New("has no time, or one outside of the years 1970 to 9999")
	errLongText    = fmt.Errorf("has a text of more than %d bytes", MaxText)
	errManyTags    = fmt.Errorf("has more than %d tags", MaxTags)
)

func (r *Row) valid() error {
	switch {
	case r.Workspace == "":
		return errNoWorkspace
	case r.Time.Year() < 1970 || r.Time.Year() > 9999:
		return errNoTime
	case len(r.Tags) > MaxTags:
		return errManyTags
	case len(r.Workspace) > MaxText || len(r.Class) > MaxText || len(r.Subject) > MaxText:
		return errLongText
	}
	for _, f := range Fields() {
		if text, _ := r.Text(f); len(text) > MaxText {
			return errLongText
		}
	}
	return nil
}
