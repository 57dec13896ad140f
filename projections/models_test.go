package projections_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
)

func same(t *testing.T, want, got map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
}

func TestModelsHoldTheLogAndWhatComes(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	put(t, f, "acme/execution-1", "execution.a.v1", 30)
	m, stop := running(t, f.Ledger, dir, newTally("all"), newTally("some", "policy."))
	wait(t, m, "all", put(t, f, "acme/policy-main", "policy.written.v1", 5))
	same(t, wanted(t, f.Ledger), rows(t, dir, "all"))
	last := put(t, f, "acme/execution-2", "execution.a.v1", 7)
	wait(t, m, "all", last)
	wait(t, m, "some", last) // a filter holds these back, and yet it got there
	until(t, "live", func() bool { return healthOf(m, "all").Condition == projections.Live })
	stop()
	same(t, wanted(t, f.Ledger), rows(t, dir, "all"))
	same(t, wanted(t, f.Ledger, "policy."), rows(t, dir, "some"))
}

func TestModelsGoOnFromTheirCheckpoint(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	last := put(t, f, "acme/execution-1", "execution.a.v1", 30)
	m, stop := running(t, f.Ledger, dir, newTally("all"))
	wait(t, m, "all", last)
	stop()
	put(t, f, "acme/execution-1", "execution.a.v1", 4)
	again := newTally("all")
	m, stop = running(t, f.Ledger, dir, again)
	wait(t, m, "all", put(t, f, "acme/execution-3", "execution.a.v1", 2))
	stop()
	same(t, wanted(t, f.Ledger), rows(t, dir, "all"))
	if n := again.applied.Load(); n != 6 {
		t.Errorf("applied %d records after a restart, want the 6 new ones", n)
	}
}

