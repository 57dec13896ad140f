package clickhouse

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/clawoffice/ledger/internal/chrig/chrigtest"
	"github.com/clawoffice/ledger/projections/search/searchtest"
)

// BenchmarkEngine measures what auditors ask, see [searchtest.Bench], on the rig
// or on the server that CLAWLEDGER_TEST_CLICKHOUSE names.
func BenchmarkEngine(b *testing.B) {
	var dsn string
	if os.Getenv("CLAWLEDGER_TEST_CLICKHOUSE") != "" {
		dsn = chrigtest.DSN(b, clickhouse.Native)
	} else {
		dsn = chrigtest.Start(b, searchtest.BenchDir(b, "clickhouse")).DSN(b, clickhouse.Native)
	}
	e := openTest(b, dsn)
	searchtest.Bench(b, e, func() int64 {
		e.settle(b)
		var parts, bytes uint64
		err := e.conn.QueryRow(b.Context(), "SELECT count(), sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()").Scan(&parts, &bytes)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%d parts", parts)
		return int64(bytes)
	})
}

// settle waits for a while until no merge goes on, as on a server that is not
// being filled.
func (e *Engine) settle(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	for quiet := 0; quiet < 3 && ctx.Err() == nil; time.Sleep(time.Second) {
		var merges uint64
		if err := e.conn.QueryRow(ctx, "SELECT count() FROM system.merges WHERE database = currentDatabase()").Scan(&merges); err != nil {
			b.Fatal(err)
		}
		if quiet++; merges > 0 {
			quiet = 0
		}
	}
}
