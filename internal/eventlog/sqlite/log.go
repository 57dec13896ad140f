package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Options change how a log is opened. The zero value is right for a server.
type Options struct {
	// FullCheck reads the whole file before opening it, not only after an
	// unclean end, and however large it is.
	FullCheck bool
	// Now is the clock that stamps records; time.Now if nil.
	Now func() time.Time
	// Logger hears of trouble in the background; nobody does if nil.
	Logger *slog.Logger

	vfs          string             // tests watch and break the file system through it
	unsafeNoSync bool               // tests prove that they would notice
	hash         func(string) int64 // tests make names collide
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Log is an event log in one directory. [Open] answers one that writes,
// [OpenReadOnly] one that only reads.
type Log struct {
	dir, path string
	options   Options
	lock      *os.File // nil when read-only

	names   *names
	types   *typeTable
	readers *pool

	writer      *writer // the committer's
	queue       chan *request
	room        *semaphore.Weighted
	recent      *recent
	checkpoints *checkpoints

	tailMu sync.Mutex // read-only: guards loading of names

	onMismatch func(eventlog.Recorded) // see OpenToVerify

	closeOnce sync.Once
	closeErr  error
	closing   chan struct{} // closed when Close begins
	stopped   chan struct{} // closed when the committer has ended
	filled    chan struct{} // closed when the names were read
}

var _ eventlog.Log = (*Log)(nil)

// Open opens the log in dir for writing, and makes both if they are not there.
// Only one process may: for another it is ErrInUse. A file that fails its
// checks is ErrDamaged, one of a later format [ErrNewerFormat]. ctx bounds the
// opening only.
func Open(ctx context.Context, dir string, options Options) (*Log, error) {
	l, err := open(ctx, dir, options.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("opening the event log in %s: %w", dir, err)
	}
	return l, nil
}

func open(ctx context.Context, dir string, o Options) (_ *Log, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	l := newLog(dir, o)
	l.lock = lock
	defer func() {
		if err != nil {
			err = errors.Join(err, l.release())
		}
	}()
	if err := l.openFile(ctx); err != nil {
		return nil, err
	}
	l.queue = make(chan *request, queueLength)
	l.room = semaphore.NewWeighted(queueBytes)
	l.stopped = make(chan struct{})
	l.recent = newRecent(eventlog.Position(l.writer.last))
	if l.checkpoints, err = newCheckpoints(l); err != nil {
		return nil, err
	}
	l.filled = make(chan struct{})
	go l.fillBloom()
	go l.commitLoop()
	return l, nil
}

func newLog(dir string, o Options) *Log {
	l := &Log{dir: dir, path: filepath.Join(dir, fileName), options: o, names: newNames(o.hash), types: newTypeTable(), closing: make(chan struct{})}
	l.readers = newPool(l)
	return l
}

// openFile makes or checks the file and readies the writer.
func (l *Log) openFile(ctx context.Context) error {
	if err := l.createIfMissing(); err != nil {
		return err
	}
	conn, err := openWriter(l.path, l.options)
	if err != nil {
		return err
	}
	l.writer = &writer{conn: conn}
	if err := l.checkFile(ctx, conn); err != nil {
		return err
	}
	if l.names.indexed, err = queryInt(conn, "SELECT value FROM mark WHERE name='indexed'"); err != nil {
		return err
	}
	if err := l.types.load(conn); err != nil {
		return err
	}
	w, err := newWriter(conn, l.options, l.names, l.types)
	if err != nil {
		return err
	}
	l.writer = w
	l.names.seen = newBloom(w.last)
	if err := l.names.load(conn, w.lookup); err != nil {
		return err
	}
	if err := execute(conn, "UPDATE mark SET value=0 WHERE name='clean'"); err != nil {
		return err
	}
	return syncPath(l.dir) // the -wal file's entry
}

func (l *Log) createIfMissing() error {
	info, err := os.Stat(l.path)
	switch {
	case err == nil && info.Size() == 0:
		return damaged("%s is empty", l.path)
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
	}
	if _, err := os.Stat(l.path + "-wal"); err == nil {
		return damaged("%s is missing beside its write-ahead log", l.path)
	}
	if err := create(l.dir, l.path, l.options); err != nil {
		return fmt.Errorf("creating %s: %w", l.path, translate(err))
	}
	return nil
}

// makeDir makes the directory and its entry durable.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncPath(filepath.Dir(dir))
}

// Close ends subscriptions, answers waiting calls with ErrClosed, and leaves a
// file that needs no recovery. Records that were acknowledged don't depend on it.
func (l *Log) Close() error {
	l.closeOnce.Do(func() {
		close(l.closing)
		if l.stopped != nil {
			<-l.stopped
			<-l.filled
			l.checkpoints.stop()
		}
		l.readers.close()
		if l.stopped != nil {
			l.closeErr = l.writer.retire()
		}
		l.closeErr = errors.Join(l.closeErr, l.release())
		if l.closeErr != nil {
			l.closeErr = fmt.Errorf("closing the event log in %s: %w", l.dir, l.closeErr)
		}
	})
	return l.closeErr
}

// retire finishes the name index and marks the end as clean.
func (w *writer) retire() error {
	for w.names.moving != nil || len(w.names.fresh) > 0 {
		err := w.transaction(func() error {
			w.names.rotate(w.last, true)
			var err error
			w.tx.moved, err = w.names.write(w.lookup, namesKept)
			return translate(err)
		})
		if err != nil {
			return err
		}
	}
	err := w.transaction(func() error {
		for name, value := range map[string]int64{"last": w.last, "clean": 1} {
			w.lookup.setMark.BindInt64(1, value)
			w.lookup.setMark.BindText(2, name)
			if err := step(w.lookup.setMark); err != nil {
				return translate(err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = checkpoint(w.conn, "TRUNCATE")
	return err
}

// release closes what open acquired, in whatever state that was left.
func (l *Log) release() error {
	var errs []error
	if l.writer != nil {
		errs = append(errs, translate(l.writer.conn.Close()))
		l.writer = nil
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
		l.lock = nil
	}
	return errors.Join(errs...)
}
