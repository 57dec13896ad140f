package clickhouse

import (
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/clawoffice/ledger/internal/chrig/chrigtest"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/searchtest"
)

// TestConformance runs the suite over each protocol, once with the edges of what
// is nearby everywhere.
func TestConformance(t *testing.T) {
	for i, protocol := range protocols() {
		t.Run(protocol.String(), func(t *testing.T) {
			t.Parallel()
			searchtest.Run(t, opener(protocol, Options{nearby: int64(i * 20)}))
		})
	}
}

func protocols() []clickhouse.Protocol {
	return []clickhouse.Protocol{clickhouse.Native, clickhouse.HTTP}
}

// opener gives each index a database of its own.
func opener(protocol clickhouse.Protocol, o Options) searchtest.Opener {
	var mu sync.Mutex
	databases := map[string]string{}
	return func(t *testing.T, index string) search.Engine {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if databases[index] == "" {
			databases[index] = chrigtest.DSN(t, protocol)
		}
		return openWith(t, databases[index], o)
	}
}

func openTest(t testing.TB, dsn string) *Engine {
	t.Helper()
	return openWith(t, dsn, Options{nearby: 300})
}

func openWith(t testing.TB, dsn string, o Options) *Engine {
	t.Helper()
	e, err := Open(t.Context(), dsn, o)
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
