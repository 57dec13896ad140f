package clickhouse

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/chrig/chrigtest"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/searchtest"
	"github.com/clawoffice/ledger/projections/search/searchtest/corpus"
)

const (
	childDSN = "CLAWLEDGER_TEST_SEARCH_CHILD_DSN"
	killRows = 20_000
)

// project inserts what comes after the index's position, as a projector does,
// and says how far it got. Rows follow from their position alone.
func project(t testing.TB, e *Engine, inserted func(eventlog.Position)) error {
	at, err := e.Position(t.Context())
	if err != nil {
		return err
	}
	c := corpus.New(7, killRows)
	for n := 1; ; n = 1 + (n*7)%90 {
		b := c.Batch(n)
		if b.To > killRows {
			return nil
		}
		if b.To <= at {
			continue // the last of these is inserted in part
		}
		b.From = min(b.From, at)
		if err := e.Insert(t.Context(), b); err != nil {
			return err
		}
		inserted(b.To)
	}
}

// TestChildProjects is the process that gets killed.
func TestChildProjects(t *testing.T) {
	dsn := os.Getenv(childDSN)
	if dsn == "" {
		t.Skip("only run by TestKilledProjector")
	}
	if err := project(t, openTest(t, dsn), func(at eventlog.Position) { fmt.Fprintf(os.Stdout, "at %d.\n", at) }); err != nil {
		t.Fatal(err)
	}
}

func rounds() int {
	if os.Getenv("CLAWLEDGER_SOAK") == "1" {
		return 60
	}
	return 4
}

// TestKilledProjector kills a process that inserts, again and again, and finds
// everything once in the end.
func TestKilledProjector(t *testing.T) {
	dsn := chrigtest.DSN(t, protocols()[0])
	e := openTest(t, dsn)
	last := eventlog.Position(0)
	for range rounds() {
		acked := runAndKill(t, dsn, 2+rand.IntN(12))
		last = wantAtLeast(t, e, acked, last)
	}
	finish(t, e, last)
}

// TestKilledServer kills the server while rows are inserted, and starts it on
// the same files.
func TestKilledServer(t *testing.T) {
	if os.Getenv("CLAWLEDGER_TEST_CLICKHOUSE") != "" {
		t.Skip("a named server is not ours to kill")
	}
	dir := t.TempDir()
	last := eventlog.Position(0)
	for round := range rounds() {
		p := chrigtest.Start(t, dir)
		e := openTest(t, p.DSN(t, protocols()[round%2]))
		acked, batches := last, 2+rand.IntN(12)
		delay := time.Duration(rand.IntN(30)) * time.Millisecond
		err := project(t, e, func(at eventlog.Position) {
			acked = at
			if batches--; batches == 0 {
				time.AfterFunc(delay, p.Kill)
			}
		})
		if !errors.Is(err, search.ErrUnavailable) {
			t.Fatalf("inserting into a server that was killed: %v, want that it is unavailable", err)
		}
		p.Kill()
		p = chrigtest.Start(t, dir)
		e = openTest(t, p.DSN(t, protocols()[0]))
		last = wantAtLeast(t, e, acked, last)
		if round == rounds()-1 {
			finish(t, e, last)
		}
		p.Kill()
	}
}

func wantAtLeast(t *testing.T, e *Engine, acked, last eventlog.Position) eventlog.Position {
	t.Helper()
	at, err := e.Position(t.Context())
	if err != nil || at < acked || at < last {
		t.Fatalf("the index stands at %d (%v), and acknowledged %d; before it stood at %d", at, err, acked, last)
	}
	return at
}

// finish inserts everything again, and some more, and compares.
func finish(t *testing.T, e *Engine, last eventlog.Position) {
	t.Helper()
	naive := &searchtest.Naive{}
	compareUpTo := corpus.New(7, killRows).Batch(int(last))
	if err := naive.Insert(t.Context(), compareUpTo); err != nil {
		t.Fatal(err)
	}
	compare(t, naive, e)
	insertBoth(t, naive, e, corpus.New(7, killRows).Batch(int(last)+500))
	compare(t, naive, e)
}

// compare asks both indexes about some workspaces and words.
func compare(t *testing.T, want, got search.Engine) {
	t.Helper()
	for w := range 3 {
		for word := range 3 {
			q := search.Query{Workspace: domain.WorkspaceID(fmt.Sprint("ws", w))}
			if word > 0 {
				q.Where = []search.Condition{search.Tagged{All: []search.Tag{corpus.TagOf(w, word*word-1)}}}
			}
			compareOne(t, want, got, q)
		}
	}
}

func compareOne(t *testing.T, want, got search.Engine, q search.Query) {
	t.Helper()
	for {
		wantPage, err := want.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		gotPage, err := got.Find(t.Context(), q)
		if diff := cmp.Diff(wantPage, gotPage); err != nil || diff != "" {
			t.Fatalf("%+v: %v (-want +got):\n%s", q, err, diff)
		}
		if q.Cursor = gotPage.Next; q.Cursor == "" {
			break
		}
	}
	for _, g := range []search.Grouping{{}, {By: []search.Field{search.Type, search.Actor}}, {Every: 24 * time.Hour}} {
		wantGroups, err := want.Count(t.Context(), q, g)
		if err != nil {
			t.Fatal(err)
		}
		gotGroups, err := got.Count(t.Context(), q, g)
		if diff := cmp.Diff(wantGroups, gotGroups); err != nil || diff != "" {
			t.Fatalf("%+v by %+v: %v (-want +got):\n%s", q, g, err, diff)
		}
	}
}

// runAndKill kills the child after so many batches and answers what it
// acknowledged.
func runAndKill(t *testing.T, dsn string, after int) (acked eventlog.Position) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildProjects$", "-test.v")
	child.Env = append(os.Environ(), childDSN+"="+dsn)
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
			time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
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
