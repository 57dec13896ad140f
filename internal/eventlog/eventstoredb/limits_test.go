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
