package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// subscribed is a held log that can be followed; it ends by waiting for ctx.
type subscribed struct{ held }

func (s subscribed) Subscribe(ctx context.Context, q eventlog.Query) iter.Seq2[eventlog.Delivery, error] {
	return func(yield func(eventlog.Delivery, error) bool) {
		for _, r := range s.records {
			pass := len(q.TypePrefixes) == 0 || strings.HasPrefix(r.Type, q.TypePrefixes[0])
			if r.Position > q.After && pass && !yield(eventlog.Delivery{Record: &r, Position: r.Position}, nil) {
				return
			}
		}
		if yield(eventlog.Delivery{CaughtUp: true}, nil) {
			<-ctx.Done()
			yield(eventlog.Delivery{}, ctx.Err())
		}
	}
}

// followed collects names of records up to the first caught-up mark or error.
func followed(t *testing.T, l *ledger.Ledger, q eventlog.Query) (names []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for d, err := range l.Follow(ctx, q) {
		if err != nil {
			return names, err
		}
		if d.CaughtUp {
			return names, nil
		}
		if d.Record != nil && !ledger.IsKeyStream(d.Record.Stream) {
			names = append(names, fmt.Sprintf("%s@%d", d.Record.Stream, d.Record.Revision))
		}
	}
	return names, errors.New("the sequence ended by itself")
}

