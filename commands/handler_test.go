package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// counter is an aggregate for tests: it adds up to a limit.
type counter struct {
	Sum int `json:"sum"`
}

type add struct{ n, limit int }

type added struct {
	N int `json:"n"`
}

func (added) EventType() string { return "test.added.v1" }

func (c counter) Decide(a add) ([]added, error) {
	switch {
	case a.n == 0:
		return nil, nil
	case c.Sum+a.n > a.limit:
		return nil, domain.Refuse(domain.Conflict, "full", "The counter stands at %d.", c.Sum)
	}
	return []added{{a.n}}, nil
}

func (c counter) Evolve(e added) counter { return counter{c.Sum + e.N} }

func decodeAdded(name string, data []byte) (added, error) {
	var e added
	if name != e.EventType() {
		return e, fmt.Errorf("unknown event %s", name)
	}
	return e, json.Unmarshal(data, &e)
}

type counters = Handler[counter, add, added]

func newCounters(f *ledgertest.Fixture, change func(*Options)) *counters {
	o := Options{Name: "counter", Streams: 64, Queue: 512, Now: time.Now}
	if change != nil {
		change(&o)
	}
	return NewHandler[counter, add](f.Ledger, f.Keys.Secret(), decodeAdded, o)
}

func call(id string) Call {
	return Call{Workspace: "acme", Actor: domain.AgentActor("ag_1"), ID: domain.CommandID(id), MAC: "mac"}
}

func adding(n, limit int) func(time.Time) add { return func(time.Time) add { return add{n, limit} } }

const stream = "acme/test-1"

func code(err error) string {
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

func TestRepeatsAnswerTheSame(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	h := newCounters(f, nil)
	first, err := h.Do(ctx, stream, call("a"), adding(3, 10))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Do(ctx, stream, call("b"), adding(4, 10)); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]*counters{"the same process": h, "after a restart": newCounters(f, nil)} {
		again, err := h.Do(ctx, stream, call("a"), adding(3, 10))
		if err != nil || !again.Replayed || again.Position != first.Position || len(again.Events) != 1 || again.Events[0].N != 3 {
			t.Errorf("%s: the repeat answered %+v, %v; the first %+v", name, again, err, first)
		}
		if again.State.Sum != 7 {
			t.Errorf("%s: the state is %d, want 7", name, again.State.Sum)
		}
		other := call("a")
		other.MAC = "another body"
		if _, err := h.Do(ctx, stream, other, adding(5, 10)); code(err) != "idempotency_key_reused" {
			t.Errorf("%s: another body under the same key: %v", name, err)
		}
	}
}

