package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/searchtest/corpus"
)

// inFiles reports whether the index's files hold the end of a tag's spelling.
// FTS5 leaves out of a term what it has in common with the one before it.
func inFiles(t *testing.T, path string, tag search.Tag) bool {
	t.Helper()
	term := appendTerm(nil, 1, tag)
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		data, err := os.ReadFile(path + suffix)
		if err == nil && bytes.Contains(data, term[len(term)-5:]) {
			return true
		}
	}
	return false
}

// secret is a tag that only the subject's row has.
func secret(n byte) search.Tag { return search.Tag{n, 0x11, 0x5e, 0xc2, 0xe7, 0x99, 0x3b, n} }

// withSecrets is an index of corpus rows, in which some rows of a subject have
// words of their own.
func withSecrets(t *testing.T, path string) *Engine {
	t.Helper()
	e := openTest(t, path, Options{generationRows: 700})
	c := corpus.New(3, 5000)
	for i := range 10 {
		b := c.Batch(500)
		b.Rows[17].Workspace, b.Rows[17].Subject = corpus.Largest, "erased"
		b.Rows[17].Tags = append(b.Rows[17].Tags, secret(byte(i)))
		if err := e.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func TestErasedTagsLeaveTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "search")
	e := withSecrets(t, path)
	for i := range byte(10) {
		if !inFiles(t, path, secret(i)) {
			t.Fatalf("the tag %d is not in the files to begin with", i)
		}
	}
	if err := e.Remove(t.Context(), search.Erasure{Workspace: corpus.Largest, Subject: "erased"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Swept(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range byte(10) {
		if inFiles(t, path, secret(i)) {
			t.Errorf("the tag %d is still in the files", i)
		}
	}
	q := search.Query{Workspace: corpus.Largest, Where: []search.Condition{search.Tagged{All: []search.Tag{corpus.TagOf(0, 1)}}}}
	if page, err := e.Find(t.Context(), q); err != nil || len(page.Rows) < 500 {
		t.Errorf("%d rows with the other words are left: %v", len(page.Rows), err)
	}
}

// A sweep that a crash kept from happening happens after the next start.
func TestSweepAfterRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "search")
	e := withSecrets(t, path)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := openWriter(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	err = inTransaction(conn, "BEGIN IMMEDIATE", func() error { // what Remove does before it wakes the sweeper
		ws, err := number(conn, workspaceSQL, string(corpus.Largest))
		if err != nil {
			return err
		}
		var list []chunk
		err = sqlitex.Execute(conn, chunkColumns+` WHERE ws = ?`, &sqlitex.ExecOptions{Args: []any{ws}, ResultFunc: func(s *sqlite.Stmt) error {
			list = append(list, scanChunk(s, ws))
			return nil
		}})
		for _, c := range list {
			if err == nil {
				err = e.erase(conn, c, "erased")
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if !inFiles(t, path, secret(4)) {
		t.Fatal("nothing is left to sweep")
	}
	e = openTest(t, path, Options{})
	if err := e.Swept(t.Context()); err != nil {
		t.Fatal(err)
	}
	if inFiles(t, path, secret(4)) {
		t.Error("the tag is still in the files")
	}
}

// Generations of which nothing is left go as a whole.
func TestEmptyGenerationsGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "search")
	e := openTest(t, path, Options{generationRows: 100, chunkRows: 30})
	at := eventlog.Position(0)
	for range 5 {
		b := search.Batch{From: at}
		for range 100 {
			at++
			b.Rows = append(b.Rows, search.Row{Workspace: "acme", Position: at, Time: time.Unix(int64(at), 0), Class: "content", Tags: []search.Tag{secret(1)}})
		}
		b.To = at
		if err := e.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	tables := func() (names []string) {
		err := e.read(t.Context(), func(conn *sqlite.Conn) error {
			list, err := generations(conn, ``)
			for _, g := range list {
				names = append(names, g.table())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if n := len(tables()); n != 5 {
		t.Fatalf("%d generations", n)
	}
	if err := e.Remove(t.Context(), search.Retention{Workspace: "acme", Class: "content", Before: time.Unix(251, 0)}); err != nil {
		t.Fatal(err)
	}
	if names := tables(); len(names) != 3 || names[0] != "tag_3" {
		t.Errorf("generations %v are left, want 3, 4 and 5", names)
	}
	if err := e.Remove(t.Context(), search.Retention{Workspace: "acme", Class: "content", Before: time.Unix(1e6, 0)}); err != nil {
		t.Fatal(err)
	}
	if names := tables(); len(names) != 1 || names[0] != "tag_5" {
		t.Errorf("generations %v are left, want the newest", names)
	}
}
