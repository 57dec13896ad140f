package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Freshness: now and then the log's newest position is read, and when a model
// has reached it, the model is known to have held at that moment everything
// that any replica had been told was written before.
const (
	lookEvery = 100 * time.Millisecond
	lookLimit = 2 * time.Second // a log that answers slower makes models stale, and should
)

// watch looks at the log every 100 ms, and at once when somebody waits.
func (m *Models) watch(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	broken := false
	for {
		if err := m.look(ctx); (err != nil) != broken && ctx.Err() == nil {
			if broken = err != nil; broken {
				m.log.Warn("newest position can't be read; models get stale", "error", err)
			} else {
				m.log.Info("newest position can be read again")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-m.kick:
		}
	}
}

// look reads the newest position and holds every model against it.
func (m *Models) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	head, err := m.readHead(ctx)
	if err != nil {
		return err
	}
	for _, r := range m.runners {
		if r.seen.at() < head {
			r.probe(ctx, head)
		}
	}
	return nil
}

// readHead reads the newest position, one caller at a time, and tells every
// model that it was the log's end. It waits for nothing but the log.
func (m *Models) readHead(ctx context.Context) (eventlog.Position, error) {
	select {
	case m.looking <- struct{}{}:
		defer func() { <-m.looking }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	asked := time.Now()
	head, err := m.source.ReadHead(ctx)
	if err != nil {
		return 0, err
	}
	m.head.Store(uint64(head))
	for _, r := range m.runners {
		r.seen.expect(head, asked)
	}
	return head, nil
}

// probe helps a model with a filter that lets nothing through: where the log
// holds no record for it up to head, it is there. Engines tell so too, by
// marks, but not all of them soon. It never waits for a model that is at work:
// one that is held up must not make others stale.
func (r *runner) probe(ctx context.Context, head eventlog.Position) {
	if !r.probing.CompareAndSwap(false, true) {
		return
	}
	defer r.probing.Store(false)
	from, ok := r.idle()
	if !ok || from >= head {
		return
	}
	for rec, err := range r.source.Read(ctx, eventlog.Query{After: from, TypePrefixes: r.spec.Types, Limit: 1}) {
		if err != nil || rec.Position <= head {
			return // there is one, and it will come
		}
	}
	if !r.batch.TryLock() {
		return // at work, so it moves on by itself
	}
	defer r.batch.Unlock()
	if r.live && r.ctx.Err() == nil && r.taken >= from {
		r.reach(head)
	}
}

// idle answers up to where a model has taken everything, if it has a filter
// and keeps up: one that catches up has far to go and would be asked about all
// of it.
func (r *runner) idle() (eventlog.Position, bool) {
	if len(r.spec.Types) == 0 || !r.batch.TryLock() {
		return 0, false
	}
	defer r.batch.Unlock()
	return r.taken, r.live && r.ctx.Err() == nil
}

// Fresh answers how long ago a projection is known to have held everything
// that the log held; false if it never did.
func (m *Models) Fresh(name string) (since time.Duration, ok bool) {
	if r := m.byName[name]; r != nil {
		return r.seen.freshness()
	}
	return 0, false
}

// Stale answers [ErrStale] if any of the named projections is not known to
// have held everything within limit. Before it says so it looks once more and
// lets the models catch up for a moment, so that a busy machine's late timers
// don't count as staleness.
func (m *Models) Stale(ctx context.Context, limit time.Duration, names ...string) error {
	name := m.staleOne(limit, names)
	if name == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	err := m.look(ctx)
	if r := m.byName[name]; r != nil && err == nil {
		_ = r.seen.wait(ctx, eventlog.Position(m.head.Load())) // what matters is looked at below
	}
	name = m.staleOne(limit, names)
	switch {
	case name == "":
		return nil
	case err != nil:
		return fmt.Errorf("%w: %s: %w", ErrStale, name, err)
	}
	since, _ := m.Fresh(name)
	return fmt.Errorf("%w: %s was last known to be complete %v ago", ErrStale, name, since.Round(time.Millisecond))
}

// staleOne answers the first projection that is not fresh enough, or "".
func (m *Models) staleOne(limit time.Duration, names []string) string {
	for _, name := range names {
		if since, ok := m.Fresh(name); !ok || since > limit {
			return name
		}
	}
	return ""
}