// Two processes take the same command at the same time: one records it, and the
// other answers with what was recorded, not with what it would have been.
func TestTwinsInTwoProcesses(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	for i := range 20 {
		stream := fmt.Sprintf("acme/test-%d", i)
		results := make([]Result[counter, added], 2)
		var wg sync.WaitGroup
		for p := range results {
			h := newCounters(f, shared)
			wg.Go(func() {
				var err error
				if results[p], err = h.Do(ctx, stream, call("a"), adding(p+1, 10)); err != nil {
					t.Error(err)
				}
				if _, err := h.Do(ctx, stream, call(fmt.Sprint("next", p)), adding(1, 10)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if results[0].Events[0] != results[1].Events[0] || results[0].Replayed == results[1].Replayed {
			t.Fatalf("one answered %+v, the other %+v", results[0], results[1])
		}
		if records, err := ledger.Verify(ctx, f.Log, f.Keys.Verifier(), "", nil); err != nil || len(records.Bad) > 0 {
			t.Fatalf("the chain broke: %v, %v", records.Bad, err)
		}
	}
}

// A stream that is taken for empty is found not to be by its first command,
// whether that is refused, repeats, or would write.
func TestYoungStreams(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	if _, err := newCounters(f, nil).Do(ctx, stream, call("a"), adding(3, 5)); err != nil {
		t.Fatal(err)
	}
	young := func() *counters { return newCounters(f, func(o *Options) { o.Young = true }) }
	if r, err := young().Do(ctx, stream, call("a"), adding(3, 5)); err != nil || !r.Replayed || r.State.Sum != 3 {
		t.Errorf("a repeat: %+v, %v", r, err)
	}
	if _, err := young().Do(ctx, stream, call("b"), adding(4, 5)); code(err) != "full" {
		t.Errorf("a command that only an empty stream allows: %v", err)
	}
	if r, err := young().Do(ctx, stream, call("c"), adding(-6, 5)); err != nil || r.State.Sum != -3 {
		t.Errorf("a command that every state allows: %+v, %v", r, err)
	}
	if r, err := young().Do(ctx, stream, call("d"), adding(0, 5)); err != nil || r.State.Sum != -3 {
		t.Errorf("a command with nothing to do: %+v, %v", r, err)
	}
	if state, exists, err := young().Load(ctx, stream); err != nil || !exists || state.Sum != -3 {
		t.Errorf("a read: %+v, %v, %v", state, exists, err)
	}
}

func TestRefusalsAreDecidedAgain(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	h := newCounters(f, nil)
	if _, err := h.Do(ctx, stream, call("a"), adding(3, 2)); code(err) != "full" {
		t.Fatalf("got %v, want full", err)
	}
	if r, err := h.Do(ctx, stream, call("a"), adding(3, 5)); err != nil || r.Replayed || r.State.Sum != 3 {
		t.Errorf("the same call after the limit was raised: %+v, %v", r, err)
	}
}

func TestNothingToDoWritesNothing(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	h := newCounters(f, nil)
	if r, err := h.Do(ctx, stream, call("a"), adding(0, 5)); err != nil || len(r.Events) != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, exists, err := h.Load(ctx, stream); exists || err != nil {
		t.Errorf("the stream exists: %v, %v", exists, err)
	}
}

// Concurrent commands, from several handlers as several processes would, never
// add beyond the limit, and each lands once.
func TestConcurrentCommands(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	handlers := []*counters{newCounters(f, shared), newCounters(f, shared), newCounters(f, shared)}
	const callers, limit = 90, 60
	var granted atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			h := handlers[i%len(handlers)]
			for {
				_, err := h.Do(ctx, stream, call(fmt.Sprint(i)), adding(1, limit))
				if errors.Is(err, ErrBusy) {
					continue
				}
				if err == nil {
					granted.Add(1)
				} else if code(err) != "full" {
					t.Error(err)
				}
				return
			}
		})
	}
	wg.Wait()
	state, _, err := handlers[0].Load(ctx, stream)
	if err != nil || state.Sum != limit || granted.Load() != limit {
		t.Errorf("the counter stands at %d with %d granted (%v), want %d", state.Sum, granted.Load(), err, limit)
	}
}

func shared(o *Options) { o.Shared = true }

// A refusal is never given on a state that another process has moved on.
func TestSharedRefusalsLookAgain(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	one, two := newCounters(f, shared), newCounters(f, shared)
	if _, err := one.Do(ctx, stream, call("a"), adding(5, 5)); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Do(ctx, stream, call("b"), adding(-5, 5)); err != nil {
		t.Fatal(err)
	}
	if r, err := one.Do(ctx, stream, call("c"), adding(5, 5)); err != nil || r.State.Sum != 5 {
		t.Errorf("refused on an old state: %+v, %v", r, err)
	}
	if state, _, err := two.Load(ctx, stream); err != nil || state.Sum != 5 {
		t.Errorf("an old state was read: %+v, %v", state, err)
	}
}

// The same call at the same time, twice, is done once.
func TestTwinsAreOne(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	h := newCounters(f, nil)
	var fresh atomic.Int64
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			r, err := h.Do(ctx, stream, call("a"), adding(1, 100))
			if err != nil {
				t.Error(err)
			} else if !r.Replayed {
				fresh.Add(1)
			}
		})
	}
	wg.Wait()
	if state, _, _ := h.Load(ctx, stream); state.Sum != 1 || fresh.Load() != 1 {
		t.Errorf("the counter stands at %d after %d fresh answers, want 1 and 1", state.Sum, fresh.Load())
	}
}

