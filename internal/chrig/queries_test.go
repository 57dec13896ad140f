package chrig_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/clawoffice/ledger/internal/chrig/chrigtest"
)

func TestPingAndVersion(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		if err := conn.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		v, err := conn.ServerVersion()
		if err != nil || v.Version.Major < 26 {
			t.Errorf("version %v, %v; want 26 or newer", v, err)
		}
	})
}

func TestParameters(t *testing.T) {
	values := []string{"it's", "\\'", "\\n", "tab\tnewline\nreturn\r", "{x:UInt64}", "ends in \\"}
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		for _, want := range values {
			var n uint64
			var s string
			err := conn.QueryRow(t.Context(), "SELECT {x:UInt64} + 1, {s:String}", clickhouse.Named("x", 41), clickhouse.Named("s", want)).Scan(&n, &s)
			if err != nil || n != 42 || s != want {
				t.Errorf("server parameters: got %d and %q, %v; want 42 and %q", n, s, err, want)
			}
			if err := conn.QueryRow(t.Context(), "SELECT toUInt64(?), ?", 7, want).Scan(&n, &s); err != nil || n != 7 || s != want {
				t.Errorf("client binds: got %d and %q, %v; want 7 and %q", n, s, err, want)
			}
		}
		var list []string
		with := clickhouse.Context(t.Context(), clickhouse.WithParameters(clickhouse.Parameters{"a": `['61','6227']`}))
		if err := conn.QueryRow(with, "SELECT arrayMap(x -> unhex(x), {a:Array(String)})").Scan(&list); err != nil || !slices.Equal(list, []string{"a", "b'"}) {
			t.Errorf("an array as parameter: %q, %v", list, err)
		}
	})
}

// TestSettingsDoNotLeak holds that a setting ends with its query, on one
// connection too.
func TestSettingsDoNotLeak(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		with := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_threads": 3}), clickhouse.WithQueryID("q-1"))
		for range 5 {
			var threads uint64
			if err := conn.QueryRow(with, "SELECT toUInt64(getSetting('max_threads'))").Scan(&threads); err != nil || threads != 3 {
				t.Errorf("with the setting: %d threads, %v; want 3", threads, err)
			}
			exec(t, conn, "SET max_threads = 7")
			if err := conn.QueryRow(t.Context(), "SELECT toUInt64(getSetting('max_threads'))").Scan(&threads); err != nil || threads == 3 || threads == 7 {
				t.Errorf("without it: %d threads, %v; another query's setting leaked", threads, err)
			}
		}
	})
}

// TestNamesAndValuesAreQuoted puts what SQL would take for its own into a
// database's name and a setting.
func TestNamesAndValuesAreQuoted(t *testing.T) {
	for _, m := range chrigtest.Modes() {
		t.Run(m.String(), func(t *testing.T) {
			o := *chrigtest.Options(t, m.Protocol, m.Compression)
			first, err := clickhouse.Open(&o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = first.Close() }()
			o.Auth.Database += " `\\'"
			quoted := strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(o.Auth.Database)
			exec(t, first, "CREATE DATABASE `"+quoted+"` ENGINE = Atomic")
			defer exec(t, first, "DROP DATABASE `"+quoted+"`")
			conn, err := clickhouse.Open(&o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			const comment = `it's \ "quoted" \n`
			with := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"log_comment": comment}))
			var database, got string
			err = conn.QueryRow(with, "SELECT currentDatabase(), getSetting('log_comment')").Scan(&database, &got)
			if err != nil || database != o.Auth.Database || got != comment {
				t.Errorf("database %q and setting %q, %v; want %q and %q", database, got, err, o.Auth.Database, comment)
			}
		})
	}
}

