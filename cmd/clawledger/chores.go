package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	domainprocess "github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/projections/process"
)

// The rhythm of chores.
const (
	choreLook    = 200 * time.Millisecond
	choreTime    = 30 * time.Second // bounds one attempt
	choreAtOnce  = 16
	tellAtOnce   = 32              // notifications, which wait for other people's servers,
	tellEach     = 2               // and so many to one of them
	choreSweep   = 512             // steps looked at in one go, beside those that wait for another try
	choreFresh   = 5 * time.Second // a model that lags more shows as owed what is long done
	choreSettles = 5 * time.Second // in which the events of a step reach the model
	chorePause   = time.Second     // after the first failure, then twice as long each time
	choreLongest = 5 * time.Minute
)

// chores takes the steps that are owed and due, where no call took them, and
// fires the timers. Of several replicas the one that holds the lease does;
// two doing it for a moment do no harm.
type chores struct {
	held    func() bool
	fresh   func() bool
	due     func(now time.Time, limit int) []process.Owed
	still   func(process.Owed) bool
	perform func(ctx context.Context, ws domain.WorkspaceID, c domainprocess.Command) error
	now     func() time.Time
	log     *slog.Logger
	taken   *prometheus.CounterVec // by step and result

	mu       sync.Mutex
	attempts map[string]*attempt // of steps that are under way or wait for another try
	working  sync.WaitGroup
}

// attempt is what this process knows of a step it tried.
type attempt struct {
	owed   process.Owed
	busy   bool
	times  int       // that it was tried
	notYet time.Time // before this it is not tried again
}

func (n *node) chores() *chores {
	taken := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clawledger_process_steps_total",
		Help: "Steps taken by timers and after crashes, by step and result."}, []string{"step", "result"})
	owed := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clawledger_process_owed",
		Help: "Steps that are owed, timers included."}, func() float64 { return float64(n.read.process.Len()) })
	if err := errors.Join(n.registry.Register(taken), n.registry.Register(owed)); err != nil {
		n.program.log.Error("metrics of the process can't be registered", "error", err)
	}
	return &chores{held: n.lease.Held, due: n.read.process.Due, still: n.read.process.Still, perform: n.service.Perform, now: n.program.now,
		log: n.program.log, taken: taken, attempts: map[string]*attempt{},
		fresh: func() bool {
			behind, ok := n.models.Fresh(process.Name)
			return ok && behind < choreFresh
		}}
}

// run works until ctx ends, and ends what is under way first.
func (c *chores) run(ctx context.Context) {
	defer c.working.Wait()
	tick := time.NewTicker(choreLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if c.held() && c.fresh() {
			c.sweep(ctx)
		}
	}
}

// sweep starts what is due, as far as there is room.
func (c *chores) sweep(ctx context.Context) {
	now := c.now()
	expiring := map[domain.WorkspaceID]bool{}
	for _, o := range c.due(now, choreSweep+c.waiting()) {
		if o.Command.Step == domainprocess.ExpireReservation { // one command writes all that are due
			if expiring[o.Workspace] {
				continue
			}
			expiring[o.Workspace] = true
		}
		c.start(ctx, o, now)
	}
	c.forget(now)
}

// start takes a step in the background, unless it was tried just now.
func (c *chores) start(ctx context.Context, o process.Owed, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := string(o.Workspace) + " " + string(o.Command.Key())
	a := c.attempts[id]
	if a == nil || !a.owed.Due.Equal(o.Due) && !a.busy {
		a = &attempt{owed: o}
	}
	if a.busy || now.Before(a.notYet) || !c.room(o.Command) {
		return
	}
	c.attempts[id] = a
	a.busy = true
	c.working.Go(func() { c.take(ctx, a) })
}

// room reports whether a step may be taken beside those under way. A receiver
// of notifications that is slow holds up nothing but its own.
func (c *chores) room(step domainprocess.Command) bool {
	steps, notices, same := 0, 0, 0
	for _, a := range c.attempts {
		switch {
		case !a.busy:
		case a.owed.Command.Step != domainprocess.Notify:
			steps++
		default:
			notices++
			if a.owed.Command.Webhook == step.Webhook {
				same++
			}
		}
	}
	if step.Step == domainprocess.Notify {
		return notices < tellAtOnce && same < tellEach
	}
	return steps < choreAtOnce
}

func (c *chores) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.attempts)
}

// take takes a step and notes when it may be tried again: after a failure, and
// also after a success whose events the model does not show.
func (c *chores) take(ctx context.Context, a *attempt) {
	ctx, cancel := context.WithTimeout(ctx, choreTime)
	defer cancel()
	step := string(a.owed.Command.Step)
	err := c.perform(ctx, a.owed.Workspace, a.owed.Command)
	c.mu.Lock()
	defer c.mu.Unlock()
	a.busy = false
	a.times++
	pause := min(chorePause<<min(a.times-1, 20), choreLongest)
	result := "done"
	if err == nil {
		pause = max(pause, choreSettles)
	} else if result = "failed"; ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		level := slog.LevelWarn
		var refusal *domain.Error
		switch {
		case errors.Is(err, commands.ErrIntegrity):
			level = slog.LevelError // a stream fails its check; clawledger verify names the record
		case errors.As(err, &refusal):
			level, pause = slog.LevelInfo, choreLongest // such as one of a workspace that is suspended
		}
		c.log.Log(ctx, level, "a step of the process failed and will be tried again", "step", step,
			"workspace", a.owed.Workspace, "attempt", a.times, "error", err)
	}
	c.taken.WithLabelValues(step, result).Inc()
	a.notYet = c.now().Add(pause)
}

// forget drops what is not owed any more.
func (c *chores) forget(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, a := range c.attempts {
		if !a.busy && !now.Before(a.notYet) && !c.still(a.owed) {
			delete(c.attempts, id)
		}
	}
}
