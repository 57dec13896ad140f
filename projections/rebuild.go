package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// reportEvery is how often a rebuild tells how far it is.
const reportEvery = 250 * time.Millisecond

// Rebuild throws the named models away (all, without names) and makes them
// again from the first record up to the log's present end. progress, if not
// nil, is told now and then how far each one is. It must not be called while
// Run runs. A record that can't be applied is [ErrStopped].
func (m *Models) Rebuild(ctx context.Context, names []string, progress func(name string, at, end eventlog.Position)) error {
	chosen, err := m.choose(names)
	if err != nil {
		return err
	}
	for _, r := range chosen {
		if err := r.file.remove(); err != nil {
			return err
		}
		r.seen.restart(0)
		r.set(Starting, nil)
	}
	end, err := m.source.ReadHead(ctx)
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- m.run(running, chosen) }()
	err = await(ctx, chosen, end, progress)
	cancel()
	err = errors.Join(err, <-ran)
	for _, r := range chosen {
		err = errors.Join(err, r.close())
	}
	return err
}

func (m *Models) choose(names []string) ([]*runner, error) {
	if len(names) == 0 {
		return m.runners, nil
	}
	var chosen []*runner
	for _, name := range names {
		r := m.byName[name]
		if r == nil {
			return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
		}
		chosen = append(chosen, r)
	}
	return chosen, nil
}

// givenUp reports whether it failed often enough for a person to look.
func (r *runner) givenUp() bool {
	r.state.Lock()
	defer r.state.Unlock()
	return r.pause >= maxPause/4
}

// await waits until all got to the end, or one can't.
func await(ctx context.Context, chosen []*runner, end eventlog.Position, progress func(string, eventlog.Position, eventlog.Position)) error {
	for {
		behind := 0
		for _, r := range chosen {
			h := r.health()
			if progress != nil {
				progress(h.Name, min(h.Position, end), end)
			}
			if h.Condition == Stopped {
				return fmt.Errorf("%w: %s: %s", ErrStopped, h.Name, h.Reason)
			}
			if h.Condition == Retrying && r.givenUp() {
				return fmt.Errorf("rebuilding %s: %s", h.Name, h.Reason)
			}
			if h.Position < end {
				behind++
			}
		}
		if behind == 0 {
			return nil
		}
		wait, cancel := context.WithTimeout(ctx, reportEvery)
		for _, r := range chosen {
			_ = r.seen.wait(wait, end) // what matters is looked at above
		}
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}