func TestErrorsHaveCodes(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		with := func(s clickhouse.Settings) context.Context {
			return clickhouse.Context(t.Context(), clickhouse.WithSettings(s))
		}
		for _, row := range []struct {
			name string
			ctx  context.Context
			text string
			code int32
		}{
			{"unknown table", t.Context(), "SELECT * FROM nope", 60},
			{"unknown database", t.Context(), "SELECT * FROM nope.nope", 81},
			{"syntax", t.Context(), "SELEC 1", 62},
			{"unknown column", t.Context(), "SELECT nocol FROM system.one", 47},
			{"in the middle", t.Context(), "SELECT throwIf(number = 3) FROM numbers(10)", 395},
			{"late", t.Context(), "SELECT throwIf(number = 3000000) FROM numbers(4000000)", 395},
			{"too many rows", with(clickhouse.Settings{"max_result_rows": 5}), "SELECT number FROM numbers(100)", 396},
			{"unknown setting", with(clickhouse.Settings{"no_such_setting": 1}), "SELECT 1", 115},
			{"a setting that is SQL", with(clickhouse.Settings{"max_threads = 1; SELECT 1; --": 1}), "SELECT 1", 115},
		} {
			t.Run(row.name, func(t *testing.T) {
				err := drain(conn.Query(row.ctx, row.text))
				if codeOf(err) != row.code {
					t.Errorf("got %v, want an exception of code %d", err, row.code)
				}
				if err := conn.Ping(t.Context()); err != nil {
					t.Errorf("the connection is not good any more: %v", err)
				}
			})
		}
	})
}

// codeOf is the code of the server's exception, 0 for any other error.
func codeOf(err error) int32 {
	if e, ok := errors.AsType[*clickhouse.Exception](err); ok {
		return e.Code
	}
	return 0
}

// drain reads all rows and answers why there are no more.
func drain(rows driver.Rows, err error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

func TestInsertErrors(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		exec(t, conn, "CREATE TABLE few (a UInt8, CONSTRAINT small CHECK a < 5) ENGINE = MergeTree ORDER BY a")
		if _, err := conn.PrepareBatch(t.Context(), "INSERT INTO missing (a)"); codeOf(err) != 60 {
			t.Errorf("into a table that is not there: %v, want code 60", err)
		}
		// Over HTTP the client finds this out by itself.
		if _, err := conn.PrepareBatch(t.Context(), "INSERT INTO few (b)"); err == nil || codeOf(err) != 16 && codeOf(err) != 0 {
			t.Errorf("into a column that is not there: %v, want code 16 or the client's own error", err)
		}
		batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO few")
		if err != nil {
			t.Fatal(err)
		}
		for range 300_000 { // more than a pipe holds
			if err := batch.Append(uint8(9)); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); codeOf(err) != 469 {
			t.Errorf("rows against the constraint: %v, want code 469", err)
		}
		insert(t, conn, "INSERT INTO few", []any{uint8(1)})
		wantRows(t, conn, "few", 1)
	})
}

func wantRows(t *testing.T, conn driver.Conn, table string, want uint64) {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM "+table).Scan(&n); err != nil || n != want {
		t.Errorf("%s has %d rows, %v; want %d", table, n, err, want)
	}
}

func TestWaysToInsert(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		exec(t, conn, "CREATE TABLE eb (a UInt8) ENGINE = MergeTree ORDER BY a")
		insert(t, conn, "INSERT INTO eb")
		wantRows(t, conn, "eb", 0)
		exec(t, conn, "INSERT INTO eb VALUES (1),(2)")
		exec(t, conn, "INSERT INTO eb SELECT number FROM numbers(4)")
		if err := conn.Exec(clickhouse.Context(t.Context(), clickhouse.WithAsync(true)), "INSERT INTO eb VALUES (3)"); err != nil {
			t.Error(err)
		}
		wantRows(t, conn, "eb", 7)
		batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO eb")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // several blocks in one INSERT
			if err := errors.Join(batch.Append(uint8(8)), batch.Flush()); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
		wantRows(t, conn, "eb", 10)
	})
}

// TestRetriedBatch holds that the engine's own deduplication is there to be
// relied on.
func TestRetriedBatch(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		exec(t, conn, "CREATE TABLE once (a UInt64) ENGINE = ReplacingMergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100")
		with := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": "1-2"}))
		for range 3 {
			batch, err := conn.PrepareBatch(with, "INSERT INTO once")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(batch.Append(uint64(1)), batch.Append(uint64(2)), batch.Send()); err != nil {
				t.Fatal(err)
			}
		}
		wantRows(t, conn, "once", 2)
	})
}

