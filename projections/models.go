package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Options tune [Models]. The zero value logs to slog.Default and registers no
// metrics.
type Options struct {
	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// Models runs projections and says how far they are. Use: New, then Run, with
// everything else beside it, then Close.
type Models struct {
	source  Source
	runners []*runner
	byName  map[string]*runner
	log     *slog.Logger
	head    atomic.Uint64 // newest position of the log that was read
	looking chan struct{} // taken by whoever reads the newest position
	kick    chan struct{}
}

// New makes Models of projections whose files are in dir/models, each named
// after its projection.
func New(source Source, dir string, options Options, all ...Projection) (*Models, error) {
	m := &Models{source: source, byName: map[string]*runner{}, log: options.Logger, looking: make(chan struct{}, 1), kick: make(chan struct{}, 1)}
	if m.log == nil {
		m.log = slog.Default()
	}
	dir = filepath.Join(dir, "models")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the models: %w", err)
	}
	metrics, crowd := newMetrics(), newCrowd()
	for _, p := range all {
		spec := p.Spec()
		if m.byName[spec.Name] != nil {
			return nil, fmt.Errorf("two projections are named %s", spec.Name)
		}
		r := &runner{projection: p, spec: spec, source: source, log: m.log, counts: metrics.of(spec.Name), crowd: crowd,
			file: &File{path: filepath.Join(dir, spec.Name+".db")}, condition: Starting, since: time.Now()}
		m.runners = append(m.runners, r)
		m.byName[spec.Name] = r
	}
	if options.Metrics != nil {
		for _, c := range append(metrics.collectors(), newLag(m)) {
			if err := options.Metrics.Register(c); err != nil {
				return nil, fmt.Errorf("registering the metrics of projections: %w", err)
			}
		}
	}
	return m, nil
}

// Run follows the ledger with all projections until ctx ends. One projection
// that fails or stops does not end the others, nor Run: see Health. It can run
// again after it returned.
func (m *Models) Run(ctx context.Context) error { return m.run(ctx, m.runners) }

func (m *Models) run(ctx context.Context, runners []*runner) error {
	feeds := map[string]Feed{}
	for _, r := range runners {
		feeds[r.spec.Name] = r
	}
	subscriber := NewSubscriber(m.source, feeds)
	router, err := m.router(subscriber, runners)
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	watching, done := context.WithCancel(ctx)
	work.Go(func() { m.watch(watching) })
	err = router.Run(ctx)
	done()
	work.Wait()
	return errors.Join(err, subscriber.Close())
}

// router makes a Watermill router with one handler per projection. From the
// outside in, a message passes: the end of a projection by poison, a counter,
// retries of what may pass, recovery from panics, correlation.
func (m *Models) router(subscriber message.Subscriber, runners []*runner) (*message.Router, error) {
	router, err := message.NewRouter(message.RouterConfig{}, quiet{m.log})
	if err != nil {
		return nil, fmt.Errorf("making the router of projections: %w", err)
	}
	for _, r := range runners {
		h := router.AddConsumerHandler(r.spec.Name, r.spec.Name, subscriber, r.handle)
		h.AddMiddleware(r.loud, r.counts.counted, retrying, recovering, correlating)
	}
	return router, nil
}

// Close saves what is applied and closes the files. Call it after Run returned.
func (m *Models) Close() error {
	var errs []error
	for _, r := range m.runners {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}

// closeTime bounds the last commit; without it the next start replays more.
const closeTime = 30 * time.Second

func (r *runner) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	r.batch.Lock()
	defer r.batch.Unlock()
	r.stopTimer()
	var err error
	if r.ctx != nil && r.file.writer != nil {
		err = r.commit(ctx)
	}
	return errors.Join(err, r.file.close())
}

// Position is the newest position that a projection's answers stand for; 0 for
// a projection there is not.
func (m *Models) Position(name string) eventlog.Position {
	if r := m.byName[name]; r != nil {
		return r.seen.at()
	}
	return 0
}

// CatchUp waits until a projection's answers stand for everything that the log
// holds now. Errors are those of [Models.WaitFor], and the log's.
func (m *Models) CatchUp(ctx context.Context, name string) error {
	head, err := m.readHead(ctx)
	if err != nil {
		return err
	}
	return m.WaitFor(ctx, name, head)
}

// helpAfter is how long somebody waits for a position before the log is asked
// whether there is anything to wait for.
const helpAfter = 10 * time.Millisecond

// WaitFor waits until a projection's answers stand for a position, so that
// callers read what they wrote. When ctx ends first it is [ErrBehind], at once
// [ErrStopped] if the projection won't get there.
func (m *Models) WaitFor(ctx context.Context, name string, position eventlog.Position) error {
	r := m.byName[name]
	if r == nil {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	if r.seen.at() >= position {
		return nil
	}
	if h := r.health(); h.Condition == Stopped {
		return fmt.Errorf("%w: %s: %s", ErrStopped, name, h.Reason)
	}
	r.hurry()
	soon, cancel := context.WithTimeout(ctx, helpAfter)
	defer cancel()
	if r.seen.wait(soon, position) == nil {
		return nil
	}
	r.hurry() // again, since it does nothing while the model is at work
	select {
	case m.kick <- struct{}{}:
	default:
	}
	if err := r.seen.wait(ctx, position); err != nil {
		return fmt.Errorf("waiting for %s to get to %d, it is at %d: %w: %w", name, position, r.seen.at(), ErrBehind, err)
	}
	return nil
}

// hurry commits what is there because somebody waits for it, who may give up
// before it is done. It does nothing while the model is at work.
func (r *runner) hurry() {
	if r.spec.Memory || !r.batch.TryLock() {
		return
	}
	go func() {
		defer r.batch.Unlock()
		if r.pending > 0 && r.ctx.Err() == nil {
			r.flush()
		}
	}()
}
