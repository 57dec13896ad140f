package projections

import (
	"context"
	"errors"
	"iter"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Spec says what a projection is.
type Spec struct {
	Name    string   // [a-z]+, also the file's name
	Version int      // of rows and what they mean; a file of another version is made again
	Types   []string // prefixes of the event types it needs; none means all
	Schema  string   // SQL that makes the empty model

	// Memory: answers come from memory, so a record counts as seen once it is
	// applied, and rows only serve fast starts and are written seldom.
	// Otherwise a record counts as seen once its rows are committed.
	Memory bool

	// Delay is how long a record waits for others before its rows are
	// committed, where a commit of many costs little more than one of few; 0
	// is soon. A model with a delay decides nothing: while the processors are in
	// demand it also stands aside, until it is a minute late. Nothing waits
	// while somebody waits for it.
	Delay time.Duration

	// Batch is how many records are committed at once while a model catches up,
	// if more than 4,096.
	Batch int
}

// Projection folds records into a model.
//
// Its methods are called one at a time, except that its own queries run beside
// them. Apply takes one record; it does no I/O, and an error from it that is
// not [ErrTransient] stops the projection, since no later record may be applied
// without this one. Flush writes everything applied since the last Load or
// Flush on the connection, inside a transaction that the caller commits
// together with the checkpoint. Load is called before the first record and
// after anything failed: the rows stand at the position it is given, records
// after that come (again), and whatever Flush wrote and was not committed
// never happened.
type Projection interface {
	Spec() Spec
	Load(ctx context.Context, file *File, at eventlog.Position) error
	Apply(ctx context.Context, r *ledger.Record) error
	Flush(ctx context.Context, conn *sqlite.Conn) error
}

// Guarded is a projection that believes its file only where the file proves
// what it says: rows and checkpoint belong together, and were written here.
//
// Seal is called in every transaction, after the rows were flushed if there
// were any, with the checkpoint that is committed with them. Check is called
// before Load whenever a file is opened; a new one stands at 0 and was never
// sealed. [ErrUnusable] means that the file is thrown away.
type Guarded interface {
	Projection
	Seal(ctx context.Context, conn *sqlite.Conn, at Checkpoint) error
	Check(ctx context.Context, conn *sqlite.Conn, at Checkpoint) error
}

// Checkpoint is what a file says of itself.
type Checkpoint struct {
	Position eventlog.Position // everything up to here is in the rows
	Text     []byte            // name, version, log, position and anchor, always spelled the same
}

// Source is the ledger as far as projections need it.
type Source interface {
	Follow(ctx context.Context, q eventlog.Query) iter.Seq2[ledger.Delivery, error]
	Read(ctx context.Context, q eventlog.Query) iter.Seq2[ledger.Record, error]
	ReadHead(ctx context.Context) (eventlog.Position, error)
}

var _ Source = (*ledger.Ledger)(nil)

var (
	// ErrTransient marks an error of Apply that may pass: the record is
	// applied again, a few times at once and then after pauses.
	ErrTransient = errors.New("may pass")
	// ErrUnknown: there is no projection of that name.
	ErrUnknown = errors.New("no such projection")
	// ErrStale: the model does not follow the log closely enough to decide by.
	ErrStale = errors.New("model is stale")
	// ErrBehind: the model did not get to a position in the time allowed.
	ErrBehind = errors.New("model has not got there yet")
	// ErrNotReady: the model's file is not open: not yet, or no more.
	ErrNotReady = errors.New("model is not ready")
	// ErrUnusable: the rows are damaged, or of another log or version. Load
	// answers it where it finds that; the file is thrown away and made again.
	ErrUnusable = errors.New("the model's file can't be used")
	// ErrStopped: the projection met a record that it can't apply.
	ErrStopped = errors.New("projection is stopped")
)
