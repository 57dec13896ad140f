package searchtest

import (
	"sync"
	"testing"

	"github.com/clawoffice/ledger/projections/search"
)

// The measure has to pass its own measurement, where answers are written by hand.
func TestNaive(t *testing.T) {
	var mu sync.Mutex
	indexes := map[string]*Naive{}
	Run(t, func(_ *testing.T, index string) search.Engine {
		mu.Lock()
		defer mu.Unlock()
		if indexes[index] == nil {
			indexes[index] = &Naive{}
		}
		return indexes[index]
	})
}
