package sqlite

import (
	"testing"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
)

func TestConformance(t *testing.T) {
	eventlogtest.Run(t, func(t *testing.T) eventlog.Log { return openTest(t, t.TempDir(), Options{}) })
}

// TestConformanceCollidingNames runs the suite with all names on few hashes.
func TestConformanceCollidingNames(t *testing.T) {
	eventlogtest.Run(t, func(t *testing.T) eventlog.Log {
		return openTest(t, t.TempDir(), Options{hash: func(name string) int64 { return int64(len(name) % 3) }})
	})
}

func openTest(t testing.TB, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return l
}
