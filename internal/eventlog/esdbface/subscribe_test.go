package esdbface_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
)

func subscription(stream string, from int64) *streams.ReadReq_Options {
	o := readOptions(stream, false, from, 1)
	o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	return o
}

func filtered(byType bool, regex string, window, multiplier uint32, prefixes ...string) *streams.ReadReq_Options_Filter {
	f := &streams.ReadReq_Options_FilterOptions{
		Window: &streams.ReadReq_Options_FilterOptions_Max{Max: window}, CheckpointIntervalMultiplier: multiplier,
	}
	expression := &streams.ReadReq_Options_FilterOptions_Expression{Regex: regex, Prefix: prefixes}
	if f.Filter = (&streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: expression}); byType {
		f.Filter = &streams.ReadReq_Options_FilterOptions_EventType{EventType: expression}
	}
	return &streams.ReadReq_Options_Filter{Filter: f}
}

// hear takes messages until there are n that count, leaving out checkpoints
// unless they are asked for.
func hear(t *testing.T, call streams.Streams_ReadClient, n int, checkpoints bool) (words []string) {
	t.Helper()
	for len(words) < n {
		resp, err := call.Recv()
		if err != nil {
			t.Fatalf("after %q: %v", words, err)
		}
		if said := word(resp); checkpoints || !strings.HasPrefix(said, "checkpoint") {
			words = append(words, said)
		}
	}
	return words
}

