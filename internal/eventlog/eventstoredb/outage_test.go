package eventstoredb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
	"github.com/clawoffice/ledger/internal/eventlog/eventstoredb"
)

// TestOutage takes the server away under 32 appenders and a subscriber. What
// was acknowledged must be there once and in order, and no call may hang.
func TestOutage(t *testing.T) {
	rows := []struct {
		name string
		down time.Duration
		soak bool
	}{
		{"300 ms", 300 * time.Millisecond, false},
		{"5 s", 5 * time.Second, false},
		{"20 s", 20 * time.Second, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if row.soak && os.Getenv("CLAWLEDGER_SOAK") == "" {
				t.Skip("set CLAWLEDGER_SOAK=1 for the long outage")
			}
			t.Parallel()
			outage(t, row.down)
		})
	}
}

const (
	appenders = 32
	// each is how many events an appender gets acknowledged before the server
	// goes, and again after it came back.
	each = 15
)

func outage(t *testing.T, down time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	store := openSQLite(t)
	srv := serve(t, store, esdbface.Options{})
	log := open(t, srv.url())

	var before, after, done sync.WaitGroup
	var seen atomic.Int64
	before.Add(appenders)
	back := make(chan struct{}) // closed when the server is back
	for a := range appenders {
		done.Go(func() {
			w := &appender{t: t, log: log, stream: fmt.Sprint("load-", a)}
			w.append(ctx, func(n int) bool { return n == each })
			before.Done()
			goal := 0
			w.append(ctx, func(n int) bool { // all through the outage and for a while after
				select {
				case <-back:
					goal++
				default:
				}
				return goal > each
			})
		})
	}
	listening, stopListening := context.WithCancel(ctx)
	var delivered []eventlog.Recorded
	after.Go(func() { delivered = listen(listening, t, log, &seen) })

	before.Wait()
	srv.stop()
	time.Sleep(down)
	srv.start()
	close(back)
	done.Wait()

	stored := readAll(t, store, eventlog.Query{})
	for seen.Load() < int64(len(stored)) && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	stopListening()
	after.Wait()
	if diff := cmp.Diff(stored, delivered, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the subscription (%d) differs from what is stored (%d):\n%.2000s", len(delivered), len(stored), diff)
	}
	checkStreams(t, stored)
}

// appender writes numbered events to a stream of its own.
type appender struct {
	t      *testing.T
	log    eventlog.Log
	stream string
	next   int64
}

func (w *appender) append(ctx context.Context, enough func(n int) bool) {
	for n := 0; !enough(n) && ctx.Err() == nil; n++ {
		got, err := persist(ctx, w.log, w.stream, w.next-1, event("load.v1", fmt.Sprint(w.next)))
		if err != nil || got.Revision != w.next {
			w.t.Errorf("%s@%d: answered %+v, %v", w.stream, w.next, got, err)
			return
		}
		w.next++
	}
}

func listen(ctx context.Context, t *testing.T, log eventlog.Log, seen *atomic.Int64) (out []eventlog.Recorded) {
	for d, err := range log.Subscribe(ctx, eventlog.Query{StreamPrefixes: []string{"load-"}}) {
		switch {
		case err != nil:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("subscription: %v", err)
			}
			return out
		case d.Record != nil:
			out = append(out, *d.Record)
			seen.Add(1)
		}
	}
	return out
}

// checkStreams expects every stream to hold the numbers from 0, each once.
func checkStreams(t *testing.T, stored []eventlog.Recorded) {
	next := map[string]int64{}
	for _, r := range stored {
		if r.Revision != next[r.Stream] || string(r.Data) != fmt.Sprint(r.Revision) {
			t.Errorf("%s@%d holds %q where %d was due", r.Stream, r.Revision, r.Data, next[r.Stream])
		}
		next[r.Stream]++
	}
	if len(next) != appenders {
		t.Errorf("%d streams were written, want %d", len(next), appenders)
	}
}

// TestNobodyHangs calls everything while there is no server: each call must
// come back when its context ends, saying that nothing was stored.
func TestNobodyHangs(t *testing.T) {
	t.Parallel()
	srv := serve(t, openSQLite(t), esdbface.Options{})
	log := open(t, srv.url())
	if _, err := persist(t.Context(), log, "a-1", eventlog.NoStream, event("a.v1", "0")); err != nil {
		t.Fatal(err)
	}
	srv.stop()
	var calls sync.WaitGroup
	for i := range 3 * 90 { // more than one client carries
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
			defer cancel()
			_, err := log.Append(ctx, fmt.Sprint("b-", i), eventlog.NoStream, []eventlog.Event{event("b.v1", "x")})
			if !errors.Is(err, eventlog.ErrUnavailable) && !errors.Is(err, eventlog.ErrUnknownOutcome) {
				t.Errorf("append without a server: %v", err)
			}
			for _, err := range log.Read(ctx, eventlog.Query{Stream: "a-1"}) {
				if !errors.Is(err, eventlog.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("read without a server: %v", err)
				}
			}
		})
	}
	calls.Wait()
	// The client knows by now that it has no server, so this is never sent.
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := log.Append(ctx, "c-1", eventlog.NoStream, []eventlog.Event{event("c.v1", "x")})
	if !errors.Is(err, eventlog.ErrUnavailable) || errors.Is(err, eventlog.ErrUnknownOutcome) {
		t.Errorf("append that was never sent: %v", err)
	}
	opening, cancelOpening := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancelOpening()
	if _, err := eventstoredb.Open(opening, srv.url(), eventstoredb.Options{}); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("opening without a server: %v", err)
	}
	srv.start()
	if got, err := persist(t.Context(), log, "a-1", 0, event("a.v1", "1")); err != nil || got.Revision != 1 {
		t.Errorf("after the server came back: %+v, %v", got, err)
	}
}

// cutting is a log that loses its client right after storing.
type cutting struct {
	eventlog.Log
	armed atomic.Bool
	cut   func()
}

func (c *cutting) Append(ctx context.Context, stream string, expected int64, events []eventlog.Event) (eventlog.Appended, error) {
	got, err := c.Log.Append(ctx, stream, expected, events)
	if err == nil && c.armed.CompareAndSwap(true, false) {
		c.cut()
		<-ctx.Done() // the answer never leaves
	}
	return got, err
}

// TestUnknownOutcome drops the connection between storing and answering: the
// append is unknown, and the same append again learns what became of it.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	store := &cutting{Log: openSQLite(t)}
	srv := serve(t, store, esdbface.Options{})
	store.cut = srv.conns.cut
	log := open(t, srv.url())
	ev := event("a.v1", "once")
	store.armed.Store(true)
	if _, err := log.Append(t.Context(), "a-1", eventlog.NoStream, []eventlog.Event{ev}); !errors.Is(err, eventlog.ErrUnknownOutcome) {
		t.Fatalf("append whose answer was lost: %v", err)
	}
	if got, err := persist(t.Context(), log, "b-1", eventlog.NoStream, event("b.v1", "between")); err != nil || got.Revision != 0 {
		t.Fatalf("append between: %+v, %v", got, err)
	}
	got, err := log.Append(t.Context(), "a-1", eventlog.NoStream, []eventlog.Event{ev})
	if err != nil {
		t.Fatalf("the same append again: %v", err)
	}
	stored := readAll(t, store, eventlog.Query{Stream: "a-1"})
	if len(stored) != 1 || stored[0].Position != got.Position || got.Revision != 0 {
		t.Errorf("answered %+v, stored %+v", got, stored)
	}
}
