package eventstoredb_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
)

// TestManySubscriptions opens more subscriptions than a real server allows
// calls on one connection, while appends go on.
func TestManySubscriptions(t *testing.T) {
	t.Parallel()
	const subscribers, events = 130, 60
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	srv := serve(t, openSQLite(t), esdbface.Options{MaxStreams: 100})
	log := open(t, srv.url())
	var ready, heard, writing sync.WaitGroup
	ready.Add(subscribers)
	for i := range subscribers {
		heard.Go(func() {
			q := eventlog.Query{}
			if i%2 == 0 {
				q.TypePrefixes = []string{"a."}
			}
			got, caughtUp := 0, sync.OnceFunc(ready.Done)
			for d, err := range log.Subscribe(ctx, q) {
				if err != nil {
					t.Errorf("subscriber %d after %d records: %v", i, got, err)
					caughtUp()
					return
				}
				if d.CaughtUp {
					caughtUp()
				}
				if d.Record != nil {
					if got++; got == events {
						return
					}
				}
			}
		})
	}
	ready.Wait()
	for i := range events {
		writing.Go(func() {
			if _, err := log.Append(ctx, fmt.Sprint("s-", i), eventlog.NoStream, []eventlog.Event{event("a.v1", "x")}); err != nil {
				t.Errorf("append %d: %v", i, err)
			}
		})
	}
	writing.Wait()
	heard.Wait()
}

// TestMarksFollowTheTip holds every new record back by the filter: a live
// subscription must still hear, after each, that it is up to date.
func TestMarksFollowTheTip(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	log := open(t, serve(t, openSQLite(t), esdbface.Options{}).url())
	rows := []struct {
		name string
		q    eventlog.Query
	}{
		{"type", eventlog.Query{TypePrefixes: []string{"wanted."}}},
		{"stream", eventlog.Query{StreamPrefixes: []string{"wanted-"}}},
		{"both", eventlog.Query{StreamPrefixes: []string{"wanted-"}, TypePrefixes: []string{"noise."}}},
	}
	for _, row := range rows {
		written, rounds := eventlog.Position(0), 0
		for d, err := range log.Subscribe(ctx, row.q) {
			if err != nil {
				t.Fatalf("%s: waiting for a mark at %d: %v", row.name, written, err)
			}
			if d.Record != nil {
				t.Fatalf("%s: the filter let %s through", row.name, d.Record.Stream)
			}
			if d.Position < written || written == 0 && !d.CaughtUp {
				continue
			}
			if rounds++; rounds > 5 {
				break
			}
			got, err := log.Append(ctx, fmt.Sprint("noise-", row.name, rounds), eventlog.NoStream, []eventlog.Event{event("noise.v1", "x")})
			if err != nil {
				t.Fatal(err)
			}
			written = got.Position
		}
	}
}

// TestSystemEventsAreSkipped puts between the ledger's records what a real
// server writes for itself.
func TestSystemEventsAreSkipped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	store := openSQLite(t)
	log := open(t, serve(t, store, esdbface.Options{}).url())
	for i, where := range []struct{ stream, kind string }{
		{"$stats", "stats"}, {"a-1", "a.v1"}, {"$$a-1", "$metadata"}, {"a-2", "$>"}, {"a-3", "a.v1"}, {"$users", "a.v1"},
	} {
		if _, err := store.Append(ctx, where.stream, eventlog.NoStream, []eventlog.Event{event(where.kind, fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	want := "a-1 a-3 "
	for _, q := range []eventlog.Query{{}, {TypePrefixes: []string{""}}, {StreamPrefixes: []string{"a-", "$"}}} {
		read, heard, end := "", "", eventlog.Position(0)
		for _, r := range readAll(t, store, eventlog.Query{}) {
			end = r.Position
		}
		for _, r := range readAll(t, log, q) {
			read += r.Stream + " "
		}
		for d, err := range log.Subscribe(ctx, q) {
			if err != nil {
				t.Fatal(err)
			}
			if d.Record != nil {
				heard += d.Record.Stream + " "
			}
			if d.CaughtUp {
				if d.Position != end {
					t.Errorf("%+v: caught up at %d, the log ends at %d", q, d.Position, end)
				}
				break
			}
		}
		if read != want || heard != want {
			t.Errorf("%+v: read %q and heard %q, want %q", q, read, heard, want)
		}
	}
	if newest := readAll(t, log, eventlog.Query{Backwards: true, Limit: 1}); len(newest) != 1 || newest[0].Stream != "a-3" {
		t.Errorf("the newest record: %+v", newest)
	}
}