// Every append fails once, in each way: what was acknowledged is there once,
// and a caller who asks again under the same id gets an answer.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]eventlogtest.Fault{"before": eventlogtest.Before, "lost": eventlogtest.Lost, "after": eventlogtest.After} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			faulty := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, s string) eventlogtest.Fault {
				if s == stream && calls.Add(1)%2 == 1 {
					return fault
				}
				return eventlogtest.None
			})
			f, ctx := ledgertest.On(t, faulty, ledgertest.Keys(t)), context.Background()
			h := newCounters(f, nil)
			for i := range 10 {
				_, err := h.Do(ctx, stream, call(fmt.Sprint(i)), adding(1, 100))
				for errors.Is(err, ErrUnavailable) {
					_, err = h.Do(ctx, stream, call(fmt.Sprint(i)), adding(1, 100))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if state, _, err := newCounters(f, nil).Load(ctx, stream); err != nil || state.Sum != 10 {
				t.Errorf("the log adds up to %d (%v), want 10", state.Sum, err)
			}
		})
	}
}

func TestQueueIsBounded(t *testing.T) {
	hold := make(chan struct{})
	faulty := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, s string) eventlogtest.Fault {
		if s == stream {
			<-hold
		}
		return eventlogtest.None
	})
	f, ctx := ledgertest.On(t, faulty, ledgertest.Keys(t)), context.Background()
	h := newCounters(f, func(o *Options) { o.Queue = 4 })
	var busy atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := h.Do(ctx, stream, call("first"), adding(1, 100)); err != nil {
			t.Error(err)
		}
	})
	for faulty.Calls() < 2 { // the data key's append, then the first command's
		time.Sleep(time.Millisecond)
	}
	for i := range 19 {
		wg.Go(func() {
			_, err := h.Do(ctx, stream, call(fmt.Sprint(i)), adding(1, 100))
			if errors.Is(err, ErrBusy) {
				if busy.Add(1) == 15 { // one works, four wait
					close(hold)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if state, _, _ := h.Load(ctx, stream); busy.Load() != 15 || state.Sum != 5 {
		t.Errorf("%d were turned away and %d counted, want 15 and 5", busy.Load(), state.Sum)
	}
}

// A caller that gives up gets an honest answer; its command still happens once.
func TestCallerGivesUp(t *testing.T) {
	hold := make(chan struct{})
	faulty := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, s string) eventlogtest.Fault {
		if s == stream {
			<-hold
		}
		return eventlogtest.None
	})
	f := ledgertest.On(t, faulty, ledgertest.Keys(t))
	h := newCounters(f, nil)
	done := make(chan error)
	go func() {
		_, err := h.Do(context.Background(), stream, call("a"), adding(1, 100))
		done <- err
	}()
	for faulty.Calls() < 2 { // the data key's append, then the first command's
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.Do(ctx, stream, call("b"), adding(1, 100)); !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("a caller who gave up got %v, want ErrOutcomeUnknown", err)
	}
	close(hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r, err := h.Do(context.Background(), stream, call("b"), adding(1, 100)); err != nil || r.State.Sum != 2 {
		t.Errorf("asking again: %+v, %v", r, err)
	}
}

// A stream with a record that this ledger did not write is refused, and its
// state does not move.
func TestForgedRecordStopsTheStream(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	h := newCounters(f, nil)
	if _, err := h.Do(ctx, stream, call("a"), adding(1, 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Log.Append(ctx, stream, 0, []eventlog.Event{{ID: [16]byte{9}, Type: "test.added.v1", Data: []byte("x"), Meta: []byte(`{"jws":"a.b.c"}`)}}); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]*counters{"running": h, "restarted": newCounters(f, nil)} {
		if _, err := h.Do(ctx, stream, call("b"), adding(1, 100)); !errors.Is(err, ErrIntegrity) {
			t.Errorf("%s: got %v, want ErrIntegrity", name, err)
		}
	}
}

func TestLongLivedStreamsForget(t *testing.T) {
	var s seen
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 1000 {
		s.add(domain.CommandID(fmt.Sprint(i)), "m", int64(i), begin.Add(time.Duration(i)*time.Minute))
		s.forget(begin.Add(time.Duration(i) * time.Minute))
	}
	for i := range 1000 {
		e, ok := s.find(domain.CommandID(fmt.Sprint(i)))
		if want := i >= 1000-61; ok != want || ok && e.First != int64(i) {
			t.Fatalf("command %d: found %v at %d", i, ok, e.First)
		}
	}
}

// A key that is used again after it was forgotten is remembered as what it was
// used for last.
func TestForgettingKeepsTheNewerUse(t *testing.T) {
	var s seen
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 40 {
		s.add(domain.CommandID(fmt.Sprint(i)), "old", int64(i), begin)
	}
	s.add("7", "new", 40, begin.Add(2*time.Hour))
	s.forget(begin.Add(2 * time.Hour))
	if e, ok := s.find("7"); !ok || e.MAC != "new" {
		t.Errorf("found %+v, %v", e, ok)
	}
}

// Reading a long stream that takes longer than a round goes on where it was.
func TestSlowLoadsGoOn(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	h := newCounters(f, nil)
	for i := range 30 {
		if _, err := h.Do(ctx, stream, call(fmt.Sprint(i)), adding(1, 100)); err != nil {
			t.Fatal(err)
		}
	}
	slow := newCounters(f, nil)
	slow.log = &slowly{Log: f.Ledger, most: 8}
	tries := 1
	for ; ; tries++ {
		state, _, err := slow.Load(ctx, stream)
		if err == nil {
			if state.Sum != 30 {
				t.Errorf("the sum is %d, want 30", state.Sum)
			}
			break
		}
		if !errors.Is(err, ErrUnavailable) || tries > 10 {
			t.Fatalf("try %d: %v", tries, err)
		}
	}
	if tries != 4 {
		t.Errorf("it took %d tries, want 4 of 8 records each", tries)
	}
}

// slowly runs out of time after so many records.
type slowly struct {
	Log
	most int
}

func (s *slowly) ReadStream(ctx context.Context, stream string, tail ledger.Tail) iter.Seq2[ledger.Record, error] {
	return func(yield func(ledger.Record, error) bool) {
		n := 0
		for r, err := range s.Log.ReadStream(ctx, stream, tail) {
			if n++; n > s.most {
				yield(ledger.Record{}, context.DeadlineExceeded)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestSnapshotsSaveFolding(t *testing.T) {
	f, ctx := ledgertest.New(t), context.Background()
	cache, err := ledger.NewSnapshots(t.TempDir(), f.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	withCache := func(o *Options) { o.Cache = cache }
	h := newCounters(f, withCache)
	for i := range snapshotFrom + 1 {
		if _, err := h.Do(ctx, stream, call(fmt.Sprint(i)), adding(1, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	for _, _, ok := cache.Load(ctx, stream, h.schema()); !ok; _, _, ok = cache.Load(ctx, stream, h.schema()) {
		time.Sleep(time.Millisecond) // it is written beside the work
	}
	if _, err := h.Do(ctx, stream, call("after"), adding(1, 1<<20)); err != nil {
		t.Fatal(err)
	}
	fresh := newCounters(f, withCache)
	if state, _, err := fresh.Load(ctx, stream); err != nil || state.Sum != snapshotFrom+2 {
		t.Errorf("from the snapshot the counter stands at %d (%v), want %d", state.Sum, err, snapshotFrom+2)
	}
	if r, err := fresh.Do(ctx, stream, call("7"), adding(1, 1<<20)); err != nil || !r.Replayed {
		t.Errorf("a command from before the snapshot was not recognised: %+v, %v", r, err)
	}
}
