package directory_test

import (
	"testing"

	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/directory"
	"github.com/clawoffice/ledger/projections/projectionstest"
)

// BenchmarkRebuild makes the model from requests alone, the worst there is for
// lists. A mixed history is measured in package projectionstest.
func BenchmarkRebuild(b *testing.B) {
	f, records := projectionstest.History(b, "requests", 100_000, projectionstest.Requests)
	projectionstest.Rebuild(b, f.Ledger, records, nil, func() []projections.Projection { return []projections.Projection{directory.New()} })
}
