package sqlite

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// The benchmarks use records as the ledger makes them: about 800 bytes of
// ciphertext and 400 of signature. cpu-us/event is the time of all threads, by
// the kernel's count, the benchmark's own included.

func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sample makes the n-th record. Its id and stream are unique.
func sample(n uint64, noise []byte) (stream string, e eventlog.Event) {
	at := n * 7 % 4096
	e = eventlog.Event{Type: "execution.started.v1", Data: noise[at : at+800], Meta: noise[at+800 : at+1200]}
	binary.BigEndian.PutUint64(e.ID[:], n+1)
	return fmt.Sprintf("acme/execution-%016x%08x", n*0x9e3779b97f4a7c15, n), e
}

func noise() []byte {
	b := make([]byte, 8192)
	_, _ = rand.Read(b)
	return b
}

// appendSamples appends records from..to, each to a new stream, by 128 at once.
func appendSamples(b testing.TB, l *Log, from, to uint64) {
	bytes := noise()
	var next atomic.Uint64
	next.Store(from)
	var wg sync.WaitGroup
	for range 128 {
		wg.Go(func() {
			for n := next.Add(1) - 1; n < to; n = next.Add(1) - 1 {
				stream, e := sample(n, bytes)
				if _, err := l.Append(b.Context(), stream, eventlog.NoStream, []eventlog.Event{e}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkAppendConcurrent begins with CLAWLEDGER_BENCH_EVENTS events in the
// log, none unless set.
func BenchmarkAppendConcurrent(b *testing.B) {
	l := openTest(b, b.TempDir(), Options{})
	present, _ := strconv.ParseUint(os.Getenv("CLAWLEDGER_BENCH_EVENTS"), 10, 64)
	appendSamples(b, l, 0, present)
	cpu := processTime()
	b.ResetTimer()
	appendSamples(b, l, present, present+uint64(b.N))
	b.StopTimer()
	b.ReportMetric(float64((processTime()-cpu).Nanoseconds())/1000/float64(b.N), "cpu-us/event")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkReadAll(b *testing.B) {
	l := openTest(b, b.TempDir(), Options{})
	const events = 100_000
	appendSamples(b, l, 0, events)
	rows := []struct {
		name string
		q    eventlog.Query
		want int
	}{
		{"everything", eventlog.Query{}, events},
		{"type held back", eventlog.Query{TypePrefixes: []string{"budget."}}, 0},
		{"stream held back", eventlog.Query{StreamPrefixes: []string{"zeta/"}}, 0},
	}
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			for range b.N {
				n := 0
				for _, err := range l.Read(b.Context(), row.q) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != row.want {
					b.Fatalf("%d records, want %d", n, row.want)
				}
			}
			b.ReportMetric(float64(b.N)*events/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkSubscribe measures appends with eight subscriptions listening.
func BenchmarkSubscribe(b *testing.B) {
	l := openTest(b, b.TempDir(), Options{})
	var wg sync.WaitGroup
	ready := make(chan struct{}, 8)
	for range cap(ready) {
		wg.Go(func() {
			n := 0
			for d, err := range l.Subscribe(b.Context(), eventlog.Query{StreamPrefixes: []string{"acme/"}}) {
				if err != nil {
					b.Error(err)
					return
				}
				if d.CaughtUp && n == 0 {
					ready <- struct{}{}
				}
				if d.Record != nil {
					n++
				}
				if n == b.N {
					return
				}
			}
		})
	}
	for range cap(ready) {
		<-ready
	}
	cpu := processTime()
	b.ResetTimer()
	appendSamples(b, l, 0, uint64(b.N))
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processTime()-cpu).Nanoseconds())/1000/float64(b.N), "cpu-us/event")
	b.ReportMetric(8*float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}