// What is no use as a model of this log is made again from the first record.
func TestModelsAreMadeAgain(t *testing.T) {
	overwrite := func(t *testing.T, dir string, at int64, text string) {
		file, err := os.OpenFile(filepath.Join(dir, "models", "all.db"), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt([]byte(text), at); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		change func(t *testing.T, dir string, f *ledgertest.Fixture, c *tally) *ledgertest.Fixture
	}{
		{"file removed", func(t *testing.T, dir string, f *ledgertest.Fixture, _ *tally) *ledgertest.Fixture {
			if err := os.Remove(filepath.Join(dir, "models", "all.db")); err != nil {
				t.Fatal(err)
			}
			return f
		}},
		{"file is none", func(t *testing.T, dir string, f *ledgertest.Fixture, _ *tally) *ledgertest.Fixture {
			overwrite(t, dir, 0, "this was never a database")
			return f
		}},
		{"pages damaged", func(t *testing.T, dir string, f *ledgertest.Fixture, _ *tally) *ledgertest.Fixture {
			overwrite(t, dir, 4096, strings.Repeat("\xff", 4096))
			return f
		}},
		{"another version", func(_ *testing.T, _ string, f *ledgertest.Fixture, c *tally) *ledgertest.Fixture {
			c.spec.Version++
			return f
		}},
		{"another log", func(t *testing.T, _ string, _ *ledgertest.Fixture, _ *tally) *ledgertest.Fixture {
			other := ledgertest.New(t)
			put(t, other, "other/execution-1", "execution.a.v1", 50)
			return other
		}},
		{"an empty log", func(t *testing.T, _ string, _ *ledgertest.Fixture, _ *tally) *ledgertest.Fixture {
			return ledgertest.New(t)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, dir := ledgertest.New(t), t.TempDir()
			last := put(t, f, "acme/execution-1", "execution.a.v1", 30)
			m, stop := running(t, f.Ledger, dir, newTally("all"))
			wait(t, m, "all", last)
			stop()
			again := newTally("all")
			f = tt.change(t, dir, f, again)
			m, stop = running(t, f.Ledger, dir, again)
			wait(t, m, "all", put(t, f, "acme/execution-9", "execution.a.v1", 3))
			stop()
			want := wanted(t, f.Ledger)
			same(t, want, rows(t, dir, "all"))
			if n := again.applied.Load(); n != int64(len(want)) {
				t.Errorf("applied %d records, want all %d", n, len(want))
			}
		})
	}
}

func TestPoisonStopsOneModelLoudly(t *testing.T) {
	bad := func(r *ledger.Record) error {
		if r.Stream == "acme/execution-2" && r.Revision == 1 {
			return errors.New("makes no sense")
		}
		return nil
	}
	panics := func(r *ledger.Record) error {
		if bad(r) != nil {
			panic("a bug")
		}
		return nil
	}
	forged := func(source iter.Seq2[ledger.Delivery, error]) iter.Seq2[ledger.Delivery, error] {
		return func(yield func(ledger.Delivery, error) bool) {
			for d, err := range source {
				if d.Record != nil && bad(d.Record) != nil {
					yield(ledger.Delivery{}, &ledger.BadRecord{Stream: d.Record.Stream, Revision: 1, Position: d.Position, Problem: "x"})
					return
				}
				if !yield(d, err) {
					return
				}
			}
		}
	}
	tests := []struct {
		name   string
		apply  func(*ledger.Record) error
		follow func(iter.Seq2[ledger.Delivery, error]) iter.Seq2[ledger.Delivery, error]
		others bool // go on
	}{
		{"can't be applied", bad, nil, true},
		{"can't be applied, in a run", bad, inRuns(100), true},
		{"panics", panics, nil, true},
		{"panics, in a run", panics, inRuns(100), true},
		{"fails its check", nil, forged, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, dir := ledgertest.New(t), t.TempDir()
			put(t, f, "acme/execution-1", "execution.a.v1", 3)
			put(t, f, "acme/execution-2", "execution.a.v1", 3)
			poisoned, sound := newTally("poisoned"), newTally("sound")
			poisoned.apply = tt.apply
			m, stop := running(t, &faulty{Ledger: f.Ledger, follow: tt.follow}, dir, poisoned, sound)
			until(t, "stopped", func() bool { return healthOf(m, "poisoned").Condition == projections.Stopped })
			last := put(t, f, "acme/execution-3", "execution.a.v1", 3)
			if h := healthOf(m, "poisoned"); h.OK() || !strings.Contains(h.Reason, "acme/execution-2@1") || strings.Contains(h.Reason, "a bug") {
				t.Errorf("health %+v does not name the record", h)
			}
			if err := m.WaitFor(context.Background(), "poisoned", last); !errors.Is(err, projections.ErrStopped) {
				t.Errorf("waiting for a stopped model: %v", err)
			}
			if err := m.Stale(context.Background(), 0, "poisoned"); !errors.Is(err, projections.ErrStale) {
				t.Errorf("a stopped model is %v, want stale", err)
			}
			if tt.others {
				wait(t, m, "sound", last)
			}
			stop()
			counted := rows(t, dir, "poisoned")
			if panicked := strings.Contains(tt.name, "panics"); !panicked && counted["acme/execution-2@0"] != 1 {
				t.Error("the record before the bad one was not kept")
			}
			for name := range counted {
				if name == "acme/execution-2@1" || name == "acme/execution-2@2" || strings.HasPrefix(name, "acme/execution-3") {
					t.Errorf("%s was counted", name)
				}
			}
		})
	}
}

func TestTransientErrorsAreTriedAgain(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	last := put(t, f, "acme/execution-1", "execution.a.v1", 5)
	c, failures, taken := newTally("all"), 0, []int64{}
	c.apply = func(r *ledger.Record) error {
		if r.Revision == 2 && failures < 9 { // more than the retries at once
			failures++
			return fmt.Errorf("not yet: %w", projections.ErrTransient)
		}
		if r.Stream == "acme/execution-1" {
			taken = append(taken, r.Revision)
		}
		return nil
	}
	m, stop := running(t, &faulty{Ledger: f.Ledger, follow: inRuns(100)}, dir, c)
	wait(t, m, "all", last)
	stop()
	same(t, wanted(t, f.Ledger), rows(t, dir, "all"))
	if diff := cmp.Diff([]int64{0, 1, 2, 3, 4}, taken); diff != "" || failures != 9 {
		t.Errorf("failed %d times, want 9; taken: %s", failures, diff)
	}
}

