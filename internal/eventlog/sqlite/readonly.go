package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// namesFollowed bounds how many new streams a read-only log remembers before
// it looks again at which of them are in the table by now.
const namesFollowed = 1 << 20

// OpenReadOnly opens the log in dir for reading, beside a server that writes
// to it or after one that stopped. It takes no lock and changes no record.
// Appends and deletes answer ErrUnavailable; subscriptions look every tenth of
// a second. Where the directory may not be written, a stopped server's log is
// read as it is, and must not be written meanwhile.
func OpenReadOnly(ctx context.Context, dir string) (*Log, error) {
	l, err := openReadOnly(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("opening the event log in %s for reading: %w", dir, err)
	}
	return l, nil
}

// OpenToVerify is [OpenReadOnly] for somebody who checks every record by other
// means and wants to name the bad ones: whole-log reads hand out rows that do
// not match their checksum as they are, after telling mismatch of them.
func OpenToVerify(ctx context.Context, dir string, mismatch func(eventlog.Recorded)) (*Log, error) {
	l, err := OpenReadOnly(ctx, dir)
	if err == nil {
		l.onMismatch = mismatch
	}
	return l, err
}

func openReadOnly(ctx context.Context, dir string) (*Log, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	l := newLog(dir, Options{}.withDefaults())
	info, err := os.Stat(l.path)
	if err != nil {
		return nil, fmt.Errorf("%w: there is no event log: %w", eventlog.ErrUnavailable, err)
	}
	if info.Size() == 0 {
		return nil, damaged("%s is empty", l.path)
	}
	r, err := l.firstReader(ctx)
	if err != nil {
		return nil, err
	}
	err = checkFormat(r.conn, l.path)
	if err == nil {
		err = l.types.load(r.conn)
	}
	if err == nil {
		l.names.indexed, err = queryInt(r.conn, "SELECT value FROM mark WHERE name='indexed'")
	}
	l.readers.put(r)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// firstReader opens a connection. SQLite wants to make the files beside a WAL
// database even to read it; in a directory that may not be written it reads
// the file alone, which is complete if the server stopped cleanly.
func (l *Log) firstReader(ctx context.Context) (*reader, error) {
	r, err := l.readers.get(ctx)
	if err == nil || !errors.Is(err, eventlog.ErrUnavailable) {
		return r, err
	}
	if info, serr := os.Stat(l.path + "-wal"); serr == nil && info.Size() > 0 {
		return nil, fmt.Errorf("%w; its write-ahead log needs recovery, and for that the directory must be writable", err)
	}
	l.readers.query = "immutable=1"
	return l.readers.get(ctx)
}

// followNames finds streams that another process began. The log that writes
// knows its own.
func (l *Log) followNames(r *reader) error {
	if l.lock != nil {
		return nil
	}
	l.tailMu.Lock()
	defer l.tailMu.Unlock()
	if len(l.names.fresh) > namesFollowed {
		indexed, err := queryInt(r.conn, "SELECT value FROM mark WHERE name='indexed'")
		if err != nil {
			return err
		}
		l.names.reset(indexed)
	}
	return l.names.load(r.conn, r.lookup)
}
