package projectionstest_test

import (
	"testing"

	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/approvals"
	"github.com/clawoffice/ledger/projections/directory"
	"github.com/clawoffice/ledger/projections/process"
	"github.com/clawoffice/ledger/projections/projectionstest"
	"github.com/clawoffice/ledger/projections/spending"
)

// all makes every projection there is.
func all(f *ledgertest.Fixture) []projections.Projection {
	return []projections.Projection{access.New(f.Ring), directory.New(), process.New(), spending.New(), approvals.New()}
}

// BenchmarkRebuild makes each projection alone, and all of them at once, from
// the same mixed history.
func BenchmarkRebuild(b *testing.B) {
	f, records := projectionstest.History(b, "mixed", 100_000, projectionstest.Mixed)
	for _, p := range all(f) {
		name := p.Spec().Name
		b.Run(name, func(b *testing.B) {
			projectionstest.Rebuild(b, f.Ledger, records, []string{name}, func() []projections.Projection { return all(f) })
		})
	}
	b.Run("all", func(b *testing.B) {
		projectionstest.Rebuild(b, f.Ledger, records, nil, func() []projections.Projection { return all(f) })
	})
}
