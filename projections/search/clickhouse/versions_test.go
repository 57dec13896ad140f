package clickhouse

import (
	"context"
	"errors"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/chrig/chrigtest"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/searchtest"
	"github.com/clawoffice/ledger/projections/search/searchtest/corpus"
)

// batchOf is the corpus's rows after one position up to another.
func batchOf(from, to int) search.Batch {
	c := corpus.New(7, 20_000)
	c.Batch(from)
	return c.Batch(to - from)
}

// TestInterruptedAnywhere stops an insert between each two of its steps, and
// goes on with other batches.
func TestInterruptedAnywhere(t *testing.T) {
	ctx, naive := t.Context(), &searchtest.Naive{}
	dsn := chrigtest.DSN(t, protocols()[0])
	e := openTest(t, dsn)
	insertBoth(t, naive, e, batchOf(0, 300))
	v, err := e.view(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	// Rows were sent, in part and then all of them, and never counted.
	for _, to := range []int{400, 700} {
		if err := e.send(ctx, batchOf(300, to).Rows, v.stamp); err != nil {
			t.Fatal(err)
		}
		compare(t, naive, e)
	}
	// Another handle takes over, with batches cut differently.
	other := openTest(t, dsn)
	insertBoth(t, naive, other, batchOf(300, 450))
	compare(t, naive, e)
	insertBoth(t, naive, other, batchOf(300, 900))
	compare(t, naive, e)
	// The first one's rows arrive late, and so does its position.
	if err := e.send(ctx, batchOf(300, 700).Rows, v.stamp); err != nil {
		t.Fatal(err)
	}
	if err := e.commit(ctx, 700, v.stamp); err != nil {
		t.Fatal(err)
	}
	if at, err := e.Position(ctx); err != nil || at != 900 {
		t.Errorf("the index stands at %d (%v), want 900", at, err)
	}
	compare(t, naive, e)
}

// TestLateRowsBringNothingBack sends the rows of an insert that began before a
// removal, after it.
func TestLateRowsBringNothingBack(t *testing.T) {
	ctx, naive := t.Context(), &searchtest.Naive{}
	e := openTest(t, chrigtest.DSN(t, protocols()[0]))
	v, err := e.view(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	b := batchOf(0, 2000)
	insertBoth(t, naive, e, b)
	for _, r := range []search.Removal{search.Erasure{Workspace: corpus.Largest, Subject: subjectOf(b)},
		search.Retention{Workspace: "ws1", Class: "content", Before: b.Rows[1500].Time}} {
		if err := errors.Join(e.Remove(ctx, r), naive.Remove(ctx, r)); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, naive, e)
	if err := e.send(ctx, b.Rows, v.stamp); err != nil {
		t.Fatal(err)
	}
	compare(t, naive, e)
}

// TestVersions holds that the newest version of a row counts, whichever arrives
// first, and though only an older one has the words that are asked for.
func TestVersions(t *testing.T) {
	ctx, naive := t.Context(), &searchtest.Naive{}
	e := openTest(t, chrigtest.DSN(t, protocols()[0]))
	with, without := batchOf(0, 3000), batchOf(0, 3000)
	for i := range without.Rows {
		if i%2 == 0 {
			without.Rows[i].Tags = nil
		}
	}
	for _, sent := range []struct {
		rows  []search.Row
		stamp int64
	}{{with.Rows[:2000], 10}, {without.Rows, 20}, {with.Rows[1000:], 15}} {
		if err := e.send(ctx, sent.rows, sent.stamp); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(e.commit(ctx, int64(without.To), 20), naive.Insert(ctx, without)); err != nil {
		t.Fatal(err)
	}
	compare(t, naive, e)
	if err := e.conn.Exec(ctx, "OPTIMIZE TABLE "+rowTable+" FINAL"); err != nil {
		t.Fatal(err)
	}
	compare(t, naive, e)
}

// TestCancelledCommit holds that an insert whose context ended before its
// position was written is not written later.
func TestCancelledCommit(t *testing.T) {
	e := openTest(t, chrigtest.DSN(t, protocols()[0]))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.commit(ctx, 5, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	if at, err := e.Position(t.Context()); err != nil || at != 0 {
		t.Errorf("the index stands at %d (%v), want 0", at, err)
	}
}

// TestSweep holds that a sweep takes out of the files what was removed, and
// nothing else.
func TestSweep(t *testing.T) {
	for _, protocol := range protocols() {
		t.Run(protocol.String(), func(t *testing.T) { sweep(t, openTest(t, chrigtest.DSN(t, protocol))) })
	}
}

func sweep(t *testing.T, e *Engine) {
	ctx, naive := t.Context(), &searchtest.Naive{}
	b := batchOf(0, 3000)
	insertBoth(t, naive, e, b)
	subject := subjectOf(b)
	erased, expired := search.Erasure{Workspace: corpus.Largest, Subject: subject}, search.Retention{Workspace: "ws1", Class: "execution", Before: b.Rows[2000].Time}
	for _, r := range []search.Removal{erased, expired} {
		if err := errors.Join(e.Remove(ctx, r), naive.Remove(ctx, r)); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (n uint64) {
		s := newStatement()
		text := "SELECT count() FROM " + rowTable + " WHERE (notEmpty(tags) AND workspace = " + s.text(string(corpus.Largest)) + " AND subject = " + s.text(string(subject)) +
			") OR (workspace = 'ws1' AND class = 'execution' AND time < " + s.number(roundUp(expired.Before)) + ")"
		if err := e.collect(ctx, s, text, func(scan func(...any) error) error { return scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := left()
	if err := e.Sweep(ctx); err != nil || before == 0 || left() != before {
		t.Errorf("%d rows are left of %d by a sweep that is not due yet: %v", left(), before, err)
	}
	if err := e.sweep(ctx, 0); err != nil || left() != 0 {
		t.Errorf("%d rows are left of %d by a sweep: %v", left(), before, err)
	}
	v, err := e.view(ctx, corpus.Largest)
	if err != nil || len(v.erased) > 0 || len(v.expired) > 0 || v.position != 3000 {
		t.Errorf("after a sweep %+v is noted: %v", v, err)
	}
	compare(t, naive, e)
	insertBoth(t, naive, e, batchOf(2900, 3500))
	compare(t, naive, e)
}

// subjectOf is one that has words in the largest workspace.
func subjectOf(b search.Batch) (subject domain.SubjectTag) {
	for _, r := range b.Rows {
		if r.Workspace == corpus.Largest && r.Subject != "" {
			subject = r.Subject
		}
	}
	return subject
}

func insertBoth(t *testing.T, naive, e search.Engine, b search.Batch) {
	t.Helper()
	at, err := naive.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.From = min(b.From, at)
	if err := errors.Join(naive.Insert(t.Context(), b), e.Insert(t.Context(), b)); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Position(t.Context()); err != nil || got < eventlog.Position(b.To) {
		t.Fatalf("the index stands at %d (%v) after an insert to %d", got, err, b.To)
	}
}
