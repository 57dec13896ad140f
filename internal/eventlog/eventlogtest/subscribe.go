package eventlogtest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/clawoffice/ledger/internal/eventlog"
)

func subscribeChecks() []check {
	return []check{
		{"a subscription yields what is there, catches up, then what is new", subscribeThenLive},
		{"under concurrent writers each record comes once, in order", subscribeUnderLoad},
		{"a slow subscriber holds up nobody and misses nothing", subscribeSlow},
		{"filters apply to old and new", subscribeFiltered},
		{"marks move on while filters hold everything back", subscribeMarks},
		{"a subscription after a position begins behind it", subscribeAfter},
		{"a cancelled subscription ends with the context's error", subscribeCancelled},
		{"a subscriber may stop early, and append while it listens", subscribeAndAppend},
		{"a subscription takes no stream, limit or direction", subscribeInvalid},
	}
}

// listen collects records until enough have come. It checks on the way what
// holds for every subscription: positions grow, marks never run ahead.
func (e *env) listen(q eventlog.Query, enough int, each func(n int)) (got []eventlog.Recorded) {
	e.Helper()
	at := q.After
	for d, err := range e.log.Subscribe(e.ctx, q) {
		if err != nil {
			e.Fatalf("subscription ended after %d of %d records: %v", len(got), enough, err)
		}
		if d.Record == nil {
			at = max(at, d.Position)
			continue
		}
		if d.Position != d.Record.Position || d.Position <= at {
			e.Fatalf("record at %d delivered as %d, after %d", d.Record.Position, d.Position, at)
		}
		at = d.Position
		got = append(got, *d.Record)
		if each != nil {
			each(len(got))
		}
		if len(got) >= enough {
			break
		}
	}
	return got
}

func subscribeThenLive(e *env) {
	s, old, fresh := e.stream("order-1"), events("a.v1", 5), events("b.v1", 3)
	e.append(s, eventlog.NoStream, old...)
	var got []eventlog.Recorded
	caughtUp := false
	for d, err := range e.log.Subscribe(e.ctx, e.mine()) {
		switch {
		case err != nil:
			e.Fatalf("subscription ended after %d records: %v", len(got), err)
		case d.Record != nil:
			got = append(got, *d.Record)
		case d.CaughtUp && !caughtUp:
			caughtUp = true
			if len(got) != len(old) {
				e.Errorf("caught up after %d records, want %d", len(got), len(old))
			}
			e.append(s, 4, fresh...)
		}
		if len(got) == len(old)+len(fresh) {
			break
		}
	}
	e.wantRecords(got, s, 0, append(append([]eventlog.Event{}, old...), fresh...))
}

// subscribeUnderLoad begins one subscription before, some during the writing,
// so that catching up and going live meet fresh commits at every point.
func subscribeUnderLoad(e *env) {
	const writers, each, listeners = 16, 60, 5
	var writing, listening sync.WaitGroup
	got := make([][]eventlog.Recorded, listeners)
	begin := make(chan int, listeners)
	for l := range listeners {
		listening.Go(func() {
			<-begin
			got[l] = e.listen(e.mine(), writers*each, nil)
		})
	}
	begin <- 0
	for w := range writers {
		writing.Go(func() {
			s := e.stream(fmt.Sprint("load-", w))
			for i := range int64(each) {
				if _, err := e.log.Append(e.ctx, s, i-1, events("load.v1", 1)); err != nil {
					e.Errorf("writer %d: %v", w, err)
					return
				}
				if w == 0 && i%(each/listeners) == 1 {
					select {
					case begin <- 1:
					default:
					}
				}
			}
		})
	}
	writing.Wait()
	close(begin)
	listening.Wait()
	want := e.read(e.mine())
	if len(want) != writers*each {
		e.Fatalf("the log has %d records of this test, want %d", len(want), writers*each)
	}
	for l := range listeners {
		e.same(got[l], want, fmt.Sprintf("subscription %d against a read", l))
	}
}

