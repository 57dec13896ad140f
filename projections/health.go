package projections

import (
	"context"
	"errors"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Condition is how a projection is doing.
type Condition string

// The conditions. Only a stopped projection needs a person: it met a record
// that fails its check or can't be applied.
const (
	Starting   Condition = "starting"
	CatchingUp Condition = "catching_up"
	Live       Condition = "live"
	Unsaved    Condition = "unsaved"  // live in memory, but its file can't be written
	Retrying   Condition = "retrying" // failed, and will start again from its checkpoint
	Stopped    Condition = "stopped"
)

// Health is how one projection is doing.
type Health struct {
	Name      string
	Condition Condition
	Reason    string            // what went wrong, without content; "" if nothing did
	Since     time.Time         // when the condition began
	Position  eventlog.Position // what its answers stand for
	Saved     eventlog.Position // its checkpoint
	Behind    time.Duration     // how long ago it is known to have held everything; -1 if never
}

// OK reports whether the projection keeps up, or will without help.
func (h Health) OK() bool {
	return h.Condition == Live || h.Condition == CatchingUp || h.Condition == Unsaved
}

// Health answers how each projection is doing, in the order they were given.
func (m *Models) Health() []Health {
	all := make([]Health, len(m.runners))
	for i, r := range m.runners {
		all[i] = r.health()
	}
	return all
}

func (r *runner) health() Health {
	r.state.Lock()
	defer r.state.Unlock()
	h := Health{Name: r.spec.Name, Condition: r.condition, Reason: r.reason, Since: r.since,
		Position: r.seen.at(), Saved: eventlog.Position(r.saved.Load()), Behind: -1}
	if behind, ok := r.seen.freshness(); ok {
		h.Behind = behind
	}
	return h
}

// set notes a condition; the reason of a failure stays until it is over.
func (r *runner) set(c Condition, reason error) {
	r.state.Lock()
	defer r.state.Unlock()
	if r.condition == c && reason == nil {
		return
	}
	r.condition, r.reason, r.since = c, "", time.Now()
	if reason != nil {
		r.reason = reason.Error()
	}
}

// nextPause answers how long to wait after a failure, longer each time.
func (r *runner) nextPause() time.Duration {
	r.state.Lock()
	defer r.state.Unlock()
	r.pause = min(max(2*r.pause, minPause), maxPause)
	return r.pause
}

// recovered ends what failures began; called after a commit.
func (r *runner) recovered() {
	r.state.Lock()
	unsaved := r.condition == Unsaved
	r.pause = 0
	r.state.Unlock()
	if unsaved {
		r.set(Live, nil)
	}
}

// poison is the end of a projection: a record that can't be applied.
type poison struct{ error }

func (p poison) Unwrap() error { return p.error }

// stop ends the projection for good, in sight of everyone. Records before the
// bad one are kept, unless the projection panicked and can't be trusted.
func (r *runner) stop(cause error) {
	r.batch.Lock()
	defer r.batch.Unlock()
	r.poison(cause)
}

// poison is stop with the batch held.
func (r *runner) poison(cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), closeTime) // the subscription has ended when the record failed its check
	defer cancel()
	if errors.Is(cause, errPanicked) {
		r.sound = false
	} else if err := r.commit(ctx); err != nil {
		r.log.Error("records before a bad one could not be saved", "projection", r.spec.Name, "error", err)
	}
	r.set(Stopped, cause)
	r.counts.stopped.Set(1)
	r.log.Error("projection stopped at a record that it can't apply; nothing is skipped. Verify the log, and see the operator's guide",
		"projection", r.spec.Name, "error", cause)
	r.fail(poison{cause})
}
