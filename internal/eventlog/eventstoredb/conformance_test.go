package eventstoredb_test

import (
	"os"
	"testing"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
)

// TestConformance goes through the real client and a real socket to the face.
func TestConformance(t *testing.T) {
	eventlogtest.Run(t, func(t *testing.T) eventlog.Log {
		return open(t, serve(t, openSQLite(t), esdbface.Options{}).url())
	})
}

// TestConformanceOfServer does the same on a real server.
func TestConformanceOfServer(t *testing.T) {
	url := os.Getenv("CLAWLEDGER_TEST_ESDB")
	if url == "" {
		t.Skip("set CLAWLEDGER_TEST_ESDB to the connection string of a throw-away EventStoreDB (24.10.5 or newer) to run this")
	}
	eventlogtest.Run(t, func(t *testing.T) eventlog.Log { return open(t, url) }, eventlogtest.DeferredErasure())
}