func subscribeSlow(e *env) {
	const batches, each = 40, 50
	s := e.stream("slow-1")
	tip := e.append(s, eventlog.NoStream, events("a.v1", 1)...).Revision
	got := e.listen(e.mine(), 1+batches*each, func(n int) {
		if n == 1 { // the subscriber now stands still until all is written
			for range batches {
				tip = e.append(s, tip, events("a.v1", each)...).Revision
			}
		}
	})
	for i, r := range got {
		if r.Revision != int64(i) {
			e.Fatalf("delivery %d is revision %d", i, r.Revision)
		}
	}
}

func subscribeFiltered(e *env) {
	old := e.fill(2)
	q := e.mine()
	q.StreamPrefixes, q.TypePrefixes = []string{e.stream("red-")}, []string{"paint.dried", "paint.mixed"}
	got := e.listen(q, 8, func(n int) {
		if n == 4 {
			e.append(e.stream("green-9"), eventlog.NoStream, event("paint.dried.v2", "no"))
			e.append(e.stream("red-8"), eventlog.NoStream, event("note.v1", "no"), event("paint.dried.v2", "yes"))
			e.append(e.stream("red-9"), eventlog.NoStream, event("paint.mixed.v1", "yes"), event("paint.mixed.v2", "yes"), event("paint.dried.v2", "yes"))
		}
	})
	e.same(got, e.read(q), "a subscription against a read with the same filters")
	e.same(got[:4], []eventlog.Recorded{old[0], old[1], old[6], old[7]}, "what was there")
}

// subscribeMarks waits for a mark past a record that the filter held back, and
// writes more until it comes: engines may give word only now and then.
func subscribeMarks(e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	q := e.mine()
	q.TypePrefixes = []string{"wanted." + e.space}
	first := e.append(e.stream("noise-0"), eventlog.NoStream, events("noise.v1", 1)...)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() {
		for i := 1; ctx.Err() == nil; i++ {
			s := e.stream(fmt.Sprint("noise-", i))
			if _, err := e.log.Append(ctx, s, eventlog.NoStream, events("noise.v1", 20)); err != nil && ctx.Err() == nil {
				e.Errorf("writing noise: %v", err)
				return
			}
		}
	})
	caughtUp, at := false, q.After
	for d, err := range e.log.Subscribe(ctx, q) {
		if err != nil {
			e.Fatalf("subscription ended (caught up %v, at %d of %d): %v", caughtUp, at, first.Position, err)
		}
		if d.Record != nil {
			e.Fatalf("the filter let %s %s through", d.Record.Stream, d.Record.Type)
		}
		if d.Position < at {
			e.Fatalf("a mark at %d follows one at %d", d.Position, at)
		}
		at, caughtUp = d.Position, caughtUp || d.CaughtUp
		if caughtUp && at >= first.Position {
			return
		}
	}
}

func subscribeAfter(e *env) {
	all := e.fill(2)
	q := e.mine()
	q.After = all[4].Position
	e.same(e.listen(q, len(all)-5, nil), all[5:], "records behind the position")
	q.After = all[len(all)-1].Position
	fresh := events("late.v1", 1)
	e.append(e.stream("late-1"), eventlog.NoStream, fresh...)
	e.wantRecords(e.listen(q, 1, nil), e.stream("late-1"), 0, fresh)
}

func subscribeCancelled(e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	e.append(e.stream("order-1"), eventlog.NoStream, events("a.v1", 1)...)
	var last error
	for d, err := range e.log.Subscribe(ctx, e.mine()) {
		last = err
		if d.CaughtUp {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		e.Errorf("a cancelled subscription ended with %v", last)
	}
}

func subscribeAndAppend(e *env) {
	s := e.stream("chain-1")
	e.append(s, eventlog.NoStream, events("a.v1", 1)...)
	got := e.listen(e.mine(), 10, func(n int) { e.append(s, int64(n)-1, events("a.v1", 1)...) })
	if len(got) != 10 || got[9].Revision != 9 {
		e.Errorf("got %d records", len(got))
	}
}

func subscribeInvalid(e *env) {
	for name, q := range map[string]eventlog.Query{
		"stream":    {Stream: e.stream("a-1")},
		"limit":     {Limit: 3},
		"backwards": {Backwards: true},
	} {
		var last error
		for _, err := range e.log.Subscribe(e.ctx, q) {
			if last = err; err == nil {
				break
			}
		}
		e.wantError(last, eventlog.ErrInvalid, "Subscribe with "+name)
	}
}
