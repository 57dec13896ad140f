package searchtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/searchtest/corpus"
)

// BenchRecords is how many rows are measured with: CLAWLEDGER_BENCH_RECORDS, or
// few enough to try the measurement out.
func BenchRecords(tb testing.TB) int {
	tb.Helper()
	text := os.Getenv("CLAWLEDGER_BENCH_RECORDS")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1000 {
		tb.Fatalf("CLAWLEDGER_BENCH_RECORDS is %q; give a number of at least 1000", text)
	}
	return n
}

// BenchDir is the folder of an engine's index of so many rows: within
// CLAWLEDGER_BENCH_DIR, which keeps it from run to run, or one for this run.
func BenchDir(tb testing.TB, engine string) string {
	tb.Helper()
	dir := os.Getenv("CLAWLEDGER_BENCH_DIR")
	if dir == "" {
		dir = tb.TempDir()
	}
	dir = filepath.Join(dir, fmt.Sprintf("search-%s-%d", engine, BenchRecords(tb)))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Bench fills an index, unless it is full from an earlier run, with atOnce rows
// in each batch, and asks it what auditors ask. It prints rows a second, bytes a
// row, and each question's p50 and p95. Size settles the index and answers its
// bytes.
func Bench(b *testing.B, e search.Engine, atOnce int, size func() int64) {
	b.Helper()
	n := BenchRecords(b)
	at, err := e.Position(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if at < 1 {
		fill(b, e, n, atOnce)
	}
	b.Logf("%d rows, %.0f bytes a row", n, float64(size())/float64(n))
	for _, q := range Questions() {
		b.Run(q.Name, func(b *testing.B) { ask(b, e, q) })
	}
}

func fill(b *testing.B, e search.Engine, n, size int) {
	b.Helper()
	var busy, slowest time.Duration
	c := corpus.New(1, n)
	for done := 0; done < n; done += size {
		batch := c.Batch(min(size, n-done))
		start := time.Now()
		if err := e.Insert(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		busy, slowest = busy+took, max(slowest, took)
	}
	b.Logf("%.0f rows/s in batches of %d, the slowest took %s", float64(n)/busy.Seconds(), size, slowest)
}

func ask(b *testing.B, e search.Engine, q Question) {
	b.Helper()
	var took []time.Duration
	rows := 0
	for b.Loop() {
		start := time.Now()
		n, err := q.Ask(b.Context(), e)
		if err != nil {
			b.Fatal(err)
		}
		rows = n
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
	b.ReportMetric(float64(rows), "answers")
}
