package index_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/projectionstest"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/index"
	searchsqlite "github.com/clawoffice/ledger/projections/search/sqlite"
)

// erased appends that a subject was erased, with these keys, and answers where.
func erased(t *testing.T, f *ledgertest.Fixture, subject domain.SubjectTag, keys ...string) eventlog.Position {
	t.Helper()
	stream, tail := ledger.WorkspaceStream("acme"), ledger.NoTail()
	for r, err := range f.ReadStream(t.Context(), stream, tail) {
		if err != nil {
			t.Fatal(err)
		}
		tail = r.Tail()
	}
	name := fmt.Sprint("erasure", tail.Revision)
	receipt, err := f.Append(t.Context(), stream, tail, []ledger.Draft{projectionstest.Draft(t, name, workspace.SubjectErased{Erasure: "er_1", Subject: subject, Keys: keys})})
	if err != nil {
		t.Fatal(err)
	}
	return receipt.Position
}

// destroyed is erased after the keys are.
func destroyed(t *testing.T, f *ledgertest.Fixture, subject domain.SubjectTag) {
	t.Helper()
	ids, err := f.Ring.Erase(t.Context(), "acme", subject)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, id := range ids {
		keys = append(keys, string(id))
	}
	erased(t, f, subject, keys...)
}

// engines are those that every one of these tests is made with.
func engines(t *testing.T, test func(t *testing.T, open func(name string) search.Engine)) {
	t.Run("naive", func(t *testing.T) { test(t, func(string) search.Engine { return newKept() }) })
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		test(t, func(name string) search.Engine {
			e, err := searchsqlite.Open(t.Context(), filepath.Join(dir, name), searchsqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = e.Close() })
			return e
		})
	})
}

// finds compares what a word finds with what it should.
func finds(t *testing.T, m *index.Model, words string, want ...eventlog.Position) {
	t.Helper()
	got := found(t, m, ask(words))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s finds %v, want %v", words, got, want)
	}
}

func TestErasedSubjectsAreNotFound(t *testing.T) {
	engines(t, func(t *testing.T, open func(string) search.Engine) {
		f := ledgertest.New(t)
		gone, stays := said(t, f, "ex_1", "quarterly invoice", "subject1"), said(t, f, "ex_2", "quarterly report", "subject2")
		model, m, _ := following(t, f, t.TempDir(), open("1"))
		reach(t, f, m)
		finds(t, model, "quarterly", gone, stays)
		destroyed(t, f, "subject1")
		again := said(t, f, "ex_3", "quarterly once more", "subject1")
		reach(t, f, m)
		finds(t, model, "quarterly", stays, again)
		finds(t, model, "type:execution.prompt_recorded.v1", gone, stays, again)
		destroyed(t, f, "nobody")
		reach(t, f, m)
		finds(t, model, "quarterly", stays, again)

		anew := open("2") // made again from the first record
		if _, err := model.Rebuild(t.Context(), index.Generation{Number: 2, Engine: anew}, t.TempDir(), quiet(), nil, nil); err != nil {
			t.Fatal(err)
		}
		finds(t, model, "quarterly", stays, again)
		finds(t, model, "type:execution.prompt_recorded.v1", gone, stays, again)
	})
}

// dying is an engine that is gone from one change on, as for a process that
// died. That change is made or not.
type dying struct {
	search.Engine
	mu   sync.Mutex
	left int  // changes until it dies
	made bool // the last one is
	dead chan struct{}
}

func (d *dying) change(do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.left--; {
	case d.left > 0:
		return do()
	case d.left < 0:
		return search.ErrUnavailable
	}
	defer close(d.dead)
	if d.made {
		if err := do(); err != nil {
			return err
		}
	}
	return search.ErrUnavailable
}

func (d *dying) Insert(ctx context.Context, b search.Batch) error {
	return d.change(func() error { return d.Engine.Insert(ctx, b) })
}

