package eventstoredb_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
)

// BenchmarkAppend is 128 callers, each event to a new stream, with client, face
// and storage in one process.
func BenchmarkAppend(b *testing.B) {
	log := open(b, serve(b, openSQLite(b), esdbface.Options{}).url())
	data := string(make([]byte, 1000))
	var next atomic.Int64
	b.SetParallelism(64) // times GOMAXPROCS, which is 2 where this is measured
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			stream := fmt.Sprint("bench-", next.Add(1))
			if _, err := log.Append(b.Context(), stream, eventlog.NoStream, []eventlog.Event{event("bench.v1", data)}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// fill appends n events of about 1 KiB in batches.
func fill(b *testing.B, log eventlog.Log, n int) {
	b.Helper()
	const batch = 500
	data := string(make([]byte, 1000))
	for at := 0; at < n; at += batch {
		events := make([]eventlog.Event, min(batch, n-at))
		for i := range events {
			events[i] = event("bench.v1", data)
		}
		if _, err := log.Append(b.Context(), fmt.Sprint("fill-", at), eventlog.NoStream, events); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadAll(b *testing.B) {
	store := openSQLite(b)
	log := open(b, serve(b, store, esdbface.Options{}).url())
	fill(b, store, max(b.N, 1))
	b.ResetTimer()
	n := 0
	for _, err := range log.Read(b.Context(), eventlog.Query{}) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkSubscribe(b *testing.B) {
	store := openSQLite(b)
	log := open(b, serve(b, store, esdbface.Options{}).url())
	fill(b, store, max(b.N, 1))
	b.ResetTimer()
	n := 0
	for d, err := range log.Subscribe(b.Context(), eventlog.Query{TypePrefixes: []string{"bench."}}) {
		if err != nil {
			b.Fatal(err)
		}
		if d.Record != nil {
			if n++; n >= b.N {
				break
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}
