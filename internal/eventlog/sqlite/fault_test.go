package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/internal/eventlog"
)

func one(n uint64) []eventlog.Event {
	e := eventlog.Event{Type: "test.made.v1", Data: fmt.Appendf(nil, "data %d", n), Meta: []byte(`{}`)}
	e.ID[0], e.ID[15] = 1, byte(n)
	e.ID[14] = byte(n >> 8)
	return []eventlog.Event{e}
}

// unsynced counts answers that were given before the write-ahead log was
// synced behind the last write to it, or without any write.
func unsynced(ops []op) (violations int) {
	wrote, dirty := false, false
	for _, o := range ops {
		switch {
		case o.kind == "note":
			if dirty || !wrote {
				violations++
			}
			wrote = false
		case o.wal && o.kind == "write":
			wrote, dirty = true, true
		case o.wal:
			dirty = false
		}
	}
	return violations
}

// TestAnswerAfterSync watches the file system: between the last write of a
// commit and its answer lies a sync of the write-ahead log. The second row
// leaves the sync out and proves that the watcher would notice.
func TestAnswerAfterSync(t *testing.T) {
	rows := []struct {
		name    string
		options Options
		want    int
	}{
		{"as shipped", Options{}, 0},
		{"without sync", Options{unsafeNoSync: true}, 50},
	}
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := newSpy(t, fmt.Sprint("watch-", i))
			row.options.vfs = s.name
			l := openTest(t, t.TempDir(), row.options)
			before := len(s.seen())
			for n := range uint64(50) {
				if _, err := l.Append(t.Context(), fmt.Sprint("acme/a-", n%7), int64(n/7)-1, one(n)); err != nil {
					t.Fatal(err)
				}
				s.note()
			}
			if got := unsynced(s.seen()[before:]); got != row.want {
				t.Errorf("%d of 50 answers came before their sync, want %d", got, row.want)
			}
		})
	}
}

func TestFailedSync(t *testing.T) {
	syncFails := func(times int) func(op) zs.ResultCode {
		return func(o op) zs.ResultCode {
			if times > 0 && o.wal && o.kind == "sync" {
				times--
				return zs.ResultIOErrFsync
			}
			return zs.ResultOK
		}
	}
	rows := []struct {
		name  string
		times int
		want  error
	}{
		{"once, then it is settled that nothing was stored", 1, eventlog.ErrUnavailable},
		{"for long, then nobody knows", 1000, eventlog.ErrUnknownOutcome},
	}
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := newSpy(t, fmt.Sprint("sync-", i))
			dir := t.TempDir()
			l := openTest(t, dir, Options{vfs: s.name})
			mustAppend(t, l, "acme/a-1", -1, one(1))
			s.breakWith(syncFails(row.times))
			_, err := l.Append(t.Context(), "acme/a-1", 0, one(2))
			if !errors.Is(err, row.want) {
				t.Fatalf("error %v, want %v", err, row.want)
			}
			if _, err := l.Append(t.Context(), "acme/b-1", -1, one(3)); row.times > 1 && !errors.Is(err, eventlog.ErrUnknownOutcome) {
				t.Fatalf("another append: error %v", err)
			}
			image := crashImage(t, dir)
			s.breakWith(nil)
			for name, log := range map[string]*Log{"going on": l, "after a crash": openTest(t, image, Options{})} {
				for range 2 { // again with the same ids and revision, until it knows
					if got := mustAppend(t, log, "acme/a-1", 0, one(2)); got.Revision != 1 {
						t.Errorf("%s: revision %d, want 1", name, got.Revision)
					}
				}
				if got := count(t, log, eventlog.Query{Stream: "acme/a-1"}); got != 2 {
					t.Errorf("%s: %d records, want 2", name, got)
				}
			}
		})
	}
}

// TestFullInTheMiddle has the disk fill up at each write of a commit in turn.
func TestFullInTheMiddle(t *testing.T) {
	s := newSpy(t, "full")
	l := openTest(t, t.TempDir(), Options{vfs: s.name})
	mustAppend(t, l, "acme/a-1", -1, one(0))
	for nth := range 4 {
		left := nth
		s.breakWith(func(o op) zs.ResultCode {
			if o.wal && o.kind == "write" {
				if left--; left < 0 {
					return zs.ResultFull
				}
			}
			return zs.ResultOK
		})
		fresh := fmt.Sprint("acme/fresh-", nth)
		_, err := l.Append(t.Context(), fresh, -1, one(9))
		if !errors.Is(err, eventlog.ErrFull) || !errors.Is(err, eventlog.ErrUnavailable) {
			t.Errorf("full at write %d: error %v, want ErrFull", nth, err)
		}
		s.breakWith(nil)
		if got := count(t, l, eventlog.Query{Stream: fresh}); got != 0 {
			t.Errorf("full at write %d: %d records were stored", nth, got)
		}
		mustAppend(t, l, fresh, -1, one(9))
		mustAppend(t, l, "acme/a-1", int64(nth), one(uint64(nth)+1))
	}
	if got := count(t, l, eventlog.Query{}); got != 9 {
		t.Errorf("%d records, want 9", got)
	}
}