func (d *dying) Remove(ctx context.Context, r search.Removal) error {
	return d.change(func() error { return d.Engine.Remove(ctx, r) })
}

// TestErasureSurvivesACrashAtEachChange kills the projector at each change of the
// index, before it is made and after, where rows before and after erasures come
// in one batch. The keys are not destroyed, so that nothing but the removal
// takes words away.
func TestErasureSurvivesACrashAtEachChange(t *testing.T) {
	f := ledgertest.New(t)
	said(t, f, "ex_1", "quarterly invoice", "subject1")
	said(t, f, "ex_2", "quarterly report", "subject2")
	third := said(t, f, "ex_3", "quarterly offer", "subject3")
	erased(t, f, "subject1")
	fourth := said(t, f, "ex_4", "quarterly again", "subject1")
	erased(t, f, "subject2")
	erased(t, f, "subject2")
	fifth := said(t, f, "ex_5", "quarterly at last", "subject2")
	const changes = 7 // four inserts around three removals
	engines(t, func(t *testing.T, open func(string) search.Engine) {
		for at := 1; at <= changes; at++ {
			for _, made := range []bool{false, true} {
				t.Run(fmt.Sprint("change ", at, " made ", made), func(t *testing.T) {
					e, dir := open(fmt.Sprint(at, made)), t.TempDir()
					d := &dying{Engine: e, left: at, made: made, dead: make(chan struct{})}
					_, _, stop := following(t, f, dir, d)
					<-d.dead
					stop()
					model, m, _ := following(t, f, dir, e)
					reach(t, f, m)
					finds(t, model, "quarterly", third, fourth, fifth)
				})
			}
		}
	})
}

// TestErasureIsMadeByOne has a replica take over the filling of a shared index
// with a batch that another one has brought in: it does not erase again what was
// indexed since.
func TestErasureIsMadeByOne(t *testing.T) {
	f, shared := ledgertest.New(t), newKept()
	said(t, f, "ex_1", "quarterly invoice", "subject1")
	erased(t, f, "subject1")
	again := said(t, f, "ex_2", "quarterly again", "subject1")
	asked, filled := make(chan struct{}), make(chan struct{})
	var once sync.Once
	second := index.New(index.Config{Source: f.Ledger, Keys: keysOf(f), Generation: index.Generation{Number: 1, Engine: shared},
		Writes: func() bool { once.Do(func() { close(asked) }); <-filled; return true }})
	waits, err := projections.New(f.Ledger, t.TempDir(), quiet(), second)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- waits.Run(ctx) }()
	<-asked // its batch is whole
	_, m, _ := following(t, f, t.TempDir(), shared)
	reach(t, f, m)
	close(filled)
	reach(t, f, waits)
	finds(t, second, "quarterly", again)
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	_ = waits.Close()
}

// TestDestroyedKeysBringNoWords has a replica write, and fill its index, with a
// key that another one destroyed and that it has not let go of yet.
func TestDestroyedKeysBringNoWords(t *testing.T) {
	f := ledgertest.New(t)
	late := ledgertest.On(t, f.Log, f.Keys)
	said(t, late, "ex_1", "quarterly invoice", "subject1")
	destroyed(t, f, "subject1")
	small := said(t, late, "ex_2", "quarterly again", "subject1")
	readable := false
	for r, err := range late.ReadStream(t.Context(), ledger.ExecutionStream("acme", "ex_2"), ledger.NoTail()) {
		if err != nil {
			t.Fatal(err)
		}
		readable = readable || ledger.IsContent(r.Type) && !r.Erased && strings.Contains(string(r.Payload), "again")
	}
	if !readable {
		t.Fatal("the replica has let go of the key, so this shows nothing")
	}
	model, m, _ := following(t, late, t.TempDir(), newKept())
	reach(t, late, m)
	finds(t, model, "quarterly")
	finds(t, model, "type:execution.prompt_recorded.v1 execution:ex_2", small)
}
