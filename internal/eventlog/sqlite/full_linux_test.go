package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// TestDiskFull fills a small real file system, makes room, and goes on.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 6<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	l := openTest(t, data, Options{})
	next := func(n uint64) error {
		e := one(n)
		e[0].Data = make([]byte, 20_000)
		_, err := l.Append(t.Context(), fmt.Sprint("acme/a-", n), -1, e)
		return err
	}
	n := uint64(0)
	for ; ; n++ {
		if err := next(n); err != nil {
			if !errors.Is(err, eventlog.ErrFull) {
				t.Fatalf("append %d: %v, want ErrFull", n, err)
			}
			break
		}
	}
	if n == 0 {
		t.Fatal("nothing was stored before the disk was full")
	}
	if err := next(n); !errors.Is(err, eventlog.ErrFull) {
		t.Errorf("still full: %v", err)
	}
	if got := count(t, l, eventlog.Query{}); got != int(n) {
		t.Errorf("%d records while full, %d were acknowledged", got, n)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for end := n + 20; n < end; n++ {
		if err := next(n); err != nil {
			t.Fatalf("with room again: %v", err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, data, Options{FullCheck: true})
	if got := count(t, again, eventlog.Query{}); got != int(n) {
		t.Errorf("%d records after reopening, %d were acknowledged", got, n)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestReadOnlyFileSystem reads a stopped server's log where nothing may be
// written, such as a mounted backup.
func TestReadOnlyFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	l := openTest(t, dir, Options{})
	mustAppend(t, l, "acme/a-1", -1, one(1))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	ro, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := count(t, ro, eventlog.Query{Stream: "acme/a-1"}); got != 1 {
		t.Errorf("%d records, want 1", got)
	}
	if err := ro.Close(); err != nil {
		t.Error(err)
	}
}
