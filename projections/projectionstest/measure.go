package projectionstest

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clawoffice/ledger/projections"
)

// Rebuild measures how the named models (all, without names) are made from a
// log of so many records, checks included: records a second, of all that the
// log holds, those that a model passes over too; processor time a record; the
// memory of the process; and how many signatures the machine makes a second
// right before and after, since neighbours change its speed.
func Rebuild(b *testing.B, source projections.Source, records int, names []string, all func() []projections.Projection) {
	b.Helper()
	for b.Loop() {
		m, err := projections.New(source, b.TempDir(), projections.Options{}, all()...)
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC() // what the one before left behind
		before := Signatures()
		start, processor := time.Now(), ProcessorTime(b)
		if err := m.Rebuild(context.Background(), names, nil); err != nil {
			b.Fatal(err)
		}
		took, worked := time.Since(start), ProcessorTime(b)-processor
		b.ReportMetric(float64(records)/took.Seconds(), "records/s")
		b.ReportMetric(float64(worked.Nanoseconds())/1e3/float64(records), "cpu-µs/record")
		b.ReportMetric(Resident(b), "RSS-MiB")
		b.ReportMetric((before+Signatures())/2, "signatures/s")
	}
}

// Signatures is how many Ed25519 signatures all cores make a second just now.
func Signatures() float64 {
	_, key, _ := ed25519.GenerateKey(nil) // never fails
	const each = 5000
	var work sync.WaitGroup
	start := time.Now()
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for range each {
				ed25519.Sign(key, []byte("how fast is this machine now?"))
			}
		})
	}
	work.Wait()
	return each * float64(runtime.GOMAXPROCS(0)) / time.Since(start).Seconds()
}

// Resident is the process's memory in MiB; 0 where the system does not tell.
func Resident(tb testing.TB) float64 {
	tb.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0 // not on Linux
	}
	var size, pages float64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		tb.Fatal(err)
	}
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

// ProcessorTime is what the process has used of all cores since it started.
func ProcessorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