func TestFailedFlushStartsAgainFromTheCheckpoint(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	last := put(t, f, "acme/execution-1", "execution.a.v1", 5)
	c := newTally("all")
	var failures atomic.Int64
	c.flush = func() error {
		if failures.Add(1) <= 3 {
			return errInjected
		}
		return nil
	}
	m, stop := running(t, f.Ledger, dir, c)
	wait(t, m, "all", last)
	wait(t, m, "all", put(t, f, "acme/execution-2", "execution.a.v1", 5))
	stop()
	same(t, wanted(t, f.Ledger), rows(t, dir, "all"))
	if c.loads.Load() < 4 {
		t.Errorf("loaded %d times, want once more after each of 3 failures", c.loads.Load())
	}
}

// A model in memory answers on while its file can't be written.
func TestMemoryOutlivesItsFile(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	c := newTally("mind")
	c.spec.Memory = true
	broken := atomic.Bool{}
	broken.Store(true)
	c.flush = func() error {
		if broken.Load() {
			return errInjected
		}
		return nil
	}
	m, stop := running(t, f.Ledger, dir, c)
	wait(t, m, "mind", put(t, f, "acme/execution-1", "execution.a.v1", 5))
	until(t, "unsaved", func() bool { return healthOf(m, "mind").Condition == projections.Unsaved })
	wait(t, m, "mind", put(t, f, "acme/execution-1", "execution.a.v1", 5))
	if h := healthOf(m, "mind"); h.Saved != 0 || h.Reason == "" {
		t.Errorf("health %+v, want nothing saved and a reason", h)
	}
	broken.Store(false)
	until(t, "saved", func() bool { h := healthOf(m, "mind"); return h.Condition == projections.Live && h.Saved > 0 })
	stop()
}

func TestRecordsDeliveredTwiceCountOnce(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	put(t, f, "acme/execution-1", "execution.a.v1", 20)
	twice := func(source iter.Seq2[ledger.Delivery, error]) iter.Seq2[ledger.Delivery, error] {
		return func(yield func(ledger.Delivery, error) bool) {
			for d, err := range source {
				if !yield(d, err) || d.Record != nil && !yield(d, err) {
					return
				}
			}
		}
	}
	m, stop := running(t, &faulty{Ledger: f.Ledger, follow: twice}, dir, newTally("all"))
	wait(t, m, "all", put(t, f, "acme/execution-2", "execution.a.v1", 5))
	stop()
	same(t, wanted(t, f.Ledger), rows(t, dir, "all"))
}

// markless is a subscription that gives no marks after the first one.
func markless(source iter.Seq2[ledger.Delivery, error]) iter.Seq2[ledger.Delivery, error] {
	return func(yield func(ledger.Delivery, error) bool) {
		first := true
		for d, err := range source {
			if (d.Record != nil || err != nil || first) && !yield(d, err) {
				return
			}
			first = first && !d.CaughtUp
		}
	}
}

// A log whose subscriptions give no marks after the first one: a model whose
// filter lets nothing through is moved on all the same.
func TestFilteredModelsStayFreshWithoutMarks(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	put(t, f, "acme/execution-1", "execution.a.v1", 2)
	m, _ := running(t, &faulty{Ledger: f.Ledger, follow: markless}, dir, newTally("some", "policy."))
	for range 3 {
		wait(t, m, "some", put(t, f, "acme/execution-1", "execution.a.v1", 2))
	}
	wait(t, m, "some", put(t, f, "acme/policy-main", "policy.written.v1", 1))
	wait(t, m, "some", put(t, f, "acme/execution-1", "execution.a.v1", 2))
}

