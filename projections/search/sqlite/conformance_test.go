package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/searchtest"
)

func TestConformance(t *testing.T) { searchtest.Run(t, opener(t, Options{})) }

// TestConformanceOfSmallParts runs the suite with the edges of chunks and
// generations everywhere.
func TestConformanceOfSmallParts(t *testing.T) {
	searchtest.Run(t, opener(t, Options{chunkRows: 16, generationRows: 100}))
}

// opener opens indexes in a folder of the whole test.
func opener(t *testing.T, o Options) searchtest.Opener {
	dir := t.TempDir()
	return func(t *testing.T, index string) search.Engine { return openTest(t, filepath.Join(dir, index), o) }
}

func openTest(t testing.TB, path string, o Options) *Engine {
	t.Helper()
	e, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return e
}