// TestWhereSubscriptionsBegin: behind the given place, confirmed first, and
// told when what was there is through.
func TestWhereSubscriptionsBegin(t *testing.T) {
	rows := []struct {
		name   string
		stream string
		from   int64 // an index into the stored events if not start or end
		want   []string
	}{
		{"all, start", all, fromStart, []string{"confirmation", "0", "other", "1", "2", "caught up", "live"}},
		{"all, position is exclusive", all, 1, []string{"confirmation", "2", "caught up", "live"}},
		{"all, the newest", all, 2, []string{"confirmation", "caught up", "live"}},
		{"all, end", all, fromEnd, []string{"confirmation", "caught up", "live"}},
		{"stream, start", "a-1", fromStart, []string{"confirmation", "0", "1", "2", "caught up", "live"}},
		{"stream, revision is exclusive", "a-1", 0, []string{"confirmation", "1", "2", "caught up", "live"}},
		{"stream, the newest", "a-1", 2, []string{"confirmation", "caught up", "live"}},
		{"stream, end", "a-1", fromEnd, []string{"confirmation", "caught up", "live"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := dial(t, openSQLite(t), esdbface.Options{})
			at := []int64{int64(w.store("a-1", eventlog.NoStream, event("a.v1", "0")).Position)}
			w.store("a-10", eventlog.NoStream, event("a.v1", "other")) // its name begins as the stream's
			for i := int64(1); i < 3; i++ {
				at = append(at, int64(w.store("a-1", i-1, event("a.v1", fmt.Sprint(i))).Position))
			}
			from := row.from
			if row.stream == all && from >= 0 {
				from = at[from]
			}
			call := w.ask(w.ctx, subscription(row.stream, from))
			got := hear(t, call, len(row.want)-1, true)
			w.store("a-1", 2, event("a.v1", "live"))
			got = append(got, hear(t, call, 1, true)...)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSubscriptionToFuture begins where nothing is yet: at a missing stream,
// and behind its end.
func TestSubscriptionToFuture(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	missing, beyond := w.ask(w.ctx, subscription("a-1", fromStart)), w.ask(w.ctx, subscription("a-1", 1))
	for _, call := range []streams.Streams_ReadClient{missing, beyond} {
		if got := hear(t, call, 2, true); got[1] != "caught up" {
			t.Errorf("began with %q", got)
		}
	}
	for i := range int64(4) {
		w.store("a-1", i-1, event("a.v1", fmt.Sprint(i)))
	}
	if diff := cmp.Diff([]string{"0", "1", "2", "3"}, hear(t, missing, 4, true)); diff != "" {
		t.Errorf("missing stream (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"2", "3"}, hear(t, beyond, 2, true)); diff != "" {
		t.Errorf("behind the end (-want +got):\n%s", diff)
	}
}

func TestFilters(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	for _, ev := range []struct{ stream, kind string }{
		{"red-1", "paint.v1"}, {"red-2", "note.v1"}, {"blue-1", "paint.v1"}, {"blue-2", "note.v1"},
	} {
		w.store(ev.stream, eventlog.NoStream, event(ev.kind, ev.stream))
	}
	rows := []struct {
		name   string
		filter *streams.ReadReq_Options_Filter
		want   []string
	}{
		{"stream prefix", filtered(false, "", 32, 1, "red-"), []string{"red-1", "red-2"}},
		{"stream prefixes", filtered(false, "", 32, 1, "red-2", "blue-1"), []string{"red-2", "blue-1"}},
		{"type prefix", filtered(true, "", 32, 1, "note."), []string{"red-2", "blue-2"}},
		{"stream pattern, anywhere", filtered(false, `e-1$`, 32, 1), []string{"blue-1"}},
		{"type pattern", filtered(true, `^p`, 32, 1), []string{"red-1", "blue-1"}},
		{"system events excluded", filtered(true, `^[^\$].*`, 32, 1), []string{"red-1", "red-2", "blue-1", "blue-2"}},
		{"pattern wins over prefixes", filtered(false, `^blue`, 32, 1, "red-"), []string{"blue-1", "blue-2"}},
		{"empty prefix is everything", filtered(false, "", 32, 1, ""), []string{"red-1", "red-2", "blue-1", "blue-2"}},
		{"no prefix is nothing", filtered(false, "", 32, 1), nil},
	}
	for _, row := range rows {
		o := subscription(all, fromStart)
		o.FilterOption = row.filter
		ctx, cancel := context.WithCancel(w.ctx)
		want := append(append([]string{"confirmation"}, row.want...), "caught up")
		if diff := cmp.Diff(want, hear(t, w.ask(ctx, o), len(want), false)); diff != "" {
			t.Errorf("%s, subscription (-want +got):\n%s", row.name, diff)
		}
		cancel()
		o = readOptions(all, false, fromStart, 100)
		o.FilterOption = row.filter
		got, err := drain(w.ask(w.ctx, o))
		if err != nil {
			t.Errorf("%s, read: %v", row.name, err)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s, read (-want +got):\n%s", row.name, diff)
		}
	}
}

// TestCheckpoints: a filter that lets nothing through still reports progress,
// each window times multiplier while catching up and while live.
func TestCheckpoints(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	var at []eventlog.Position
	for i := range 10 {
		at = append(at, w.store("noise-1", int64(i)-1, event("noise.v1", "x")).Position)
	}
	said := func(i int) string { return fmt.Sprint("checkpoint ", at[i]) }
	o := subscription(all, fromStart)
	o.FilterOption = filtered(true, "^wanted", 2, 2)
	call := w.ask(w.ctx, o)
	want := []string{"confirmation", said(3), said(7), said(9), "caught up"}
	if diff := cmp.Diff(want, hear(t, call, 5, true)); diff != "" {
		t.Errorf("catching up (-want +got):\n%s", diff)
	}
	for i := range 4 {
		at = append(at, w.store("noise-1", int64(9+i), event("noise.v1", "x")).Position)
	}
	if diff := cmp.Diff([]string{said(13)}, hear(t, call, 1, true)); diff != "" {
		t.Errorf("live (-want +got):\n%s", diff)
	}
}

// TestCheckpointsOfPrefixes come from the log itself, at least at the switch
// to live, never beyond it and always growing.
func TestCheckpointsOfPrefixes(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	var tip eventlog.Position
	for i := range 10 {
		tip = w.store("noise-1", int64(i)-1, event("noise.v1", "x")).Position
	}
	o := subscription(all, fromStart)
	o.FilterOption = filtered(true, "", 1, 1, "wanted.")
	call := w.ask(w.ctx, o)
	last := uint64(0)
	for {
		resp, err := call.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetCaughtUp() != nil {
			break
		}
		if p := resp.GetCheckpoint().GetCommitPosition(); resp.GetCheckpoint() != nil {
			if p <= last || p > uint64(tip) {
				t.Errorf("checkpoint %d after %d, the log ends at %d", p, last, tip)
			}
			last = p
		}
	}
	if last != uint64(tip) {
		t.Errorf("the last checkpoint before the switch is %d, the log ends at %d", last, tip)
	}
}

// TestCaughtUpForNewerClients looks for the fields that protocol version 25
// added, which newer clients insist on.
func TestCaughtUpForNewerClients(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	w.store("a-1", eventlog.NoStream, event("a.v1", "x"))
	rows := []struct {
		name, stream string
		want         map[protowire.Number]bool
	}{
		{"all", all, map[protowire.Number]bool{1: true, 3: true}},
		{"stream", "a-1", map[protowire.Number]bool{1: true, 2: true}},
	}
	for _, row := range rows {
		call := w.ask(w.ctx, subscription(row.stream, fromEnd))
		for {
			resp, err := call.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if resp.GetCaughtUp() == nil {
				continue
			}
			got, rest := map[protowire.Number]bool{}, []byte(resp.GetCaughtUp().ProtoReflect().GetUnknown())
			for len(rest) > 0 {
				number, _, n := protowire.ConsumeField(rest)
				if n < 0 {
					t.Fatalf("%s: %v", row.name, protowire.ParseError(n))
				}
				got[number], rest = true, rest[n:]
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s: fields (-want +got):\n%s", row.name, diff)
			}
			break
		}
	}
}

// TestSlowSubscriber stands still while more is written than any buffer on the
// way holds. Writers must not notice, and nothing may be missing later.
func TestSlowSubscriber(t *testing.T) {
	w := dial(t, openSQLite(t), esdbface.Options{})
	call := w.ask(w.ctx, subscription(all, fromStart))
	hear(t, call, 2, true)
	const batches, each = 60, 50
	payload, tip := strings.Repeat("x", 4000), eventlog.NoStream
	for range batches { // 12 MB
		events := make([]eventlog.Event, each)
		for i := range events {
			events[i] = event("a.v1", payload)
		}
		tip = w.store("a-1", tip, events...).Revision
	}
	next := uint64(0)
	for next < batches*each {
		resp, err := call.Recv()
		if err != nil {
			t.Fatalf("after %d events: %v", next, err)
		}
		if ev := resp.GetEvent().GetEvent(); ev != nil {
			if ev.StreamRevision != next {
				t.Fatalf("revision %d came where %d was due", ev.StreamRevision, next)
			}
			next++
		}
	}
}
