package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/searchtest/corpus"
)

func TestClosed(t *testing.T) {
	e := openTest(t, filepath.Join(t.TempDir(), "search"), Options{})
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	_, position := e.Position(t.Context())
	_, find := e.Find(t.Context(), search.Query{Workspace: "acme"})
	_, count := e.Count(t.Context(), search.Query{Workspace: "acme"}, search.Grouping{})
	for name, err := range map[string]error{"Position": position, "Find": find, "Count": count, "Insert": e.Insert(t.Context(), search.Batch{To: 1}),
		"Remove": e.Remove(t.Context(), search.Erasure{Workspace: "acme", Subject: "s"}), "Swept": e.Swept(t.Context())} {
		if !errors.Is(err, search.ErrClosed) {
			t.Errorf("%s: error %v, want ErrClosed", name, err)
		}
	}
}

func TestFileIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "search")
	openTest(t, path, Options{})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v: %v", info.Mode(), err)
	}
}

func TestUnusableFiles(t *testing.T) {
	good := filepath.Join(t.TempDir(), "search")
	e := openTest(t, good, Options{})
	if err := e.Insert(t.Context(), corpus.New(1, 1000).Batch(1000)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := openWriter(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sqlitex.ExecuteTransient(conn, `UPDATE state SET version = version + 1`, nil), conn.Close()); err != nil {
		t.Fatal(err)
	}
	later, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"no database":     bytes.Repeat([]byte("not SQLite "), 1000),
		"another version": later,
		"first page gone": append(make([]byte, 8192), whole[8192:]...),
	} {
		path := filepath.Join(t.TempDir(), "search")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, search.ErrDamaged) {
			t.Errorf("%s: error %v, want ErrDamaged", name, err)
		}
	}
}

// A part of the file that was changed is told, or does not matter; it never
// makes the engine panic.
func TestDamagedColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "search")
	e := openTest(t, path, Options{})
	if err := e.Insert(t.Context(), corpus.New(1, 300).Batch(300)); err != nil {
		t.Fatal(err)
	}
	q := search.Query{Workspace: corpus.Largest}
	for of := range columns {
		for name, data := range map[string][]byte{"empty": {}, "unknown form": {9, 1, 2}, "short": {plain, 1}, "no zstd": {compressed, 1, 2, 3},
			"large numbers": {plain, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}} {
			err := e.write(t.Context(), func(conn *sqlite.Conn) error {
				return sqlitex.Execute(conn, `UPDATE part SET data = ? WHERE id & 63 = ?`, &sqlitex.ExecOptions{Args: []any{data, int64(of)}})
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Find(t.Context(), q); !errors.Is(err, search.ErrDamaged) {
				t.Errorf("column %d, %s: error %v, want ErrDamaged", of, name, err)
			}
		}
		err := e.write(t.Context(), func(conn *sqlite.Conn) error {
			return sqlitex.Execute(conn, `DELETE FROM part WHERE id & 63 = ?`, &sqlitex.ExecOptions{Args: []any{int64(of)}})
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Find(t.Context(), q); !errors.Is(err, search.ErrDamaged) {
			t.Errorf("column %d is missing: error %v, want ErrDamaged", of, err)
		}
	}
}

// Terms of workspaces with long numbers are nobody else's.
func TestManyWorkspaces(t *testing.T) {
	e := openTest(t, filepath.Join(t.TempDir(), "search"), Options{})
	const n = 300
	b := search.Batch{To: n}
	tag := search.Tag{1, 2, 3, 4, 5, 6, 7, 8}
	name := func(i int) domain.WorkspaceID { return domain.WorkspaceID(fmt.Sprintf("w%d", i)) }
	for i := range n {
		b.Rows = append(b.Rows, search.Row{Workspace: name(i), Position: eventlog.Position(i + 1), Time: time.Unix(1, 0), Tags: []search.Tag{tag}})
	}
	if err := e.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		page, err := e.Find(t.Context(), search.Query{Workspace: name(i), Where: []search.Condition{search.Tagged{All: []search.Tag{tag}}}})
		if err != nil || len(page.Rows) != 1 || page.Rows[0].Position != eventlog.Position(i+1) {
			t.Errorf("%s finds %v: %v", name(i), page.Rows, err)
		}
	}
}
