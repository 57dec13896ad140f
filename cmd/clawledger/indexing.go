package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	ledgerhttp "github.com/clawoffice/ledger/http"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/index"
	"github.com/clawoffice/ledger/projections/search/tags"
)

// retainEvery is how often events that a workspace does not want to find any
// more are taken out of the index.
const retainEvery = time.Hour

// indexing looks after the search index of a server: which generation answers,
// making another one, and what is taken out after its time.
type indexing struct {
	shelf  shelf
	source index.Source
	dir    string // for what a rebuild needs meanwhile
	log    *slog.Logger
	now    func() time.Time
	writes func() bool

	model     *index.Model
	retention func(ctx context.Context) (map[domain.WorkspaceID]map[string]int, error) // days by class

	mu      sync.Mutex
	open    engine // the generation that answers
	running context.Context
	stop    context.CancelFunc
	work    sync.WaitGroup
	under   bool       // a rebuild is under way
	turn    sync.Mutex // held from its beginning until the one before is deleted
	done    float64
}

var _ ledgerhttp.Indexing = (*indexing)(nil)

// newIndexing opens the generation that answers and makes the model.
func newIndexing(ctx context.Context, s shelf, source *sealed, dir string, log *slog.Logger, writes func() bool) (*indexing, error) {
	x := &indexing{shelf: s, source: source.ledger, dir: dir, log: log, now: time.Now, writes: writes}
	number, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	if writes == nil { // of a shared index another replica may be making one
		if err := tidy(ctx, s, number); err != nil {
			return nil, err
		}
	}
	if x.open, err = s.open(ctx, number); err != nil {
		return nil, err
	}
	secret := source.keys.Secret()
	keys := func(ws domain.WorkspaceID, generation int) tags.Key { return secret.SearchKey(ws, uint32(generation)) }
	x.model = index.New(index.Config{Source: source.ledger, Keys: keys, Writes: writes, Batch: x.shelf.batch(), Generation: index.Generation{Number: number, Engine: x.open}})
	x.running, x.stop = context.WithCancel(context.Background())
	return x, nil
}

// Engine names what holds the index.
func (x *indexing) Engine() string { return x.shelf.name() }

// Rebuilding reports whether the index is being made again, and how far it is.
func (x *indexing) Rebuilding() (bool, float64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.under, x.done
}

// Rebuild begins to make another generation, unless one is being made. Of
// several replicas that share an index, the one that fills it does.
func (x *indexing) Rebuild() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.running.Err() != nil:
		return search.ErrClosed
	case x.writes != nil && !x.writes():
		return fmt.Errorf("%w: another replica fills the index; ask that one", search.ErrUnavailable)
	case x.under:
		return nil
	case !x.turn.TryLock():
		return fmt.Errorf("%w: the one before is still deleted", search.ErrUnavailable)
	}
	x.under, x.done = true, 0
	x.work.Go(func() {
		defer x.turn.Unlock()
		start := time.Now()
		err := x.rebuild(x.running)
		x.mu.Lock()
		x.under = false
		x.mu.Unlock()
		if err != nil {
			x.log.Error("the search index could not be made again; the one before goes on", "error", err)
			return
		}
		x.log.Info("the search index was made again", "generation", x.model.Generation(), "seconds", time.Since(start).Seconds())
	})
	return nil
}

func (x *indexing) rebuild(ctx context.Context) (err error) {
	number := x.model.Generation() + 1
	if err := x.shelf.drop(ctx, number); err != nil { // a rest of one that was not finished
		return err
	}
	next, err := x.shelf.open(ctx, number)
	if err != nil {
		return err
	}
	build := filepath.Join(x.dir, "rebuild")
	defer func() { err = errors.Join(err, os.RemoveAll(build)) }()
	if err := os.RemoveAll(build); err != nil {
		return fmt.Errorf("tidying up after an earlier rebuild: %w", err)
	}
	before, err := x.model.Rebuild(ctx, index.Generation{Number: number, Engine: next}, build, projections.Options{Logger: x.log}, x.takeOut,
		func(at, end eventlog.Position) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.done = float64(at) / float64(max(end, 1))
		})
	if err != nil {
		return errors.Join(err, next.Close(), x.shelf.drop(context.WithoutCancel(ctx), number))
	}
	x.mu.Lock()
	old := x.open
	x.open = next
	x.mu.Unlock()
	if err := x.shelf.promote(ctx, number); err != nil {
		return errors.Join(err, old.Close())
	}
	x.mu.Lock()
	x.under = false
	x.mu.Unlock()
	if x.writes != nil { // others must have heard of it
		select {
		case <-time.After(3 * hearEvery):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), old.Close()) // the next rebuild drops it
		}
	}
	return errors.Join(old.Close(), x.shelf.drop(ctx, before.Number))
}

// hearEvery is how often a replica asks whether another one made the index again.
const hearEvery = 5 * time.Second

// hear lets generations answer that another replica made, until ctx ends.
func (x *indexing) hear(ctx context.Context) {
	if x.writes == nil {
		return
	}
	tick := time.NewTicker(hearEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := x.hearOnce(ctx); err != nil && ctx.Err() == nil {
			x.log.Warn("whether the search index was made again can't be asked", "error", err)
		}
	}
}

func (x *indexing) hearOnce(ctx context.Context) error {
	number, err := x.shelf.current(ctx)
	if under, _ := x.Rebuilding(); err != nil || under || number == x.model.Generation() {
		return err
	}
	next, err := x.shelf.open(ctx, number)
	if err != nil {
		return err
	}
	x.model.Take(index.Generation{Number: number, Engine: next})
	x.mu.Lock()
	old := x.open
	x.open = next
	x.mu.Unlock()
	return old.Close()
}

// retain takes old events out now and then, until ctx ends.
func (x *indexing) retain(ctx context.Context) {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if x.writes != nil && !x.writes() {
			continue
		}
		if err := x.model.Maintain(ctx, x.takeOut); err != nil && ctx.Err() == nil {
			x.log.Warn("old events stay in the search index for now", "error", err)
		}
	}
}

// takeOut takes what is older than its workspace wants to find out of an index.
func (x *indexing) takeOut(ctx context.Context, e search.Engine) error {
	all, err := x.retention(ctx)
	if err != nil {
		return err
	}
	for ws, days := range all {
		for class, n := range days {
			err := e.Remove(ctx, search.Retention{Workspace: ws, Class: search.Class(class), Before: x.now().AddDate(0, 0, -n)})
			if err != nil {
				return fmt.Errorf("taking events of %s of the class %s: %w", ws, class, err)
			}
		}
	}
	return nil
}

// retentions asks every workspace how long its events are to be found.
func retentions(service *commands.Service, rights *access.Model) func(context.Context) (map[domain.WorkspaceID]map[string]int, error) {
	return func(ctx context.Context) (map[domain.WorkspaceID]map[string]int, error) {
		all := map[domain.WorkspaceID]map[string]int{}
		for _, w := range rights.List() {
			book, err := service.SearchBook(ctx, w.ID())
			if err != nil {
				return nil, fmt.Errorf("reading the retention of %s: %w", w.ID(), err)
			}
			if len(book.Days) > 0 {
				all[w.ID()] = book.Days
			}
		}
		return all, nil
	}
}

// Close ends a rebuild that is under way and closes the index.
func (x *indexing) Close() error {
	x.stop()
	x.work.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.open.Close()
}
