package projectionstest_test

import (
	"context"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/approvals"
	"github.com/clawoffice/ledger/projections/directory"
	"github.com/clawoffice/ledger/projections/process"
	"github.com/clawoffice/ledger/projections/projectionstest"
	"github.com/clawoffice/ledger/projections/search/index"
	"github.com/clawoffice/ledger/projections/search/sqlite"
	"github.com/clawoffice/ledger/projections/search/tags"
	"github.com/clawoffice/ledger/projections/spending"
)

// all makes every projection there is.
func all(b *testing.B, f *ledgertest.Fixture) []projections.Projection {
	engine, err := sqlite.Open(context.Background(), b.TempDir()+"/1.db", sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = engine.Close() })
	secret := f.Keys.Secret()
	found := index.New(index.Config{Source: f.Ledger, Generation: index.Generation{Number: 1, Engine: engine},
		Keys: func(ws domain.WorkspaceID, generation int) tags.Key { return secret.SearchKey(ws, uint32(generation)) }})
	return []projections.Projection{access.New(f.Ring), directory.New(), process.New(), spending.New(), approvals.New(), found}
}

// BenchmarkRebuild makes each projection alone, and all of them at once, from
// the same mixed history.
func BenchmarkRebuild(b *testing.B) {
	f, records := projectionstest.History(b, "mixed", 100_000, projectionstest.Mixed)
	for _, p := range all(b, f) {
		name := p.Spec().Name
		b.Run(name, func(b *testing.B) {
			projectionstest.Rebuild(b, f.Ledger, records, []string{name}, func() []projections.Projection { return all(b, f) })
		})
	}
	b.Run("all", func(b *testing.B) {
		projectionstest.Rebuild(b, f.Ledger, records, nil, func() []projections.Projection { return all(b, f) })
	})
}

// BenchmarkLive appends a history with and without models that follow it, and
// tells what the models cost in processor time for each record.
func BenchmarkLive(b *testing.B) {
	var alone, with time.Duration
	records := 0
	const size = 20_000
	for b.Loop() {
		start := projectionstest.ProcessorTime(b)
		projectionstest.Mixed(b, ledgertest.New(b), size)
		alone += projectionstest.ProcessorTime(b) - start
		f := ledgertest.New(b)
		m, err := projections.New(f.Ledger, b.TempDir(), projections.Options{}, all(b, f)...)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ran := make(chan error, 1)
		go func() { ran <- m.Run(ctx) }()
		start = projectionstest.ProcessorTime(b)
		records += projectionstest.Mixed(b, f, size)
		head, err := f.ReadHead(ctx)
		if err != nil {
			b.Fatal(err)
		}
		for _, h := range m.Health() {
			if err := m.WaitFor(ctx, h.Name, head); err != nil {
				b.Fatal(err)
			}
		}
		with += projectionstest.ProcessorTime(b) - start
		cancel()
		if err := <-ran; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((with-alone).Microseconds())/float64(records), "cpu-µs/record")
}
