package sqlite

import (
	"context"
	"fmt"
	"math"
	"os"

	zs "zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	// fullCheckLimit is the size up to which a file is read whole after an
	// unclean end. SQLite recovers from those by itself; larger files get the
	// short check only, so that a restart does not take minutes.
	fullCheckLimit = 2 << 30
	tailChecked    = 1000 // newest rows that are read at every start
)

// checkFile looks for damage before the file is used, and recovers what a
// crash left in the write-ahead log. ctx may cut a long check short.
func (l *Log) checkFile(ctx context.Context, conn *zs.Conn) error {
	if err := checkFormat(conn, l.path); err != nil {
		return err
	}
	conn.SetInterrupt(ctx.Done())
	defer conn.SetInterrupt(nil)
	clean, err := queryInt(conn, "SELECT value FROM mark WHERE name='clean'")
	if err != nil {
		return err
	}
	fileSize, err := l.checkSize(conn)
	if err != nil {
		return err
	}
	rows := tailChecked
	if l.options.FullCheck {
		rows = math.MaxInt
	}
	if l.options.FullCheck || clean == 0 && fileSize <= fullCheckLimit {
		if err := structure(conn, l.options.FullCheck); err != nil {
			return fmt.Errorf("%s: %w", l.path, err)
		}
	}
	if clean == 1 {
		if err := checkLast(conn); err != nil {
			return fmt.Errorf("%s: %w", l.path, err)
		}
	}
	r, err := newReader(conn)
	if err != nil {
		return err
	}
	if err := l.checkTail(r, rows); err != nil {
		return fmt.Errorf("%s: %w", l.path, err)
	}
	return ctx.Err()
}

// checkSize compares the file with what its header says. All of the
// write-ahead log must be in the file for that, if no other reader hinders it.
func (l *Log) checkSize(conn *zs.Conn) (int64, error) {
	state, err := checkpoint(conn, "PASSIVE")
	if err != nil {
		return 0, err
	}
	pages, err := queryInt(conn, "PRAGMA page_count")
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(l.path)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
	}
	if want := pages * pageSize; state.logged == state.finished && info.Size() != want {
		return 0, damaged("%s has %d bytes, its header says %d", l.path, info.Size(), want)
	}
	return info.Size(), nil
}

// structure has SQLite check its pages, and if asked each index as well.
func structure(conn *zs.Conn, indexes bool) error {
	query := "PRAGMA quick_check(1)"
	if indexes {
		query = "PRAGMA integrity_check(1)"
	}
	s, err := conn.Prepare(query)
	if err != nil {
		return translate(err)
	}
	if _, err := s.Step(); err != nil {
		return translate(err)
	}
	if answer := s.ColumnText(0); answer != "ok" {
		_ = s.Reset()
		return damaged("SQLite's check says: %s", answer)
	}
	return translate(s.Reset())
}

// checkLast notices a file that was exchanged for an older one after a clean
// close only in part, or that lost its newest rows.
func checkLast(conn *zs.Conn) error {
	last, err := queryInt(conn, "SELECT value FROM mark WHERE name='last'")
	if err != nil {
		return err
	}
	newest, err := queryInt(conn, "SELECT max(position) FROM event")
	if err != nil {
		return err
	}
	if last != newest {
		return damaged("the newest event is at position %d, at the last close it was %d", newest, last)
	}
	return nil
}

// checkTail reads the newest rows, with their checksums, and finds each in the
// index of its stream.
func (l *Log) checkTail(r *reader, rows int) error {
	index, err := r.conn.Prepare("SELECT e.position FROM event s, event e WHERE s.position=? AND e.stream=s.stream AND e.revision=s.revision")
	if err != nil {
		return translate(err)
	}
	f, at := newFilter(eventlog.Query{}), eventlog.Position(0)
	for rows > 0 {
		p, err := r.whole(f, l.types, at, true, rows)
		if err != nil {
			return err
		}
		for i := range p.records {
			position := int64(p.records[i].Position)
			if found, _, err := stepInt(index, position); err != nil || found != position {
				return fmt.Errorf("%w (%w)", damaged("the event at position %d is not in its stream's index", position), translate(err))
			}
		}
		if p.end {
			return nil
		}
		at, rows = eventlog.Position(p.scanned), rows-max(1, len(p.records))
	}
	return nil
}

// Check reads the whole file beside whatever else goes on: its structure, its
// indexes and every record's checksum. It takes about a second per gigabyte.
func (l *Log) Check(ctx context.Context) error {
	r, err := l.readers.get(ctx)
	if err != nil {
		return fmt.Errorf("checking the event log in %s: %w", l.dir, err)
	}
	defer l.readers.put(r)
	r.conn.SetInterrupt(ctx.Done())
	defer r.conn.SetInterrupt(nil)
	err = checkFormat(r.conn, l.path)
	if err == nil {
		err = structure(r.conn, true)
	}
	if err == nil {
		err = l.checkTail(r, math.MaxInt)
	}
	if err != nil {
		return fmt.Errorf("checking the event log in %s: %w", l.dir, err)
	}
	return nil
}
