package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/clawoffice/ledger/projections/search/searchtest"
	"github.com/clawoffice/ledger/projections/search/searchtest/corpus"
)

// BenchmarkEngine measures what auditors ask, see [searchtest.Bench].
func BenchmarkEngine(b *testing.B) {
	path := filepath.Join(searchtest.BenchDir(b, "sqlite"), "search.sqlite")
	e, err := Open(b.Context(), path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	const atOnce = 4096 // as the projection does while it catches up
	searchtest.Bench(b, e, atOnce, func() int64 {
		if err := e.emptyWAL(b.Context()); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		return info.Size()
	})
}

// BenchmarkInsert measures batches as small as those of a quiet service, each
// synced.
func BenchmarkInsert(b *testing.B) {
	for _, size := range []int{1, 10, 100, 1000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			e := openTest(b, filepath.Join(b.TempDir(), "search"), Options{})
			c := corpus.New(1, 1_000_000)
			if err := e.Insert(b.Context(), c.Batch(20_000)); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				b.StopTimer()
				batch := c.Batch(size)
				b.StartTimer()
				if err := e.Insert(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
