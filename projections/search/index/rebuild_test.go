package index_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/projectionstest"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/index"
)

// counter is a model that does next to nothing.
type counter struct{ n int }

func (*counter) Spec() projections.Spec                                           { return projections.Spec{Name: "counter", Version: 1} }
func (*counter) Load(context.Context, *projections.File, eventlog.Position) error { return nil }
func (c *counter) Apply(context.Context, *ledger.Record) error                    { c.n++; return nil }
func (*counter) Flush(context.Context, *sqlite.Conn) error                        { return nil }

func quiet() projections.Options { return projections.Options{Logger: slog.New(slog.DiscardHandler)} }

// TestAnotherGenerationTakesOver writes and asks all the while.
func TestAnotherGenerationTakesOver(t *testing.T) {
	f := ledgertest.New(t)
	projectionstest.Mixed(t, f, 3000)
	before, after := newKept(), newKept()
	model, m, stop := following(t, f, t.TempDir(), before)
	reach(t, f, m)
	busy, done := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		for n := 0; busy.Err() == nil; n++ {
			said(t, f, domain.ExecutionID(fmt.Sprint("ex_", n)), "quarterly invoice", "subject1")
		}
	})
	work.Go(func() {
		for last := 0; busy.Err() == nil; {
			page, err := model.Find(t.Context(), index.Ask{Workspace: "acme", Query: ask("text:quarterly").Query})
			if err != nil || len(page.Rows) < last {
				t.Errorf("found %d after %d: %v", len(page.Rows), last, err)
			}
			last = min(len(page.Rows), search.MaxLimit)
		}
	})
	told := false
	old, err := model.Rebuild(t.Context(), index.Generation{Number: 2, Engine: after}, t.TempDir(), quiet(), nil,
		func(eventlog.Position, eventlog.Position) { told = true })
	if err != nil || old.Number != 1 || old.Engine != search.Engine(before) || model.Generation() != 2 || !told {
		t.Fatalf("rebuilt: %v, the old one was %d, the new one is %d, progress told: %v", err, old.Number, model.Generation(), told)
	}
	time.Sleep(20 * time.Millisecond) // so that both work on with the new one for a moment
	done()
	work.Wait()
	stood := len(before.all())
	reach(t, f, m)
	stop()
	straight := newKept()
	_, m, _ = following(t, f, t.TempDir(), straight)
	reach(t, f, m)
	if got, want := len(after.all()), len(straight.all()); got != want || len(before.all()) != stood {
		t.Errorf("the new generation has %d rows, want %d; the old one grew from %d to %d", got, want, stood, len(before.all()))
	}
	for at, r := range straight.all() {
		have := after.all()[at]
		if len(r.Tags) > 0 && slices.Equal(have.Tags, r.Tags) || len(have.Tags) != len(r.Tags) {
			t.Fatalf("the tags of %d are %d of generation 1 again", at, len(have.Tags))
		}
		break
	}
}

// TestRebuildThatFails leaves everything as it was.
func TestRebuildThatFails(t *testing.T) {
	f := ledgertest.New(t)
	projectionstest.Mixed(t, f, 300)
	before, after := newKept(), newKept()
	after.before = func() error { return search.ErrUnavailable }
	model, m, _ := following(t, f, t.TempDir(), before)
	reach(t, f, m)
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if _, err := model.Rebuild(ctx, index.Generation{Number: 2, Engine: after}, t.TempDir(), quiet(), nil, nil); err == nil {
		t.Error("a rebuild into an engine that takes nothing succeeded")
	}
	at := said(t, f, "ex_1", "quarterly", "subject1")
	reach(t, f, m)
	if got := found(t, model, ask("quarterly")); !slices.Equal(got, []eventlog.Position{at}) || model.Generation() != 1 {
		t.Errorf("afterwards generation %d finds %v, want %d", model.Generation(), got, at)
	}
}

// TestOthersWaitForTheWriter has two replicas share an index.
func TestOthersWaitForTheWriter(t *testing.T) {
	f := ledgertest.New(t)
	shared := newKept()
	reader := index.New(index.Config{Source: f.Ledger, Keys: keysOf(f), Generation: index.Generation{Number: 1, Engine: shared},
		Writes: func() bool { return false }})
	waits, err := projections.New(f.Ledger, t.TempDir(), quiet(), reader)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- waits.Run(ctx) }()
	at := said(t, f, "ex_1", "quarterly", "subject1")
	soon, short := context.WithTimeout(ctx, 300*time.Millisecond)
	defer short()
	if err := waits.WaitFor(soon, index.Name, at); err == nil {
		t.Error("a replica that does not fill the index says that it holds what nobody put there")
	}
	_, m, _ := following(t, f, t.TempDir(), shared)
	reach(t, f, m)
	reach(t, f, waits)
	if got := found(t, reader, ask("quarterly")); !slices.Equal(got, []eventlog.Position{at}) {
		t.Errorf("it finds %v, want %d", got, at)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	_ = waits.Close()
}