func TestFollowIsReadThenLive(t *testing.T) {
	f, before := smallLog(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var positions []eventlog.Position
	caughtUp := false
	for d, err := range f.Follow(ctx, eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.CaughtUp && !caughtUp {
			caughtUp = true
			go func() {
				if _, err := f.Append(ctx, "acme/execution-9", ledger.NoTail(), drafts("live", 0, 3)); err != nil {
					t.Error(err)
				}
			}()
		}
		if d.Record != nil {
			if positions = append(positions, d.Record.Position); d.Position != d.Record.Position {
				t.Errorf("delivery of %d says %d", d.Record.Position, d.Position)
			}
		}
		if len(positions) == len(before)+3 {
			break
		}
	}
	if !caughtUp || !slices.IsSorted(positions) || len(slices.Compact(positions)) != len(before)+3 {
		t.Errorf("positions %v, caught up %v", positions, caughtUp)
	}
}

// A filter lets through revisions 1 and 4 of a stream; each is still checked
// against the record before it.
func TestFollowChecksAgainstWhatAFilterHoldsBack(t *testing.T) {
	f := ledgertest.New(t)
	list := drafts("acme/execution-1", 0, 6)
	list[1].Type, list[4].Type = "wanted.a.v1", "wanted.b.v1"
	mustAppend(t, f, "acme/execution-1", ledger.NoTail(), list)
	q := eventlog.Query{TypePrefixes: []string{"wanted."}}
	got, err := followed(t, f.Ledger, q)
	if diff := cmp.Diff([]string{"acme/execution-1@1", "acme/execution-1@4"}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	records := stored(t, f.Log)
	without := slices.DeleteFunc(slices.Clone(records), func(r eventlog.Recorded) bool {
		return r.Revision == 3 && r.Stream == "acme/execution-1"
	})
	_, err = followed(t, ledger.New(subscribed{held{records: without}}, f.Ring, nil, nil), q)
	var bad *ledger.BadRecord
	if !errors.As(err, &bad) || bad.Revision != 4 {
		t.Errorf("with revision 3 missing: %v, want a bad record 4", err)
	}
}

func TestFollowEndsAtWhatWasTamperedWith(t *testing.T) {
	f, records := smallLog(t)
	place := func(stream string, revision int64) int {
		return slices.IndexFunc(records, func(r eventlog.Recorded) bool { return r.Stream == stream && r.Revision == revision })
	}
	at := place("acme/execution-2", 1)
	tests := []struct {
		name   string
		tamper func([]eventlog.Recorded) []eventlog.Recorded
		bad    int64 // revision that is refused
	}{
		{"ciphertext changed", func(r []eventlog.Recorded) []eventlog.Recorded {
			r[at].Data = slices.Clone(r[at].Data)
			r[at].Data[0] ^= 1
			return r
		}, 1},
		{"record removed", func(r []eventlog.Recorded) []eventlog.Recorded { return slices.Delete(r, at, at+1) }, 2},
		{"record doubled", func(r []eventlog.Recorded) []eventlog.Recorded { return slices.Insert(r, at+1, r[at]) }, 1},
		{"records exchanged", func(r []eventlog.Recorded) []eventlog.Recorded {
			r[at], r[at+1] = r[at+1], r[at]
			return r
		}, 2},
		{"metadata of another stream", func(r []eventlog.Recorded) []eventlog.Recorded {
			r[at].Meta = r[place("acme/execution-1", 1)].Meta
			return r
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log := subscribed{held{records: tt.tamper(slices.Clone(records))}}
			names, err := followed(t, ledger.New(log, f.Ring, nil, nil), eventlog.Query{})
			var bad *ledger.BadRecord
			if !errors.As(err, &bad) || bad.Stream != "acme/execution-2" || bad.Revision != tt.bad || !errors.Is(err, ledger.ErrForged) {
				t.Fatalf("ended with %v after %v, want a bad acme/execution-2@%d", err, names, tt.bad)
			}
			if slices.Contains(names, fmt.Sprintf("acme/execution-2@%d", tt.bad)) && tt.name != "record doubled" {
				t.Errorf("the bad record was delivered")
			}
		})
	}
}

// More streams than the chain remembers: those that fell out are found in the
// log again.
func TestFollowRemembersABoundedNumberOfStreams(t *testing.T) {
	f := ledgertest.New(t)
	tails := map[string]ledger.Tail{}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 600 {
		stream := fmt.Sprintf("acme/execution-%d", random.IntN(40))
		tail, ok := tails[stream]
		if !ok {
			tail = ledger.NoTail()
		}
		tails[stream] = mustAppend(t, f, stream, tail, drafts(fmt.Sprint(stream, i), 0, 1)).Tail
	}
	check, size := ledger.NewChain(f.Log, 8)
	for r, err := range f.Read(context.Background(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := check(context.Background(), &r); err != nil {
			t.Fatal(err)
		}
		if size() > 8 {
			t.Fatalf("remembers %d streams, want 8 at most", size())
		}
	}
}

func TestFollowLeavesNothingBehind(t *testing.T) {
	f, _ := smallLog(t)
	before := runtime.NumGoroutine()
	for stop := range 12 {
		n := 0
		for range f.Follow(context.Background(), eventlog.Query{}) {
			if n++; n > stop%6 {
				break
			}
		}
		for range f.Read(context.Background(), eventlog.Query{}) {
			break
		}
		ctx, cancel := context.WithCancel(context.Background())
		var last error
		for d, err := range f.Follow(ctx, eventlog.Query{}) {
			if d.CaughtUp {
				cancel()
			}
			last = err
		}
		if cancel(); !errors.Is(last, context.Canceled) {
			t.Errorf("a cancelled follow ended with %v", last)
		}
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if runtime.Gosched(); i > 1_000_000 {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
}

func TestReadSelects(t *testing.T) {
	f, all := smallLog(t)
	last := all[len(all)-1]
	tests := []struct {
		name string
		q    eventlog.Query
		want []string
	}{
		{"a stream from a revision on", eventlog.Query{Stream: "acme/execution-1", From: 1}, []string{"acme/execution-1@1", "acme/execution-1@2"}},
		{"the newest", eventlog.Query{Backwards: true, Limit: 1}, []string{fmt.Sprintf("%s@%d", last.Stream, last.Revision)}},
		{"streams of a workspace, backwards", eventlog.Query{StreamPrefixes: []string{"acme/execution-2"}, Backwards: true, Limit: 2},
			[]string{"acme/execution-2@2", "acme/execution-2@1"}},
		{"after the end", eventlog.Query{After: last.Position}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for r, err := range f.Read(context.Background(), tt.q) {
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Payload) == 0 {
					t.Errorf("%s@%d was not opened", r.Stream, r.Revision)
				}
				got = append(got, fmt.Sprintf("%s@%d", r.Stream, r.Revision))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// BenchmarkFollow opens and chains records held in memory, so that it measures
// this package and not the engine.
func BenchmarkFollow(b *testing.B) {
	f := ledgertest.New(b)
	const streams = 2000
	var work sync.WaitGroup
	for w := range 16 {
		work.Go(func() {
			for i := w; i < streams; i += 16 {
				list := drafts(fmt.Sprint("bench", i), 0, 10)
				for j := range list {
					list[j].Payload = fmt.Appendf(nil, `{"mac":"","event":{"n":%d,"text":%q}}`, i, strings.Repeat("x", 400))
				}
				mustAppend(b, f, fmt.Sprintf("acme/execution-%d", i), ledger.NoTail(), list)
			}
		})
	}
	work.Wait()
	var records []eventlog.Recorded
	for r, err := range f.Log.Read(context.Background(), eventlog.Query{}) {
		if err != nil {
			b.Fatal(err)
		}
		records = append(records, r)
	}
	l := ledger.New(subscribed{held{records: records}}, f.Ring, nil, nil)
	b.ReportAllocs()
	n := 0
	start := time.Now()
	for b.Loop() {
		for d, err := range l.Follow(context.Background(), eventlog.Query{}) {
			if err != nil {
				b.Fatal(err)
			}
			if d.CaughtUp {
				break
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/time.Since(start).Seconds(), "records/s")
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(n), "ns/record")
}
