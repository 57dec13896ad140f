package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Pace is load at a rate that the server does not set: operations fall due one
// after the other, for the workers in turn, and one that is late keeps none from
// falling due. A latency counts from the moment when its operation was due, so
// that a server that stands still for a while is seen to.
type Pace struct {
	Workers   int
	PerSecond float64 // operations of all workers together
	Warming   time.Duration
	Duration  time.Duration // of what is measured, after warming
	Measuring func()        // called when warming is over, and ends before Run does; may be nil
}

// Run makes load at the pace, with a worker from open for each number.
func (p Pace) Run(ctx context.Context, open func(i int) (Worker, error)) (Result, error) {
	workers := make([]Worker, 0, p.Workers)
	defer func() {
		for _, w := range workers {
			_ = w.Close()
		}
	}()
	for i := range p.Workers {
		w, err := open(i)
		if err != nil {
			return Result{}, fmt.Errorf("opening connection %d: %w", i, err)
		}
		workers = append(workers, w)
	}
	if err := prepare(workers, 0); err != nil {
		return Result{}, err
	}
	every := time.Duration(float64(p.Workers) / p.PerSecond * float64(time.Second)) // of one worker
	start := time.Now()
	results := make([]Result, len(workers))
	var wg sync.WaitGroup
	if p.Measuring != nil {
		wg.Go(func() { p.measuring(ctx) })
	}
	for i, w := range workers {
		first := start.Add(every * time.Duration(i) / time.Duration(len(workers)))
		wg.Go(func() { results[i] = p.work(ctx, w, first, start.Add(p.Warming), every) })
	}
	wg.Wait()
	sum := Result{Latency: newHistogram()}
	for _, r := range results {
		sum.add(r)
	}
	sum.Elapsed = time.Since(start) - p.Warming
	return sum, ctx.Err()
}

// measuring tells that warming is over.
func (p Pace) measuring(ctx context.Context) {
	select {
	case <-time.After(p.Warming):
		p.Measuring()
	case <-ctx.Done():
	}
}

// work does one worker's operations as they fall due. Where in its turn each
// one does is drawn, so that workers don't march in step.
func (p Pace) work(ctx context.Context, w Worker, first, measured time.Time, every time.Duration) Result {
	r := Result{Latency: newHistogram()}
	end := measured.Add(p.Duration)
	for turn := first; turn.Before(end); turn = turn.Add(every) {
		due := turn.Add(time.Duration(rand.Int64N(int64(every))))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return r
		}
		err := w.Do()
		switch {
		case err != nil:
			if r.Errors++; r.FirstError == nil {
				r.FirstError = err
			}
		case due.After(measured):
			r.Operations++
			_ = r.Latency.RecordValue(max(1, time.Since(due).Microseconds()))
		}
	}
	return r
}
