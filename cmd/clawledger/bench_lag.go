package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/load"
	"github.com/clawoffice/ledger/projections"
)

// benchLag is how far one read model was behind the answers to writes, in
// milliseconds.
type benchLag struct {
	Projection string  `json:"projection"`
	P50        float64 `json:"p50_ms"`
	P95        float64 `json:"p95_ms"`
	P99        float64 `json:"p99_ms"`
	Max        float64 `json:"max_ms"`
	Writes     int64   `json:"writes"`
}

// Bounds of the scenario lag.
const (
	lagWarming = 3 * time.Second  // at most; before anything counts
	lagLook    = time.Millisecond // between two looks at the models
	lagDrain   = 2 * time.Minute  // how long models may take for the last writes; one stands aside for up to a minute
)

// measureLag serves in this process, so that it can see how far the models are
// without asking the server, which would make them hurry.
func (b benchCmd) measureLag(p *program) (s benchScenario, err error) {
	if b.URL != "" {
		return s, errors.New("lag is measured inside a server, so it needs one of its own; leave --url out, or lag")
	}
	if b.Rate < 1 {
		return s, errors.New("--rate must be at least 1 event a second")
	}
	n, target, stop, err := b.serveHere(p)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	brief := min(time.Second, b.Duration)
	signing := signingRate(brief)
	probe := newLagProbe(n.models)
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	var looking sync.WaitGroup
	looking.Go(func() { probe.run(ctx) })
	var from eventlog.Position
	var began time.Time
	pace := load.Pace{Workers: b.Connections, PerSecond: b.Rate / lifeEvents * lifeCalls, Warming: min(lagWarming, b.Duration), Duration: b.Duration, Measuring: func() {
		from, _ = n.sealed.ledger.ReadHead(ctx)
		began = time.Now()
		probe.begin()
	}}
	r, err := pace.Run(p.ctx, func(i int) (load.Worker, error) {
		w, err := newBenchWorker(target)
		return &benchLife{benchWorker: w, wrote: probe.wrote, turn: i}, err
	})
	took := time.Since(began)
	to, headErr := n.sealed.ledger.ReadHead(p.ctx)
	left := probe.drain(lagDrain)
	cancel()
	looking.Wait()
	if err := errors.Join(err, headErr); err != nil {
		return s, err
	}
	if left > 0 {
		return s, fmt.Errorf("%d writes were not in all models after %s", left, lagDrain)
	}
	signing = (signing + signingRate(brief)) / 2
	s = scenarioOf("lag", r, 0)
	s.Signing = &signing
	s.EventsPerSecond, s.Lag = float64(to-from)/took.Seconds(), probe.result()
	return s, nil
}

// serveHere starts a server in this process and sets up its workspace.
func (b benchCmd) serveHere(p *program) (n *node, target *benchTarget, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "clawledger-bench-")
	if err != nil {
		return nil, nil, nil, err
	}
	inner := *p
	inner.out, inner.err, inner.log = io.Discard, io.Discard, slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n, err = newNode(p.ctx, serveCmd{Data: dir, Listen: "127.0.0.1:0", Eventlog: b.Eventlog, DrainTime: time.Second}, &inner)
	if err != nil {
		return nil, nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.ctx))
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	stop = func() error {
		cancel()
		return errors.Join(<-ran, n.Close(), os.RemoveAll(dir))
	}
	target = &benchTarget{address: strings.TrimPrefix(n.URL(), "http://"), ws: benchWorkspace()}
	token, err := os.ReadFile(filepath.Join(dir, "keys", "operator.token"))
	if err == nil {
		target.operator = strings.TrimSpace(string(token))
		err = (&benchServer{target: *target}).waitReady()
	}
	if err == nil {
		err = target.setUpLife()
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, stop())
	}
	return n, target, stop, nil
}

// lagProbe looks again and again how far the models are, and notes for each
// write how long after its answer a model stood for it.
type lagProbe struct {
	models *projections.Models
	all    []modelLag

	mu       sync.Mutex
	writes   []lagWrite // since the last look
	counting bool
	left     int
}

type lagWrite struct {
	position eventlog.Position
	at       time.Time // of the answer
}

type modelLag struct {
	name    string
	waiting []lagWrite
	lag     *hdrhistogram.Histogram // microseconds
}

func newLagProbe(models *projections.Models) *lagProbe {
	p := &lagProbe{models: models}
	for _, h := range models.Health() {
		p.all = append(p.all, modelLag{name: h.Name, lag: hdrhistogram.New(1, 120_000_000, 3)})
	}
	return p
}

// begin counts writes from now on.
func (p *lagProbe) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counting = true
}

// wrote takes the position of a write that was answered just now.
func (p *lagProbe) wrote(position uint64) {
	at := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counting {
		p.writes = append(p.writes, lagWrite{eventlog.Position(position), at})
		p.left++
	}
}

func (p *lagProbe) run(ctx context.Context) {
	tick := time.NewTicker(lagLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.look()
		case <-ctx.Done():
			return
		}
	}
}

// look takes the writes that the models stand for now.
func (p *lagProbe) look() {
	p.mu.Lock()
	fresh := p.writes
	p.writes = nil
	p.mu.Unlock()
	left := 0
	for i := range p.all {
		m := &p.all[i]
		m.waiting = append(m.waiting, fresh...)
		reached, now := p.models.Position(m.name), time.Now()
		waiting := m.waiting[:0]
		for _, w := range m.waiting {
			if w.position > reached {
				waiting = append(waiting, w)
				continue
			}
			_ = m.lag.RecordValue(max(1, now.Sub(w.at).Microseconds()))
		}
		m.waiting = waiting
		left = max(left, len(waiting))
	}
	p.mu.Lock()
	p.left = left + len(p.writes)
	p.mu.Unlock()
}

// drain waits until no model misses a write, and answers how many one still
// does after a time.
func (p *lagProbe) drain(most time.Duration) (left int) {
	for end := time.Now().Add(most); ; time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		left = p.left
		p.mu.Unlock()
		if left == 0 || time.Now().After(end) {
			return left
		}
	}
}

// result is what was noted; run must have ended.
func (p *lagProbe) result() (list []benchLag) {
	for _, m := range p.all {
		ms := func(micros int64) float64 { return float64(micros) / 1000 }
		list = append(list, benchLag{Projection: m.name, P50: ms(m.lag.ValueAtQuantile(50)), P95: ms(m.lag.ValueAtQuantile(95)),
			P99: ms(m.lag.ValueAtQuantile(99)), Max: ms(m.lag.Max()), Writes: m.lag.TotalCount()})
	}
	return list
}