func TestEmptyResult(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		rows, err := conn.Query(t.Context(), "SELECT number, toString(number) AS s FROM numbers(5) WHERE number > {n:UInt8};", clickhouse.Named("n", 10))
		if err != nil {
			t.Fatal(err)
		}
		if columns := rows.Columns(); len(columns) > 0 && !slices.Equal(columns, []string{"number", "s"}) { // HTTP has none
			t.Errorf("columns %q", columns)
		}
		if rows.Next() || rows.Err() != nil {
			t.Errorf("a row, or %v", rows.Err())
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestBigResult(t *testing.T) {
	const want = 2_000_000
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		rows, err := conn.Query(t.Context(), "SELECT number, toString(number) FROM numbers({n:UInt64})", clickhouse.Named("n", want))
		if err != nil {
			t.Fatal(err)
		}
		var n, number uint64
		var s string
		for ; rows.Next(); n++ {
			if err := rows.Scan(&number, &s); err != nil || number != n {
				t.Fatalf("row %d has %d, %v", n, number, err)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || n != want || s != fmt.Sprint(want-1) {
			t.Errorf("%d rows, the last one %q, %v; want %d", n, s, err, want)
		}
	})
}

// TestConcurrent has sixteen clients write and read: each sees its own rows and
// parameters, and at once.
func TestConcurrent(t *testing.T) {
	const clients, batch = 16, 10
	rounds := 5
	if os.Getenv("CLAWLEDGER_SOAK") == "1" {
		rounds = 100
	}
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		exec(t, conn, "CREATE TABLE con (w UInt32, i UInt64) ENGINE = MergeTree ORDER BY (w, i)")
		var wg sync.WaitGroup
		for w := range clients {
			wg.Go(func() {
				for i := range rounds {
					if err := writeAndRead(t.Context(), conn, w, i*batch, batch); err != nil {
						t.Errorf("client %d, round %d: %v", w, i, err)
						return
					}
				}
			})
		}
		wg.Wait()
		wantRows(t, conn, "con", uint64(clients*rounds*batch))
	})
}

func writeAndRead(ctx context.Context, conn driver.Conn, client, before, rows int) error {
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO con")
	if err != nil {
		return err
	}
	for i := range rows {
		if err := batch.Append(uint32(client), uint64(before+i)); err != nil {
			return err
		}
	}
	if err := batch.Send(); err != nil {
		return err
	}
	var n uint64
	var s string
	me := fmt.Sprint("client ", client)
	err = conn.QueryRow(ctx, "SELECT count(), {s:String} FROM con WHERE w = {w:UInt32}", clickhouse.Named("w", client), clickhouse.Named("s", me)).Scan(&n, &s)
	if err == nil && (n != uint64(before+rows) || s != me) {
		err = fmt.Errorf("saw %d rows as %q, want %d", n, s, before+rows)
	}
	return err
}

func TestDeadline(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := drain(conn.Query(ctx, "SELECT sleepEachRow(0.1) FROM numbers(10) SETTINGS max_block_size = 1"))
		if err == nil {
			t.Error("a query outlived its deadline")
		}
		if err := conn.Ping(t.Context()); err != nil {
			t.Errorf("the next request: %v", err)
		}
	})
}

func TestDatabaseSQL(t *testing.T) {
	for _, m := range chrigtest.Modes() {
		t.Run(m.String(), func(t *testing.T) {
			db := clickhouse.OpenDB(chrigtest.Options(t, m.Protocol, m.Compression))
			defer func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}()
			var n uint64
			if err := db.QueryRowContext(t.Context(), "SELECT toUInt64(?)", 5).Scan(&n); err != nil || n != 5 {
				t.Errorf("%d, %v; want 5", n, err)
			}
		})
	}
}

// TestExternalTablesAreRefused, and the connection stays good.
func TestExternalTablesAreRefused(t *testing.T) {
	conn := chrigtest.Open(t, clickhouse.Native, clickhouse.CompressionLZ4)
	table, err := ext.NewTable("ext1", ext.Column("k", "UInt64"))
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Append(uint64(5)); err != nil {
		t.Fatal(err)
	}
	err = drain(conn.Query(clickhouse.Context(t.Context(), clickhouse.WithExternalTable(table)), "SELECT sum(k) FROM ext1"))
	if codeOf(err) != 48 {
		t.Errorf("got %v, want code 48", err)
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
