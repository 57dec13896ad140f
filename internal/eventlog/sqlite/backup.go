package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	zs "zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// backupStep is how many pages are copied between two reports: 4 MiB.
const backupStep = 256

// Backup writes a copy of the log as it is now to the file path, beside
// whatever else goes on. The copy is one file; to restore it, put it as
// ledger.db into an empty directory. It is written under another name, made
// durable, and renamed: path is a whole backup or not there. A file that is
// already at path is not touched, and an error. progress, if not nil, hears
// after each step how many pages of how many are done. While a backup runs the
// write-ahead log can't start anew, so it grows by what is appended meanwhile.
func (l *Log) Backup(ctx context.Context, path string, progress func(done, total int)) error {
	if progress == nil {
		progress = func(int, int) {}
	}
	if err := l.backup(ctx, path, progress); err != nil {
		return fmt.Errorf("backing up the event log in %s to %s: %w", l.dir, path, err)
	}
	return nil
}

func (l *Log) backup(ctx context.Context, path string, progress func(done, total int)) (err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w; choose another name", eventlog.ErrInvalid, errors.Join(fs.ErrExist, err))
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-*") // mode 0600
	if err != nil {
		return fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
	}
	temp := file.Name()
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	if err := file.Close(); err != nil {
		return err
	}
	if err := l.copyTo(ctx, temp, progress); err != nil {
		return err
	}
	if err := syncPath(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path))
}

// copyTo copies from a connection that keeps one read transaction open, so the
// copy is of one moment and never has to begin again.
func (l *Log) copyTo(ctx context.Context, temp string, progress func(done, total int)) error {
	r, err := l.readers.get(ctx)
	if err != nil {
		return err
	}
	defer l.readers.put(r)
	if err := execute(r.conn, "BEGIN"); err != nil {
		return err
	}
	defer func() { _ = execute(r.conn, "COMMIT") }() // it only read
	if _, err := queryInt(r.conn, "SELECT max(position) FROM event"); err != nil {
		return err
	}
	to, err := openConn(l.options.uri(temp, ""), zs.OpenReadWrite, "journal_mode=OFF", "synchronous=OFF")
	if err != nil {
		return err
	}
	err = l.copyPages(ctx, to, r.conn, progress)
	return translate(errors.Join(err, to.Close()))
}

func (l *Log) copyPages(ctx context.Context, to, from *zs.Conn, progress func(done, total int)) error {
	b, err := zs.NewBackup(to, "", from, "")
	if err != nil {
		return err
	}
	defer b.Close()
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if isClosed(l.closing) {
			return errClosed()
		}
		if more, err = b.Step(backupStep); err != nil {
			return err
		}
		progress(b.PageCount()-b.Remaining(), b.PageCount())
	}
	return nil
}
