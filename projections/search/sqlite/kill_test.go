package sqlite

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/searchtest"
	"github.com/clawoffice/ledger/projections/search/searchtest/corpus"
)

const (
	childPath = "CLAWLEDGER_TEST_SEARCH_CHILD"
	killRows  = 20_000
)

// smallParts makes edges that a kill can hit.
func smallParts() Options { return Options{chunkRows: 50, generationRows: 1000} }

// project inserts what comes after the index's position, as a projector does,
// and says how far it got. Rows follow from their position alone.
func project(t testing.TB, e *Engine, inserted func(eventlog.Position)) {
	t.Helper()
	at, err := e.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := corpus.New(7, killRows)
	for n := 1; ; n = 1 + (n*7)%90 {
		b := c.Batch(n)
		if b.To > killRows {
			return
		}
		if b.To <= at {
			continue // the last of these is inserted in part
		}
		b.From = min(b.From, at)
		if err := e.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		inserted(b.To)
	}
}

// TestChildProjects is the process that gets killed.
func TestChildProjects(t *testing.T) {
	path := os.Getenv(childPath)
	if path == "" {
		t.Skip("only run by TestKill")
	}
	project(t, openTest(t, path, smallParts()), func(at eventlog.Position) { fmt.Fprintf(os.Stdout, "at %d.\n", at) })
}

// TestKill kills a process that inserts, again and again, and finds everything
// once in the end.
func TestKill(t *testing.T) {
	rounds := 6
	if os.Getenv("CLAWLEDGER_SOAK") == "1" {
		rounds = 100
	}
	path := filepath.Join(t.TempDir(), "search")
	last := eventlog.Position(0)
	for range rounds {
		acked := runAndKill(t, path, 3+rand.IntN(30))
		e := openTest(t, path, smallParts())
		at, err := e.Position(t.Context())
		if err != nil || at < acked || at < last {
			t.Fatalf("the index stands at %d (%v), and acknowledged %d; before it stood at %d", at, err, acked, last)
		}
		last = at
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	e := openTest(t, path, smallParts())
	c, naive := corpus.New(7, killRows), &searchtest.Naive{}
	b := c.Batch(int(last) + 500)
	if err := naive.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	b.From = 0
	if err := e.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	compare(t, naive, e)
}

// compare asks both indexes about each workspace and some words.
func compare(t *testing.T, want, got search.Engine) {
	t.Helper()
	for w := range corpus.Workspaces {
		for word := range 5 {
			q := search.Query{Workspace: domain.WorkspaceID(fmt.Sprint("ws", w))}
			if word > 0 {
				q.Where = []search.Condition{search.Tagged{All: []search.Tag{corpus.TagOf(w, word)}}}
			}
			wantPage, err := want.Find(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			gotPage, err := got.Find(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantPage, gotPage); diff != "" {
				t.Fatalf("%+v (-want +got):\n%s", q, diff)
			}
			for _, g := range []search.Grouping{{}, {By: search.Fields()}} {
				wantGroups, err := want.Count(t.Context(), q, g)
				if err != nil {
					t.Fatal(err)
				}
				gotGroups, err := got.Count(t.Context(), q, g)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(wantGroups, gotGroups); diff != "" {
					t.Fatalf("%+v by %+v (-want +got):\n%s", q, g, diff)
				}
			}
		}
	}
}

// runAndKill kills the child after so many batches and answers what it
// acknowledged.
func runAndKill(t *testing.T, path string, after int) (acked eventlog.Position) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildProjects$", "-test.v")
	child.Env = append(os.Environ(), childPath+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var at eventlog.Position
		if c, err := fmt.Sscanf(lines.Text(), "at %d.", &at); err != nil || c != 1 || fmt.Sprintf("at %d.", at) != lines.Text() {
			continue // the test framework's, or cut off by the kill
		}
		acked = at
		if n++; n == after {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || n == 0 {
		t.Fatalf("the child ended by itself after %d batches: %v", n, err)
	}
	return acked
}
