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
	dsn += "?use_query_condition_cache=0" // no auditor asks the same twenty times
	e := openWith(b, dsn, Options{})
	searchtest.Bench(b, e, BatchRows, func() int64 {
		e.mergeWholeMonths(b)
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

// mergeWholeMonths does now what the server does by itself a day after the end of
// each month.
func (e *Engine) mergeWholeMonths(b *testing.B) {
	b.Helper()
	const months = "SELECT DISTINCT partition FROM system.parts WHERE active AND database = currentDatabase() AND table = '" + rowTable + "' ORDER BY partition"
	var list []string
	err := e.collect(b.Context(), newStatement(), months, func(scan func(...any) error) error {
		var month string
		err := scan(&month)
		list = append(list, month)
		return err
	})
	for _, month := range list[:max(len(list)-1, 0)] {
		if err == nil {
			err = e.conn.Exec(b.Context(), "OPTIMIZE TABLE "+rowTable+" PARTITION "+month+" FINAL")
		}
	}
	if err != nil {
		b.Fatal(err)
	}
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
