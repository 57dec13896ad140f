package index

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/search"
)

// Rebuild fills another generation from the first record while the present one
// goes on answering, and lets it take over once it holds as much. prepare, if
// not nil, is called just before that; progress now and then. dir is where the
// new one's checkpoint is kept meanwhile. The generation that answered before is
// returned, and not asked any more.
func (m *Model) Rebuild(ctx context.Context, next Generation, dir string, options projections.Options,
	prepare func(context.Context, search.Engine) error, progress func(at, end eventlog.Position)) (Generation, error) {
	config := m.config
	config.Generation = next
	models, err := projections.New(config.Source, dir, options, New(config))
	if err != nil {
		return Generation{}, err
	}
	running, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- models.Run(running) }()
	ended := false
	end := func() error {
		if ended {
			return nil
		}
		ended = true
		stop()
		err := <-ran
		if closing := models.Close(); err == nil {
			err = closing
		}
		return err
	}
	defer func() { _ = end() }() // what went wrong before is the reason
	if err := catchUp(ctx, m.config.Source, models, progress); err != nil {
		return Generation{}, err
	}
	if prepare != nil {
		if err := prepare(ctx, next.Engine); err != nil {
			return Generation{}, fmt.Errorf("preparing the new search index: %w", err)
		}
	}
	m.turn.Lock() // nothing is indexed meanwhile
	defer m.turn.Unlock()
	if err := models.WaitFor(ctx, Name, m.to); err != nil {
		return Generation{}, err
	}
	if err := end(); err != nil {
		return Generation{}, fmt.Errorf("ending the making of the new search index: %w", err)
	}
	if at, err := next.Engine.Position(ctx); err != nil || at < m.to {
		return Generation{}, fmt.Errorf("the new search index stands at %d, not at %d: %w", at, m.to, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.current.Generation
	m.current = newGeneration(next)
	return before, nil
}

// Take lets a generation answer that another replica filled, and returns the one
// before.
func (m *Model) Take(next Generation) Generation {
	m.turn.Lock()
	defer m.turn.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.current.Generation
	m.current = newGeneration(next)
	return before
}

const (
	tellEvery = 250 * time.Millisecond // progress
	near      = 2 * time.Second        // in which a model that keeps up gets to where the log ended
)

// catchUp waits until a model keeps up with the log: gets to its end, as that
// was a moment ago. The end itself moves on while others write.
func catchUp(ctx context.Context, source Source, models *projections.Models, progress func(at, end eventlog.Position)) error {
	for {
		head, err := source.ReadHead(ctx)
		if err != nil {
			return err
		}
		start := time.Now()
		if err := arrive(ctx, models, head, progress); err != nil {
			return err
		}
		if time.Since(start) < near {
			return nil
		}
	}
}

// arrive waits until a model stands at a position, and tells how far it is.
func arrive(ctx context.Context, models *projections.Models, head eventlog.Position, progress func(at, end eventlog.Position)) error {
	for {
		soon, cancel := context.WithTimeout(ctx, tellEvery)
		err := models.WaitFor(soon, Name, head)
		cancel()
		if progress != nil {
			progress(min(models.Position(Name), head), head)
		}
		if err == nil || ctx.Err() != nil || errors.Is(err, projections.ErrStopped) {
			return errors.Join(err, ctx.Err())
		}
	}
}

// Maintain lets something be done to the engine that answers, which is not
// closed meanwhile.
func (m *Model) Maintain(ctx context.Context, do func(context.Context, search.Engine) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return do(ctx, m.current.Engine)
}

// Generation is the number of the index that answers.
func (m *Model) Generation() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.current.Number
}
