package searchtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

// guard bounds how long one test waits for something that must happen. It is
// no measurement: a sound engine never comes near it.
const guard = 2 * time.Minute

// Opener opens the index of a name: an empty one for a name not used before,
// else another handle on the same one. It sees to the handle's closing when the
// test ends, and to the index's removal where that takes more.
type Opener func(t *testing.T, index string) search.Engine

// Run holds an engine against the contract of [search.Engine].
func Run(t *testing.T, open Opener) {
	t.Helper()
	for _, group := range [][]check{insertChecks(), findChecks(), filterChecks(), countChecks(), removeChecks(), lifeChecks()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) { c.run(newEnv(t, open)) })
		}
	}
}

type check struct {
	name string
	run  func(*env)
}

// env is one test's index, and the naive one beside it.
type env struct {
	*testing.T
	ctx    context.Context
	opener Opener
	open   func() search.Engine // another handle on the same index
	search.Engine
	naive *Naive
}

func newEnv(t *testing.T, open Opener) *env {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	t.Cleanup(cancel)
	index := "t" + random(8)
	return &env{T: t, ctx: ctx, opener: open, open: func() search.Engine { return open(t, index) }, Engine: open(t, index), naive: &Naive{}}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

// insert takes a batch into both indexes.
func (e *env) insert(b search.Batch) {
	e.Helper()
	if err := e.Insert(e.ctx, b); err != nil {
		e.Fatalf("Insert(%d to %d, %d rows): %v", b.From, b.To, len(b.Rows), err)
	}
	if err := e.naive.Insert(e.ctx, b); err != nil {
		e.Fatalf("the naive index: %v", err)
	}
}

func (e *env) remove(r search.Removal) {
	e.Helper()
	if err := e.Remove(e.ctx, r); err != nil {
		e.Fatalf("Remove(%+v): %v", r, err)
	}
	if err := e.naive.Remove(e.ctx, r); err != nil {
		e.Fatalf("the naive index: %v", err)
	}
}

func (e *env) wantPosition(want eventlog.Position) {
	e.Helper()
	if at, err := e.Position(e.ctx); err != nil || at != want {
		e.Errorf("the index stands at %d (%v), want %d", at, err, want)
	}
}

func (e *env) wantError(err, want error, doing string) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%s: error %v, want %v", doing, err, want)
	}
}

// fataler is what tests of rapid and of the testing package have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// all turns the pages of a query to the end.
func all(t fataler, ctx context.Context, e search.Engine, q search.Query) (rows []search.Row) {
	t.Helper()
	for pages := 0; ; pages++ {
		page, err := e.Find(ctx, q)
		if err != nil {
			t.Fatalf("page %d of %+v: %v", pages, q, err)
		}
		if len(page.Rows) > q.PageSize() || page.Next != "" && len(page.Rows) != q.PageSize() {
			t.Fatalf("page %d of %+v has %d rows, and next %q", pages, q, len(page.Rows), page.Next)
		}
		rows = append(rows, page.Rows...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return rows
		}
	}
}

// compared ignores whether an empty list is nil.
func compared() cmp.Option { return cmpopts.EquateEmpty() }

// agree compares what both indexes answer to a query and to all groupings.
func (e *env) agree(t fataler, q search.Query) {
	t.Helper()
	e.agreeFind(t, q)
	for _, g := range groupings() {
		e.agreeCount(t, q, g)
	}
}

// agreeFind compares what both indexes find.
func (e *env) agreeFind(t fataler, q search.Query) {
	t.Helper()
	want, got := all(t, e.ctx, e.naive, q), all(t, e.ctx, e.Engine, q)
	if reflect.DeepEqual(want, got) { // which is much faster
		return
	}
	if diff := cmp.Diff(want, got, compared()); diff != "" {
		t.Fatalf("rows of %+v (-want +got):\n%s", q, diff)
	}
}

func (e *env) agreeCount(t fataler, q search.Query, g search.Grouping) {
	t.Helper()
	want, err := e.naive.Count(e.ctx, q, g)
	if err != nil {
		t.Fatalf("the naive index: %v", err)
	}
	got, err := e.Count(e.ctx, q, g)
	if err != nil {
		t.Fatalf("Count(%+v, %+v): %v", q, g, err)
	}
	if diff := cmp.Diff(want, got, compared()); diff != "" {
		t.Fatalf("groups of %+v by %+v (-want +got):\n%s", q, g, diff)
	}
}

func groupings() []search.Grouping {
	return []search.Grouping{{}, {By: search.Fields(), Top: 3}, {By: []search.Field{search.Model, search.Actor}}, {Every: time.Minute}, {Every: 7 * time.Hour}}
}

// agreeOnAll compares everything both indexes hold of the workspaces.
func (e *env) agreeOnAll() {
	e.Helper()
	for _, ws := range workspaces() {
		for _, order := range []search.Order{search.NewestFirst, search.OldestFirst} {
			e.agree(e, search.Query{Workspace: ws, Order: order, Limit: 29})
		}
	}
}

func workspaces() []domain.WorkspaceID { return []domain.WorkspaceID{"acme", "beta", "umbrella-2"} }