func TestFreshness(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	var broken, held atomic.Bool
	c := newTally("all")
	c.apply = func(*ledger.Record) error {
		if held.Load() {
			return projections.ErrTransient
		}
		return nil
	}
	source := &faulty{Ledger: f.Ledger, head: func() error {
		if broken.Load() {
			return eventlog.ErrUnavailable
		}
		return nil
	}}
	m, _ := running(t, source, dir, c)
	put(t, f, "acme/execution-1", "execution.a.v1", 2)
	ctx, limit := context.Background(), 500*time.Millisecond
	fresh := func() bool { return m.Stale(ctx, limit, "all") == nil }
	until(t, "fresh", fresh)
	broken.Store(true)
	until(t, "stale because the log does not answer", func() bool { return !fresh() })
	if err := m.Stale(ctx, limit, "all"); !errors.Is(err, projections.ErrStale) || !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("stale says %v", err)
	}
	broken.Store(false)
	until(t, "fresh again", fresh)
	held.Store(true)
	last := put(t, f, "acme/execution-1", "execution.a.v1", 1)
	until(t, "stale because a record is not applied", func() bool { return !fresh() })
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	if err := m.WaitFor(short, "all", last); !errors.Is(err, projections.ErrBehind) {
		t.Errorf("waiting for a held record: %v", err)
	}
	held.Store(false)
	until(t, "fresh at last", fresh)
	if err := m.Stale(ctx, limit, "all", "nobody"); !errors.Is(err, projections.ErrStale) {
		t.Errorf("an unknown model is %v, want stale", err)
	}
}

// A model that is held up while somebody looks whether it has anything to do
// does not make the others stale.
func TestOneModelAtWorkMakesNoOtherStale(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	busy, quick := newTally("busy", "execution."), newTally("quick", "policy.")
	var entered atomic.Bool
	release := make(chan struct{})
	busy.apply = func(*ledger.Record) error {
		entered.Store(true)
		<-release
		return nil
	}
	var looks atomic.Int64
	var once sync.Once
	source := &faulty{Ledger: f.Ledger, follow: markless, head: func() error { looks.Add(1); return nil }}
	source.read = func(q eventlog.Query) {
		if q.Limit == 1 && slices.Equal(q.TypePrefixes, busy.spec.Types) {
			once.Do(func() { // between the question and its answer a record comes, and is held up
				put(t, f, "acme/execution-1", "execution.a.v1", 1)
				until(t, "held up", entered.Load)
			})
		}
	}
	m, _ := running(t, source, dir, busy, quick)
	t.Cleanup(sync.OnceFunc(func() { close(release) }))
	until(t, "live", func() bool { return healthOf(m, "busy").Condition == projections.Live })
	put(t, f, "acme/policy-main", "policy.written.v1", 1)
	until(t, "held up", entered.Load)
	since := looks.Load()
	until(t, "the log is looked at again", func() bool { return looks.Load() > since+3 })
	until(t, "fresh", func() bool { return m.Stale(context.Background(), 500*time.Millisecond, "quick") == nil })
}

// Who waits for a model gives up at the deadline, however long its commit takes.
func TestWaitingEndsAtItsDeadline(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	c := newTally("all")
	c.spec.Delay = time.Minute // a record waits for others until somebody waits for it
	m, stop := running(t, f.Ledger, dir, c)
	until(t, "live", func() bool { return healthOf(m, "all").Condition == projections.Live })
	applied, release := c.applied.Load(), make(chan struct{})
	c.flush = func() error { <-release; return nil }
	last := put(t, f, "acme/execution-1", "execution.a.v1", 1)
	until(t, "applied", func() bool { return c.applied.Load() > applied })
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		ended <- m.WaitFor(ctx, "all", last)
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, projections.ErrBehind) {
			t.Errorf("got %v, want that the model is behind", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits beyond its deadline for a commit")
	}
	close(release)
	wait(t, m, "all", last)
	stop()
	same(t, wanted(t, f.Ledger), rows(t, dir, "all"))
}
