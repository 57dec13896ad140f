package eventstoredb

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// newTestLane is a lane whose clients never meet a server: nothing here calls
// them. fail is asked for an error before each connection.
func newTestLane(t *testing.T, limit int, fail func(attempt int64) error) (*lane, *atomic.Int64) {
	t.Helper()
	closing, cancel := context.WithCancel(t.Context())
	attempts := new(atomic.Int64)
	n := &lane{name: "test", limit: limit, closing: closing, logger: slog.New(slog.DiscardHandler), patience: firstPatience, jobs: make(chan func())}
	n.connect = func(context.Context) (*esdb.Client, error) {
		if err := fail(attempts.Add(1)); err != nil {
			return nil, err
		}
		return esdb.NewClient(&esdb.Configuration{Address: "127.0.0.1:1", DisableTLS: true, Logger: esdb.NoopLogging()})
	}
	t.Cleanup(func() { cancel(); n.shut() })
	return n, attempts
}

func never(int64) error { return nil }

func TestLaneConnectsOnceForAll(t *testing.T) {
	n, attempts := newTestLane(t, 50, func(attempt int64) error {
		if attempt < 3 {
			return errors.New("scripted")
		}
		return nil
	})
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			if _, err := call(t.Context(), n, func(context.Context, *esdb.Client) (int, error) { return 1, nil }); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if got := attempts.Load(); got != 3 {
		t.Errorf("%d attempts to connect, want 3", got)
	}
}

func TestLaneSaysWhyThereIsNoClient(t *testing.T) {
	scripted := errors.New("scripted")
	n, _ := newTestLane(t, 1, func(int64) error { return scripted })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := call(ctx, n, func(context.Context, *esdb.Client) (int, error) { return 0, nil })
	if !errors.Is(err, errNotBegun) || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, scripted) {
		t.Errorf("call without a server: %v", err)
	}
}

func TestLaneLimitsCalls(t *testing.T) {
	const limit = 3
	n, _ := newTestLane(t, limit, never)
	var running, most atomic.Int64
	var calls sync.WaitGroup
	for range 10 * limit {
		calls.Go(func() {
			_, err := call(t.Context(), n, func(context.Context, *esdb.Client) (int, error) {
				now := running.Add(1)
				defer running.Add(-1)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				time.Sleep(time.Millisecond)
				return 0, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if got := most.Load(); got > limit {
		t.Errorf("%d calls at a time, want at most %d", got, limit)
	}
}

// TestLaneReplacesHungClient leaves a call behind that ignores its context, as
// the client's do. The next call must get another client, and the first is
// closed only when the call has come back.
func TestLaneReplacesHungClient(t *testing.T) {
	n, _ := newTestLane(t, 2, never)
	n.patience = 0
	release, entered := make(chan struct{}), make(chan *esdb.Client, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := call(ctx, n, func(_ context.Context, es *esdb.Client) (int, error) {
			entered <- es
			<-release
			return 0, nil
		})
		done <- err
	}()
	hung := <-entered
	cancel()
	if err := <-done; !errors.Is(err, errLeft) || !errors.Is(err, context.Canceled) {
		t.Errorf("call that was left behind: %v", err)
	}
	_, err := call(t.Context(), n, func(_ context.Context, es *esdb.Client) (int, error) {
		if es == hung {
			t.Error("the hung client is still in use")
		}
		return 0, nil
	})
	if err != nil {
		t.Error(err)
	}
	close(release)
}

func TestLaneSurvivesPanics(t *testing.T) {
	n, attempts := newTestLane(t, 1, never)
	for range 3 {
		_, err := call(t.Context(), n, func(context.Context, *esdb.Client) (int, error) { panic("scripted") })
		if !errors.Is(err, errPanic) || classify(err) != unclear {
			t.Errorf("call that panicked: %v", err)
		}
	}
	if got := attempts.Load(); got != 1 {
		t.Errorf("%d clients were made, want 1", got)
	}
}

func TestLaneClosed(t *testing.T) {
	n, _ := newTestLane(t, 1, never)
	n.shut()
	if _, err := n.borrow(t.Context()); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("borrow from a closed lane: %v", err)
	}
}

func TestLanesGrowAndAreReused(t *testing.T) {
	s := &lanes{limit: 2, make: func() *lane { return &lane{} }}
	var taken []*shared
	for range 5 {
		n, err := s.take()
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, n)
	}
	s.leave(taken[0])
	again, err := s.take()
	if err != nil || again != taken[0] || len(s.all) != 3 {
		t.Errorf("%d lanes for 5 subscriptions, two to a lane (%v)", len(s.all), err)
	}
}

func TestSoundVersion(t *testing.T) {
	rows := []struct {
		version esdb.ServerVersion
		want    bool
	}{
		{esdb.ServerVersion{}, false},
		{esdb.ServerVersion{Major: 23, Minor: 10, Patch: 9}, false},
		{esdb.ServerVersion{Major: 24, Minor: 6}, false},
		{esdb.ServerVersion{Major: 24, Minor: 10, Patch: 4}, false},
		{esdb.ServerVersion{Major: 24, Minor: 10, Patch: 5}, true},
		{esdb.ServerVersion{Major: 25}, false},
		{esdb.ServerVersion{Major: 25, Patch: 1}, true},
		{esdb.ServerVersion{Major: 25, Minor: 1}, true},
		{esdb.ServerVersion{Major: 26}, true},
	}
	for _, row := range rows {
		if got := soundVersion(row.version); got != row.want {
			t.Errorf("%+v: %v", row.version, got)
		}
	}
}

// FuzzActualRevision: a conflict's words give its revision, and no words give
// one that can't be.
func FuzzActualRevision(f *testing.F) {
	f.Add("wrong expected version: expecting 'no_stream' but got '5'", int64(5))
	f.Add("but got 'no_stream'", int64(0))
	f.Add("but got '-4'", int64(1<<62))
	f.Fuzz(func(t *testing.T, text string, revision int64) {
		if got := actualRevision(errors.New(text)); got < unknownRevision {
			t.Errorf("%q: %d", text, got)
		}
		if revision < 0 || strings.Contains(text, "but got") {
			return
		}
		words := text + "but got '" + strconv.FormatInt(revision, 10) + "'"
		if got := actualRevision(errors.New(words)); got != revision {
			t.Errorf("%q: %d", words, got)
		}
	})
}
