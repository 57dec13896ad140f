package chrigtest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// verdict is a testing.TB that notes how a test would have ended.
type verdict struct {
	testing.TB
	skipped, failed bool
}

func (v *verdict) Helper()      {}
func (v *verdict) Skip(...any)  { v.skipped = true }
func (v *verdict) Fatal(...any) { v.failed = true }

func TestMissingEngine(t *testing.T) {
	t.Setenv(libraryVariable, filepath.Join(t.TempDir(), "libchdb.so"))
	_, absent := findLibrary()
	if !errors.Is(absent, errNoEngine) {
		t.Fatalf("got %v, want errNoEngine", absent)
	}
	for _, row := range []struct {
		name, required  string
		err             error
		skipped, failed bool
	}{
		{"not installed", "", absent, true, false},
		{"not installed, and has to be", "1", absent, false, true},
		{"does not start", "", errors.New("broken"), false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv(requireVariable, row.required)
			var v verdict
			if missing(&v, row.err); v.skipped != row.skipped || v.failed != row.failed {
				t.Errorf("skipped %v and failed %v, want %v and %v", v.skipped, v.failed, row.skipped, row.failed)
			}
		})
	}
}

// TestLibraryThatIsNone holds that a rig that does not start says why.
func TestLibraryThatIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(path, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := start(path, ""); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), path+": ;") {
		t.Errorf("got %v, want an error that names %s, and a reason", err, path)
	}
}

// TestDirectoryInUse holds that two rigs don't share a directory.
func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	first := Start(t, dir)
	library, err := findLibrary()
	if err != nil {
		t.Fatal(err)
	}
	second, err := start(library, dir)
	if err == nil {
		second.Kill()
		t.Fatal("a second rig started on the directory of the first")
	}
	if !strings.Contains(err.Error(), "another process may have it") {
		t.Errorf("got %v, want an error that says why", err)
	}
	if err := first.Open(t, clickhouse.Native).Ping(t.Context()); err != nil {
		t.Errorf("the first rig: %v", err)
	}
}

// TestEndsWithItsParent holds that nothing is left of a rig whose test ended, as
// closing its standard input shows.
func TestEndsWithItsParent(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	p := Start(t, "")
	if left, err := os.ReadDir(temporary); err != nil || len(left) != 1 {
		t.Fatalf("%d entries in the temporary directory, %v; want the data alone", len(left), err)
	}
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		t.Fatal("the rig runs on")
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) != 0 {
		t.Errorf("%d entries are left in the temporary directory, %v", len(left), err)
	}
}

// TestDatabasesAreDropped holds that a test has a database of its own, and only
// while it runs.
func TestDatabasesAreDropped(t *testing.T) {
	conn := Open(t, clickhouse.HTTP, clickhouse.CompressionNone)
	databases := func() (n uint64) {
		if err := conn.QueryRow(t.Context(), "SELECT count() FROM system.databases WHERE startsWith(name, 'test_')").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := databases()
	t.Run("inner", func(t *testing.T) {
		inner := Open(t, clickhouse.Native, clickhouse.CompressionLZ4)
		if err := inner.Exec(t.Context(), "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a"); err != nil {
			t.Fatal(err)
		}
		if n := databases(); n != before+1 {
			t.Errorf("%d databases with a second test, %d before", n, before)
		}
	})
	if n := databases(); n != before {
		t.Errorf("%d databases after the second test, %d before", n, before)
	}
}

func TestNamedServers(t *testing.T) {
	t.Setenv(serverVariable, "clickhouse://u:p@db.example:9000 http://db.example:8123")
	for _, row := range []struct {
		protocol clickhouse.Protocol
		want     string
	}{
		{clickhouse.Native, "db.example:9000"},
		{clickhouse.HTTP, "db.example:8123"},
	} {
		if o := reach(t, row.protocol); o.Addr[0] != row.want || o.Protocol != row.protocol {
			t.Errorf("%s is at %s by %s, want %s", row.protocol, o.Addr[0], o.Protocol, row.want)
		}
	}
}

// TestDSN holds that a connection string leads to the test's own database, and a
// process's to the one that is still there when it starts again.
func TestDSN(t *testing.T) {
	for _, protocol := range []clickhouse.Protocol{clickhouse.Native, clickhouse.HTTP} {
		if got := databaseOf(t, DSN(t, protocol)); !strings.HasPrefix(got, "test_") {
			t.Errorf("%s leads to the database %q", protocol, got)
		}
	}
	dir := t.TempDir()
	for range 2 {
		p := Start(t, dir)
		dsn := p.DSN(t, clickhouse.Native)
		if got := databaseOf(t, dsn); got != "kept" {
			t.Errorf("a process leads to the database %q", got)
		}
		p.Kill()
	}
}

func databaseOf(t *testing.T, dsn string) (name string) {
	t.Helper()
	o, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, o).QueryRow(t.Context(), "SELECT currentDatabase()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	return name
}
