package http

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
)

func mustEnter(t *testing.T, turns *turns, ws domain.WorkspaceID) func() {
	t.Helper()
	leave, err := turns.enter(context.Background(), ws, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

// enters starts waiting for a place and answers a channel that yields how to
// leave it.
func enters(turns *turns, ws domain.WorkspaceID) chan func() {
	got := make(chan func(), 1)
	go func() {
		leave, _ := turns.enter(context.Background(), ws, time.Now())
		got <- leave
	}()
	return got
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

func (t *turns) waitingOf(ws domain.WorkspaceID) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.lines[ws]; l != nil {
		return len(l.queue)
	}
	return 0
}

func TestAloneTakesHalfOfThePlaces(t *testing.T) {
	turns := newTurns(50, 10)
	for range 25 {
		mustEnter(t, turns, "flood")
	}
	enters(turns, "flood")
	waitFor(t, "the request beyond to wait", func() bool { return turns.waitingOf("flood") == 1 })
	mustEnter(t, turns, "quiet")
}

// A workspace that floods gets its share while another is active, and the other
// never waits behind more than one turn.
func TestFloodKeepsItsShare(t *testing.T) {
	turns := newTurns(100, 1000)
	quiet := mustEnter(t, turns, "quiet")
	var in atomic.Int64
	for range 200 {
		go func() {
			if _, err := turns.enter(context.Background(), "flood", time.Now()); err == nil {
				in.Add(1)
			}
		}()
	}
	waitFor(t, "the flood to be in or waiting", func() bool { return int(in.Load())+turns.waitingOf("flood") == 200 })
	if int(in.Load()) != turns.share {
		t.Errorf("the flood holds %d places, want its share of %d", in.Load(), turns.share)
	}
	quiet()
	mustEnter(t, turns, "quiet")()
}

func TestPlacesGoByTurns(t *testing.T) {
	turns := newTurns(1, 100)
	leave := mustEnter(t, turns, "a")
	first := []chan func(){enters(turns, "a")}
	waitFor(t, "a", func() bool { return turns.waitingOf("a") == 1 })
	first = append(first, enters(turns, "a"))
	waitFor(t, "a again", func() bool { return turns.waitingOf("a") == 2 })
	other := enters(turns, "b")
	waitFor(t, "b", func() bool { return turns.waitingOf("b") == 1 })
	leave()
	leave = <-first[0]
	leave()
	leave = <-other // b came last and goes second
	leave()
	(<-first[1])()
}

func TestQueueHasAnEnd(t *testing.T) {
	turns := newTurns(1, 1)
	mustEnter(t, turns, "a")
	enters(turns, "a")
	waitFor(t, "the queue", func() bool { return turns.waitingOf("a") == 1 })
	if _, err := turns.enter(context.Background(), "a", time.Now()); !errors.Is(err, errRateLimited) {
		t.Errorf("beyond the queue: %v", err)
	}
}

// Whatever mixture of waiting, leaving and giving up: no place is lost and none
// is made.
func TestPlacesAreNeitherLostNorMade(t *testing.T) {
	turns := newTurns(5, 1000)
	var working, most atomic.Int64
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%7)*time.Millisecond)
			defer cancel()
			leave, err := turns.enter(ctx, domain.WorkspaceID(fmt.Sprint("w", i%9)), time.Now())
			if err != nil {
				return
			}
			most.Store(max(most.Load(), working.Add(1)))
			time.Sleep(time.Millisecond)
			working.Add(-1)
			leave()
		})
	}
	wg.Wait()
	if turns.taken != 0 || len(turns.waiting) != 0 || most.Load() > 5 {
		t.Errorf("%d places are still taken, %d lines wait, at most %d worked", turns.taken, len(turns.waiting), most.Load())
	}
}