func TestSecondOpener(t *testing.T) {
	dir := t.TempDir()
	first := openTest(t, dir, Options{})
	_, err := Open(t.Context(), dir, Options{})
	if !errors.Is(err, eventlog.ErrInUse) {
		t.Fatalf("second opener: error %v, want ErrInUse", err)
	}
	for _, part := range []string{dir, fmt.Sprint("process ", os.Getpid())} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message %q does not name %q", err, part)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	openTest(t, dir, Options{})
}

func FuzzLockFile(f *testing.F) {
	f.Add("123\n")
	f.Add("-1")
	f.Add("99999999999999999999")
	f.Fuzz(func(t *testing.T, text string) {
		got := holder(strings.NewReader(text))
		if got != "another process" && !strings.HasPrefix(got, "process ") {
			t.Errorf("holder(%q) = %q", text, got)
		}
	})
}

// TestNamesSurviveACrash stops at every stage of moving new streams to the
// table and finds all of them again.
func TestNamesSurviveACrash(t *testing.T) {
	const streams = 40
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	for n := range uint64(streams) {
		mustAppend(t, l, fmt.Sprint("acme/a-", n), -1, one(n))
	}
	for _, stage := range []int{0, 15, 15, streams} {
		move := func(w *writer) error {
			return w.transaction(func() (err error) {
				w.names.rotate(w.last, stage > 0)
				w.tx.moved, err = w.names.write(w.lookup, stage)
				return err
			})
		}
		if err := l.submit(t.Context(), &request{alone: move}); err != nil {
			t.Fatal(err)
		}
		image := crashImage(t, dir)
		ro, err := OpenReadOnly(t.Context(), crashImage(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		for name, log := range map[string]*Log{"going on": l, "after a crash": openTest(t, image, Options{}), "read only": ro} {
			for n := range streams {
				if got := count(t, log, eventlog.Query{Stream: fmt.Sprint("acme/a-", n)}); got != 1 {
					t.Fatalf("%s, %d more were moved: stream %d has %d records", name, stage, n, got)
				}
			}
		}
		if err := ro.Close(); err != nil {
			t.Error(err)
		}
	}
	if got, err := queryInt(l.writer.conn, "SELECT count(*) FROM stream_by_hash"); err != nil || got != streams {
		t.Errorf("the table has %d streams (%v), want %d", got, err, streams)
	}
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReadOnly(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: error %v", err)
	}
	l := openTest(t, dir, Options{})
	mustAppend(t, l, "acme/a-1", -1, one(1))
	ro, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	mustAppend(t, l, "acme/a-1", 0, one(2))
	mustAppend(t, l, "acme/b-1", -1, one(3))
	n := 0
	for d, err := range ro.Subscribe(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.CaughtUp && n == 3 { // it now waits for another process
			mustAppend(t, l, "acme/c-1", -1, one(4))
		}
		if d.Record != nil {
			n++
		}
		if n == 4 {
			break
		}
	}
	for stream, want := range map[string]int{"acme/a-1": 2, "acme/b-1": 1, "acme/c-1": 1, "acme/d-1": 0} {
		if got := count(t, ro, eventlog.Query{Stream: stream}); got != want {
			t.Errorf("%s has %d records, want %d", stream, got, want)
		}
	}
	if _, err := ro.Append(t.Context(), "acme/a-1", 1, one(5)); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("append to a read-only log: %v", err)
	}
	if err := ro.Delete(t.Context(), "acme/a-1"); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("delete from a read-only log: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	stopped, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer stopped.Close()
	if got := count(t, stopped, eventlog.Query{}); got != 4 {
		t.Errorf("%d records of a stopped server, want 4", got)
	}
}

// TestLateCancel cancels appends while they wait and while they are stored.
func TestLateCancel(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{})
	stored := 0
	for n := range uint64(300) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*time.Microsecond)
		_, err := l.Append(ctx, fmt.Sprint("acme/a-", n), -1, one(n))
		cancel()
		if err == nil {
			stored++
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	if got := count(t, l, eventlog.Query{}); got != stored {
		t.Errorf("%d appends succeeded, %d records are there", stored, got)
	}
}

func mustAppend(t testing.TB, l *Log, stream string, expected int64, events []eventlog.Event) eventlog.Appended {
	t.Helper()
	got, err := l.Append(t.Context(), stream, expected, events)
	if err != nil {
		t.Fatalf("Append(%s, %d): %v", stream, expected, err)
	}
	return got
}

func count(t testing.TB, l *Log, q eventlog.Query) (n int) {
	t.Helper()
	for _, err := range l.Read(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// crashImage copies the files as a crash at this moment would leave them.
func crashImage(t testing.TB, dir string) string {
	t.Helper()
	image := t.TempDir()
	for _, name := range []string{fileName, fileName + "-wal"} {
		bytes, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(image, name), bytes, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return image
}
