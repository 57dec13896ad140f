package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// closedLog makes a log of n events, closes it, and answers its one file.
func closedLog(t testing.TB, n int) []byte {
	t.Helper()
	dir := t.TempDir()
	l, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var batch []eventlog.Event
	for i := range n {
		e := one(uint64(i))[0]
		e.Data = fmt.Appendf(nil, "canary %06d %0400d", i, i)
		if batch = append(batch, e); len(batch) == 3 {
			mustAppend(t, l, fmt.Sprint("acme/a-", i/3), eventlog.NoStream, batch)
			batch = nil
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDamageIsRefused(t *testing.T) {
	const events = 3000
	whole := closedLog(t, events)
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[at] ^= 0x20; return b }
	}
	rows := []struct {
		name    string
		change  func([]byte) []byte
		options Options
		want    error
	}{
		{"untouched", func(b []byte) []byte { return b }, Options{FullCheck: true}, nil},
		{"magic", flip(3), Options{}, eventlog.ErrDamaged},
		{"page size", flip(16), Options{}, eventlog.ErrDamaged},
		{"another program's file", flip(70), Options{}, eventlog.ErrDamaged},
		{"format 0", func(b []byte) []byte { clear(b[60:64]); return b }, Options{}, eventlog.ErrDamaged},
		{"a later format", func(b []byte) []byte { binary.BigEndian.PutUint32(b[60:], formatVersion+1); return b }, Options{}, ErrNewerFormat},
		{"empty", func(b []byte) []byte { return b[:0] }, Options{}, eventlog.ErrDamaged},
		{"cut in half", func(b []byte) []byte { return b[:len(b)/2] }, Options{}, eventlog.ErrDamaged},
		{"last page gone", func(b []byte) []byte { return b[:len(b)-pageSize] }, Options{}, eventlog.ErrDamaged},
		{"cut within a page", func(b []byte) []byte { return b[:len(b)-1] }, Options{}, eventlog.ErrDamaged},
		{"a page too many", func(b []byte) []byte { return append(b, make([]byte, pageSize)...) }, Options{}, eventlog.ErrDamaged},
		{"a byte of a new event", flip(bytes.LastIndex(whole, []byte("canary 002900"))), Options{}, eventlog.ErrDamaged},
		{"a byte of an old event, read whole", flip(bytes.LastIndex(whole, []byte("canary 000100"))), Options{FullCheck: true}, eventlog.ErrDamaged},
		{"zeroed page, read whole", func(b []byte) []byte { clear(b[len(b)/2/pageSize*pageSize:][:pageSize]); return b }, Options{FullCheck: true}, eventlog.ErrDamaged},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, fileName)
			if err := os.WriteFile(path, row.change(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := Open(t.Context(), dir, row.options)
			if !errors.Is(err, row.want) {
				t.Errorf("error %v, want %v", err, row.want)
			}
			if err == nil {
				if got := count(t, l, eventlog.Query{}); got != events {
					t.Errorf("%d records, want %d", got, events)
				}
				_ = l.Close()
			}
		})
	}
	t.Run("database missing beside its write-ahead log", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName+"-wal"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, eventlog.ErrDamaged) {
			t.Errorf("error %v, want ErrDamaged", err)
		}
	})
}

// TestRotIsNotHandedOut damages an old event: the log opens, and a read of the
// record says what is wrong instead of answering other bytes.
func TestRotIsNotHandedOut(t *testing.T) {
	file := closedLog(t, 3000)
	file[bytes.LastIndex(file, []byte("canary 000100"))] ^= 1
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), file, 0o600); err != nil {
		t.Fatal(err)
	}
	l := openTest(t, dir, Options{})
	for _, q := range []eventlog.Query{{}, {Stream: "acme/a-33"}} {
		var last error
		for _, err := range l.Read(t.Context(), q) {
			last = err
		}
		if !errors.Is(last, eventlog.ErrDamaged) {
			t.Errorf("Read(%+v) ended with %v, want ErrDamaged", q, last)
		}
	}
	if err := l.Check(t.Context()); !errors.Is(err, eventlog.ErrDamaged) {
		t.Errorf("Check: %v, want ErrDamaged", err)
	}
}

// FuzzDamagedFile changes a few bytes anywhere in the file. Whatever opens and
// reads must be what was written: damage may be an error, never another record.
func FuzzDamagedFile(f *testing.F) {
	const events = 30
	whole := closedLog(f, events)
	f.Add(uint32(0), []byte{1})
	f.Add(uint32(100), []byte{0xff, 0xff})
	f.Add(uint32(pageSize), []byte{13, 0, 0, 0})
	f.Add(uint32(bytes.LastIndex(whole, []byte("canary 000007"))-20), bytes.Repeat([]byte{0x41}, 40))
	f.Fuzz(func(t *testing.T, at uint32, mask []byte) {
		changed := bytes.Clone(whole)
		for i, m := range mask {
			changed[(int(at)+i)%len(changed)] ^= m
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), changed, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := OpenReadOnly(t.Context(), dir)
		if err != nil {
			return
		}
		defer l.Close()
		for r, err := range l.Read(t.Context(), eventlog.Query{}) {
			if err != nil {
				return
			}
			i := int(r.Position) - 1
			want := fmt.Sprintf("canary %06d %0400d", i, i)
			if string(r.Data) != want || r.Stream != fmt.Sprint("acme/a-", i/3) || r.Revision != int64(i%3) || r.Type != "test.made.v1" || string(r.Meta) != "{}" {
				t.Fatalf("position %d reads as %s@%d %s %.30q", r.Position, r.Stream, r.Revision, r.Type, r.Data)
			}
		}
	})
}
