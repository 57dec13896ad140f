package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

// busyTimeout is how long a connection waits for a lock that another process
// holds.
const busyTimeout = 10 * time.Second

// Engine is an index in one file.
type Engine struct {
	options Options
	codec   *codec
	pool    *sqlitex.Pool

	turn   chan *sqlite.Conn // the one writing connection, to who holds it
	closed chan struct{}
	once   sync.Once
	sweeps sweeper
}

var _ search.Engine = (*Engine)(nil)

// Options tune an Engine. The zero value is right for production.
type Options struct {
	// Readers is how many queries run at once; twice the cores if 0.
	Readers int

	chunkRows      int   // so that tests have many with few rows
	generationRows int64 // likewise
}

// Open opens the index in a file, or makes an empty one. It is
// [search.ErrDamaged] if the file is none, or of another version: delete it,
// and it is made again from the log.
func Open(ctx context.Context, path string, o Options) (*Engine, error) {
	if o.Readers == 0 {
		o.Readers = 2 * runtime.GOMAXPROCS(0)
	}
	if o.chunkRows == 0 {
		o.chunkRows = chunkRows
	}
	if o.generationRows == 0 {
		o.generationRows = generationRows
	}
	codec, err := newCodec()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the search index: %w", err)
	}
	writer, err := openWriter(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("opening the search index %s: %w", path, translate(err))
	}
	pool, err := sqlitex.NewPool(uri(path), sqlitex.PoolOptions{PoolSize: o.Readers,
		Flags: sqlite.OpenReadOnly | sqlite.OpenWAL | sqlite.OpenURI, PrepareConn: func(conn *sqlite.Conn) error {
			conn.SetBusyTimeout(busyTimeout)
			return pragmas(conn, "cache_size = -1000", "temp_store = MEMORY", "trusted_schema = OFF")
		}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the search index %s for queries: %w", path, translate(err)), writer.Close())
	}
	e := &Engine{options: o, codec: codec, pool: pool, turn: make(chan *sqlite.Conn, 1), closed: make(chan struct{})}
	e.turn <- writer
	e.sweeps.start(e)
	return e, nil
}

// uri names a file to SQLite. A path may hold any byte, so it is escaped.
func uri(path string) string {
	u := url.URL{Scheme: "file", Path: path}
	return u.String()
}

func openWriter(ctx context.Context, path string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(uri(path), sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenURI)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(busyTimeout)
	conn.SetInterrupt(ctx.Done())
	if err = setUp(conn); err == nil {
		err = os.Chmod(path, 0o600) // #nosec G302 -- for the owner alone
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	conn.SetInterrupt(nil)
	return conn, nil
}

// setUp makes the tables of a new file and looks at the version of an old one.
func setUp(conn *sqlite.Conn) error {
	err := pragmas(conn, "page_size = 8192", "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "cache_size = -2000",
		"temp_store = MEMORY", "trusted_schema = OFF", "wal_autocheckpoint = 4000", "journal_size_limit = 67108864")
	if err != nil {
		return err
	}
	return inTransaction(conn, "BEGIN IMMEDIATE", func() error {
		tables, err := number(conn, `SELECT count(*) FROM sqlite_schema`)
		if err != nil {
			return err
		}
		if tables == 0 {
			return sqlitex.ExecuteScript(conn, schema, nil)
		}
		found, err := number(conn, `SELECT version FROM state`)
		if err == nil && found == version {
			return nil
		}
		return errors.Join(fmt.Errorf("%w: it is not one of version %d", search.ErrDamaged, version), err)
	})
}

func pragmas(conn *sqlite.Conn, list ...string) error {
	for _, pragma := range list {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+pragma, nil); err != nil {
			return err
		}
	}
	return nil
}

// Close ends what runs and closes the file. Calls after it are
// [search.ErrClosed].
func (e *Engine) Close() (err error) {
	e.once.Do(func() {
		close(e.closed)
		e.sweeps.stop()
		conn := <-e.turn
		err = errors.Join(e.pool.Close(), conn.Close())
	})
	return err
}

// Position is where the index stands.
func (e *Engine) Position(ctx context.Context) (at eventlog.Position, err error) {
	err = e.read(ctx, func(conn *sqlite.Conn) error {
		n, err := number(conn, `SELECT position FROM state`)
		at = eventlog.Position(n)
		return err
	})
	return at, err
}

// read runs a query; all it reads is of one moment.
func (e *Engine) read(ctx context.Context, query func(*sqlite.Conn) error) error {
	if err := e.alive(ctx); err != nil {
		return err
	}
	conn, err := e.pool.Take(ctx)
	if err != nil {
		if gone := e.alive(ctx); gone != nil {
			return gone
		}
		return fmt.Errorf("waiting for a connection to the search index: %w", translate(err))
	}
	defer e.pool.Put(conn)
	return e.explain(ctx, inTransaction(conn, "BEGIN", func() error { return query(conn) }))
}

// write runs a change in a transaction, when its turn has come.
func (e *Engine) write(ctx context.Context, change func(*sqlite.Conn) error) error {
	if err := e.alive(ctx); err != nil {
		return err
	}
	select {
	case conn := <-e.turn:
		defer func() { e.turn <- conn }()
		if err := e.alive(ctx); err != nil {
			return err
		}
		conn.SetInterrupt(ctx.Done())
		defer conn.SetInterrupt(nil)
		return e.explain(ctx, inTransaction(conn, "BEGIN IMMEDIATE", func() error { return change(conn) }))
	case <-e.closed:
		return search.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Engine) alive(ctx context.Context) error {
	select {
	case <-e.closed:
		return search.ErrClosed
	default:
		return ctx.Err()
	}
}

// explain makes an error what callers branch on.
func (e *Engine) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if sqlite.ErrCode(err) == sqlite.ResultInterrupt {
		if gone := e.alive(ctx); gone != nil {
			return gone
		}
	}
	return translate(err)
}

func translate(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultOK, sqlite.ResultError, sqlite.ResultMisuse:
		return err
	case sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultFormat:
		return fmt.Errorf("%w: %w", search.ErrDamaged, err)
	}
	return fmt.Errorf("%w: %w", search.ErrUnavailable, err)
}

// inTransaction commits what f did, or none of it.
func inTransaction(conn *sqlite.Conn, begin string, f func() error) error {
	err := sqlitex.Execute(conn, begin, nil)
	if err == nil {
		err = f()
	}
	if err == nil {
		err = sqlitex.Execute(conn, "COMMIT", nil)
	}
	if err == nil || conn.AutocommitEnabled() {
		return err
	}
	done := conn.SetInterrupt(nil) // what was begun is rolled back even when the context has ended
	defer conn.SetInterrupt(done)
	return errors.Join(err, sqlitex.Execute(conn, "ROLLBACK", nil))
}

// number answers the first column of a statement's one row, 0 if it has none.
func number(conn *sqlite.Conn, query string, args ...any) (n int64, err error) {
	err = sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(s *sqlite.Stmt) error {
		n = s.ColumnInt64(0)
		return nil
	}})
	return n, err
}
