package projections

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// readers is how many queries of one model run at once; more wait.
const readers = 4

// How much the writing connection keeps of the file: pages of 1 KiB, negative
// as SQLite wants it. While a model catches up, its random indexes want more.
const (
	liveCache    = "-2000"
	catchUpCache = "-8000"
	queryCache   = "-500" // of each reading connection; the system keeps the file's pages as well
)

// File is the SQLite file of one projection. Its one writer is the machinery
// of this package; queries go through [File.View].
type File struct {
	path string

	mu     sync.RWMutex // held for reading by queries, for writing while the file changes
	writer *sqlite.Conn
	pool   *sqlitex.Pool
}

// Commits are not synced one by one: a crash of the machine may take the last
// ones, rows and checkpoint together. Syncs at checkpoints of the WAL keep what
// is there consistent.
func settings() []string {
	return []string{
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = NORMAL",
		"PRAGMA wal_autocheckpoint = 8000",
		"PRAGMA journal_size_limit = 67108864",
		"PRAGMA cache_size = " + liveCache,
		"PRAGMA temp_store = MEMORY",
		"PRAGMA trusted_schema = OFF",
	}
}

// prepare sets up a connection and the tables that every model has. Settings
// are made outside of a transaction, where they can be changed.
func prepare(conn *sqlite.Conn) error {
	for _, pragma := range settings() {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return err
		}
	}
	return sqlitex.ExecuteScript(conn, metaSchema, nil)
}

// cache sets how much the writing connection keeps.
func (f *File) cache(size string) error {
	return sqlitex.ExecuteTransient(f.writer, "PRAGMA cache_size = "+size, nil)
}

// View runs a query on a connection of its own. The rows it sees are those of
// one committed batch. It waits while all connections are taken, or until ctx
// ends; [ErrNotReady] while there is no file.
func (f *File) View(ctx context.Context, query func(*sqlite.Conn) error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.pool == nil {
		return ErrNotReady
	}
	conn, err := f.pool.Take(ctx)
	if err != nil {
		return fmt.Errorf("waiting for a connection to %s: %w", filepath.Base(f.path), err)
	}
	defer f.pool.Put(conn)
	return query(conn)
}

// open opens the file, or makes an empty one.
func (f *File) open() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writer != nil {
		return nil
	}
	conn, err := sqlite.OpenConn(f.path, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenWAL)
	if err != nil {
		return fmt.Errorf("opening the model %s: %w", f.path, err)
	}
	if err := prepare(conn); err != nil {
		return errors.Join(fmt.Errorf("preparing the model %s: %w", f.path, err), conn.Close())
	}
	pool, err := sqlitex.NewPool(f.path, sqlitex.PoolOptions{PoolSize: readers, Flags: sqlite.OpenReadOnly | sqlite.OpenWAL,
		PrepareConn: func(conn *sqlite.Conn) error {
			return sqlitex.ExecuteTransient(conn, "PRAGMA cache_size = "+queryCache, nil)
		}})
	if err != nil {
		return errors.Join(fmt.Errorf("opening the model %s for queries: %w", f.path, err), conn.Close())
	}
	f.writer, f.pool = conn, pool
	return nil
}

// close waits for queries to end and closes the file.
func (f *File) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closeLocked()
}

func (f *File) closeLocked() error {
	if f.writer == nil {
		return nil
	}
	err := errors.Join(f.pool.Close(), f.writer.Close())
	f.writer, f.pool = nil, nil
	return err
}

// remove throws the file away; the model begins anew.
func (f *File) remove() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.closeLocked() // a damaged file may not close cleanly, and goes anyway
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		if err := os.Remove(f.path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the old model: %w", err)
		}
	}
	return nil
}

// write runs change in a transaction on the one writing connection.
func (f *File) write(ctx context.Context, change func(*sqlite.Conn) error) error {
	if f.writer == nil {
		return ErrNotReady
	}
	f.writer.SetInterrupt(ctx.Done())
	defer f.writer.SetInterrupt(nil)
	err := sqlitex.Execute(f.writer, "BEGIN IMMEDIATE", nil)
	if err == nil {
		err = change(f.writer)
	}
	if err == nil {
		err = sqlitex.Execute(f.writer, "COMMIT", nil)
	}
	if err == nil || f.writer.AutocommitEnabled() {
		return err
	}
	f.writer.SetInterrupt(nil) // what was begun is rolled back even when ctx has ended
	return errors.Join(err, sqlitex.Execute(f.writer, "ROLLBACK", nil))
}

// damaged reports whether an error says that the file can't be used any more.
func damaged(err error) bool {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultFormat:
		return true
	}
	return errors.Is(err, ErrUnusable)
}
