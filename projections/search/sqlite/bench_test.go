package sqlite

import (
	"context"
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

// benchRecords is how many rows are measured with: CLAWLEDGER_BENCH_RECORDS, or
// few enough to try the measurement out.
func benchRecords(tb testing.TB) int {
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

// BenchmarkEngine fills an index and asks it what auditors ask, in its largest
// workspace. It prints rows a second, bytes a row and each question's p95.
func BenchmarkEngine(b *testing.B) {
	dir := os.Getenv("CLAWLEDGER_BENCH_DIR") // keeps the index from run to run
	if dir == "" {
		dir = b.TempDir()
	}
	path := filepath.Join(dir, "search.sqlite")
	e, err := Open(b.Context(), path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	n := benchRecords(b)
	c := corpus.New(1, n)
	at, err := e.Position(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if at < 1 {
		fill(b, e, c, n)
	}
	if err := e.emptyWAL(b.Context()); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d rows, %.0f bytes a row", n, float64(info.Size())/float64(n))
	for _, q := range questions() {
		b.Run(q.name, func(b *testing.B) { ask(b, e, q) })
	}
}

func fill(b *testing.B, e *Engine, c *corpus.Corpus, n int) {
	const size = 10_000
	var busy time.Duration
	var slowest time.Duration
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

type question struct {
	name string
	ask  func(ctx context.Context, e *Engine) (int, error)
}

func questions() []question {
	end := corpus.Start().Add(corpus.Days * 24 * time.Hour)
	during := func(days int) search.During { return search.During{From: end.AddDate(0, 0, -days)} }
	is := func(f search.Field, texts ...string) search.In {
		in := search.In{Field: f}
		for _, t := range texts {
			in.Any = append(in.Any, search.Pattern{Text: t})
		}
		return in
	}
	payments := search.In{Field: search.Action, Any: []search.Pattern{{Text: "payment.", Prefix: true}}}
	word := func(n ...int) search.Tagged {
		var t search.Tagged
		for _, n := range n {
			t.All = append(t.All, corpus.TagOf(0, n))
		}
		return t
	}
	find := func(limit int, where ...search.Condition) func(context.Context, *Engine) (int, error) {
		return func(ctx context.Context, e *Engine) (int, error) {
			p, err := e.Find(ctx, search.Query{Workspace: corpus.Largest, Where: where, Limit: limit})
			return len(p.Rows), err
		}
	}
	count := func(g search.Grouping, where ...search.Condition) func(context.Context, *Engine) (int, error) {
		return func(ctx context.Context, e *Engine) (int, error) {
			groups, err := e.Count(ctx, search.Query{Workspace: corpus.Largest, Where: where}, g)
			return len(groups), err
		}
	}
	facets := search.Grouping{By: []search.Field{search.Action, search.Outcome, search.Model, search.Actor}}
	return []question{
		{"newest", find(100)},
		{"actor-7d", find(100, is(search.Actor, corpus.Agent(3).String()), during(7))},
		{"actor-rare", find(100, is(search.Actor, corpus.Agent(59).String()))},
		{"actor-absent", find(100, is(search.Actor, "agent:nobody"))},
		{"denied-payments-30d", find(100, payments, is(search.Outcome, "denied"), during(30))},
		{"word-rare", find(100, word(150_000))},
		{"word-mid", find(100, word(5_000))},
		{"words-common", find(100, word(1, 2))},
		{"word-common-rare-actor", find(100, word(1), is(search.Actor, corpus.Agent(59).String()))},
		{"words-common-count", count(search.Grouping{}, word(1, 2))},
		{"words-common-facets-30d", count(facets, word(1, 2), during(30))},
		{"not-word-newest", find(100, search.Not{Condition: word(0)})},
		{"correlation-absent", find(100, is(search.Correlation, "nothing"))},
		{"facets-30d", count(facets, during(30))},
		{"facets-90d", count(facets)},
		{"facets-denied-30d", count(facets, is(search.Outcome, "denied"), during(30))},
		{"histogram-30d", count(search.Grouping{Every: time.Hour}, during(30))},
		{"count-90d", count(search.Grouping{})},
		{"page-1000", deepPage},
	}
}

// deepPage asks for 100 rows after some 99,900, by cursor.
func deepPage(ctx context.Context, e *Engine) (int, error) {
	at, err := e.Position(ctx)
	if err != nil {
		return 0, err
	}
	q := search.Query{Workspace: corpus.Largest, Limit: 100, Cursor: search.CursorAt(search.NewestFirst, at-min(at/2, 99_900*10/4))}
	p, err := e.Find(ctx, q)
	return len(p.Rows), err
}

func ask(b *testing.B, e *Engine, q question) {
	var took []time.Duration
	rows := 0
	for b.Loop() {
		start := time.Now()
		n, err := q.ask(b.Context(), e)
		if err != nil {
			b.Fatal(err)
		}
		rows = n
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
	b.ReportMetric(float64(rows), "answers")
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
