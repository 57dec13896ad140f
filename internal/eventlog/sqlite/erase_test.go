package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// TestDeleteLeavesNoBytes deletes key streams among others, of sizes within and
// beyond a page, and looks for their bytes in every file of the directory.
func TestDeleteLeavesNoBytes(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	random := rand.New(rand.NewPCG(1, 2))
	secret := func(n int) []byte { return fmt.Appendf(nil, "CANARY-%04d-YRANAC", n) }
	for n := range uint64(300) {
		e := one(n)
		e[0].Data = bytes.Repeat(secret(int(n)), 1+random.IntN(20))
		if n%17 == 0 {
			e[0].Data = bytes.Repeat(secret(int(n)), 3000)
		}
		e[0].Meta = secret(int(n))
		mustAppend(t, l, fmt.Sprint("acme/key-", n), -1, e)
		mustAppend(t, l, fmt.Sprint("acme/other-", n), -1, one(n))
	}
	gone := map[int]bool{}
	for _, n := range random.Perm(300)[:120] {
		if err := l.Delete(t.Context(), fmt.Sprint("acme/key-", n)); err != nil {
			t.Fatal(err)
		}
		gone[n] = true
		if len(gone)%40 == 0 {
			wantErased(t, dir, secret, gone)
		}
	}
	if got, want := count(t, l, eventlog.Query{}), 600-len(gone); got != want {
		t.Errorf("%d records are left, want %d", got, want)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func wantErased(t *testing.T, dir string, secret func(int) []byte, gone map[int]bool) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	for n := range 300 {
		if there := bytes.Contains(all, secret(n)); there == gone[n] {
			t.Errorf("stream %d: deleted %v, its bytes are there %v", n, gone[n], there)
		}
	}
}

// TestDeleteBesideReader holds an old state of the file: Delete must not claim
// that the bytes are gone.
func TestDeleteBesideReader(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{})
	mustAppend(t, l, "acme/key-1", -1, one(1))
	r, err := l.readers.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := execute(r.conn, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if _, err := queryInt(r.conn, "SELECT count(*) FROM event"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Delete(ctx, "acme/key-1"); !errors.Is(err, eventlog.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside a reader of an older state: error %v", err)
	}
	mustAppend(t, l, "acme/a-1", -1, one(2)) // others are not held up
	if err := execute(r.conn, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	l.readers.put(r)
	if err := l.Delete(t.Context(), "acme/key-1"); err != nil {
		t.Errorf("after the reader: %v", err)
	}
}

func TestBackup(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{})
	for n := range uint64(400) {
		mustAppend(t, l, fmt.Sprint("acme/a-", n%50), int64(n/50)-1, one(n))
	}
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := int64(0); ctx.Err() == nil; i++ {
				if _, err := l.Append(ctx, fmt.Sprint("acme/w-", w), i-1, one(uint64(i))); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	to, steps := t.TempDir(), 0
	path := filepath.Join(to, fileName)
	err := l.Backup(t.Context(), path, func(done, total int) {
		if steps++; done > total {
			t.Errorf("%d of %d pages done", done, total)
		}
	})
	stop()
	writers.Wait()
	if err != nil || steps == 0 {
		t.Fatalf("Backup: %v after %d steps", err, steps)
	}
	var want []eventlog.Recorded
	for r, err := range l.Read(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, r)
	}
	restored, n := openTest(t, to, Options{FullCheck: true}), 0
	for r, err := range restored.Read(t.Context(), eventlog.Query{}) {
		if err != nil || r.Position != want[n].Position || r.Stream != want[n].Stream || !bytes.Equal(r.Data, want[n].Data) {
			t.Fatalf("record %d of the copy is %s@%d (%v), want %s@%d", n, r.Stream, r.Revision, err, want[n].Stream, want[n].Revision)
		}
		n++
	}
	if n < 400 {
		t.Errorf("the copy has %d records, at least 400 were there before it", n)
	}
	mustAppend(t, restored, "acme/a-1", 7, one(9999))
	t.Run("never over another file", func(t *testing.T) {
		if err := l.Backup(t.Context(), path, nil); !errors.Is(err, os.ErrExist) {
			t.Errorf("error %v, want ErrExist", err)
		}
	})
	t.Run("cancelled leaves nothing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		dir := t.TempDir()
		err := l.Backup(ctx, filepath.Join(dir, "copy.db"), func(int, int) { cancel() })
		cancel()
		files, _ := os.ReadDir(dir)
		if err == nil && len(files) != 1 || err != nil && len(files) != 0 {
			t.Errorf("error %v, and the directory has %v", err, files)
		}
	})
}
