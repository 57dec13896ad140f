package load

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Worker does one kind of request over and over on a connection of its own.
type Worker interface {
	// Prepare does what must be done before the next n operations (any number
	// if n is 0) and is not measured.
	Prepare(n int) error
	// Do does one operation, which is measured.
	Do() error
	Close() error
}

// Plan says how much load to make.
type Plan struct {
	Workers  int
	Duration time.Duration // of measured time; ignored if Count is set
	Count    int64         // operations in all
	Phase    int           // operations of a worker between two preparations; 0: one preparation
	Progress func(done int64)
}

// Result is what was measured.
type Result struct {
	Operations int64
	Errors     int64
	FirstError error
	Elapsed    time.Duration
	Latency    *hdrhistogram.Histogram // microseconds
	Mallocs    uint64                  // of the whole process, load generator included
}

// PerSecond is the throughput of operations that succeeded.
func (r Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Operations) / r.Elapsed.Seconds()
}

// newHistogram counts from a microsecond to two minutes with three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 120_000_000, 3) }

// Run makes load by a plan, with a worker from open for each number. Where the
// plan has phases, all workers prepare, then all are measured, in turns.
func Run(ctx context.Context, plan Plan, open func(i int) (Worker, error)) (Result, error) {
	workers := make([]Worker, 0, plan.Workers)
	defer func() {
		for _, w := range workers {
			_ = w.Close()
		}
	}()
	for i := range plan.Workers {
		w, err := open(i)
		if err != nil {
			return Result{}, fmt.Errorf("opening connection %d: %w", i, err)
		}
		workers = append(workers, w)
	}
	total := Result{Latency: newHistogram()}
	for !plan.done(total) && ctx.Err() == nil {
		if err := prepare(workers, plan.Phase); err != nil {
			return total, err
		}
		runtime.GC() // what preparing left is not the measured part's to sweep
		total.add(plan.measure(ctx, workers, total))
		if plan.Progress != nil {
			plan.Progress(total.Operations)
		}
		if total.Operations == 0 && total.Errors > 0 {
			return total, fmt.Errorf("no operation succeeded: %w", total.FirstError)
		}
	}
	return total, ctx.Err()
}

func (p Plan) done(r Result) bool {
	if p.Count > 0 {
		return r.Operations+r.Errors >= p.Count
	}
	return r.Elapsed >= p.Duration
}

// prepare lets all workers prepare at once.
func prepare(workers []Worker, n int) error {
	errs := make([]error, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() { errs[i] = w.Prepare(n) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("preparing: %w", err)
		}
	}
	return nil
}

// measure runs one phase of all workers.
func (p Plan) measure(ctx context.Context, workers []Worker, before Result) Result {
	var stop atomic.Bool
	var count atomic.Int64
	if p.Count == 0 {
		timer := time.AfterFunc(p.Duration-before.Elapsed, func() { stop.Store(true) })
		defer timer.Stop()
	}
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()
	left := p.Count - before.Operations - before.Errors
	more := func(done int) bool {
		return !stop.Load() && (p.Phase == 0 || done < p.Phase) && (p.Count == 0 || count.Add(1) <= left)
	}
	results := make([]Result, len(workers))
	var mallocs runtime.MemStats
	runtime.ReadMemStats(&mallocs)
	at := mallocs.Mallocs
	start := time.Now()
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() { results[i] = work(w, more) })
	}
	wg.Wait()
	sum := Result{Latency: newHistogram()}
	for _, r := range results {
		sum.add(r)
	}
	sum.Elapsed = time.Since(start)
	runtime.ReadMemStats(&mallocs)
	sum.Mallocs = mallocs.Mallocs - at
	return sum
}

// work does operations of one worker while there is more to do.
func work(w Worker, more func(done int) bool) Result {
	r := Result{Latency: newHistogram()}
	for done := 0; more(done); done++ {
		start := time.Now()
		if err := w.Do(); err != nil {
			if r.Errors++; r.FirstError == nil {
				r.FirstError = err
			}
			continue
		}
		r.Operations++
		_ = r.Latency.RecordValue(max(1, time.Since(start).Microseconds()))
	}
	return r
}

func (r *Result) add(o Result) {
	r.Operations += o.Operations
	r.Errors += o.Errors
	if r.FirstError == nil {
		r.FirstError = o.FirstError
	}
	r.Elapsed += o.Elapsed
	r.Mallocs += o.Mallocs
	r.Latency.Merge(o.Latency)
}
