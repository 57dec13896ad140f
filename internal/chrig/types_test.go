package chrig_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/clawoffice/ledger/internal/chrig/chrigtest"
)

// exec runs a statement that has to succeed.
func exec(t *testing.T, conn driver.Conn, text string, args ...any) {
	t.Helper()
	if err := conn.Exec(t.Context(), text, args...); err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
}

// insert sends rows in one batch.
func insert(t *testing.T, conn driver.Conn, into string, rows ...[]any) {
	t.Helper()
	batch, err := conn.PrepareBatch(t.Context(), into)
	if err != nil {
		t.Fatalf("%.200s: %v", into, err)
	}
	for _, row := range rows {
		if err := batch.Append(row...); err != nil {
			t.Fatalf("appending to %.200s: %v", into, err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatalf("sending %d rows of %.200s: %v", len(rows), into, err)
	}
}

// row has one field for each kind of column that is tried both ways.
type row struct {
	A  uint64            `ch:"a"`
	S  string            `ch:"s"`
	L  string            `ch:"l"`
	T  time.Time         `ch:"t"`
	U  uuid.UUID         `ch:"u"`
	Ar []uint64          `ch:"ar"`
	As []string          `ch:"as"`
	N  *string           `ch:"n"`
	D  decimal.Decimal   `ch:"d"`
	M  map[string]string `ch:"m"`
	F  float64           `ch:"f"`
	E  string            `ch:"e"`
	B  bool              `ch:"b"`
}

const rowColumns = `a UInt64, s String, l LowCardinality(String), t DateTime64(3,'UTC'), u UUID, ar Array(UInt64),
	as Array(LowCardinality(String)), n Nullable(String), d Decimal(18,6), m Map(String,String), f Float64,
	e Enum8('x'=1,'y'=2), b Bool, mat UInt64 MATERIALIZED a+1`

func randomRow(i int) row {
	r := row{A: uint64(i), S: hostile[i%len(hostile)] + strings.Repeat("z", i%50), L: fmt.Sprint("k", i%7),
		T: time.UnixMilli(1700000000000 + int64(i)).UTC(), U: uuid.New(), Ar: []uint64{rand.Uint64(), uint64(i)},
		As: []string{"q", fmt.Sprint(i % 3)}, D: decimal.New(int64(i), -3), M: map[string]string{hostile[i%len(hostile)]: fmt.Sprint(i)},
		F: float64(i) / 3, E: []string{"x", "y"}[i%2], B: i%2 == 0}
	if i%3 == 0 {
		r.N = &r.S
	}
	return r
}

// hostile are strings that an INSERT's rows would not survive as text.
var hostile = []string{"", "it's\n\t\\ é", ";", ";\nSELECT 1;", "'); DROP TABLE ty; --", "`\"\x00\x01\xff\xfe", "/* ", "\nFORMAT Native\n", everyByte()}

func everyByte() string {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return string(all)
}

func TestTypesBothWays(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		exec(t, conn, "CREATE TABLE ty ("+rowColumns+") ENGINE = MergeTree ORDER BY a")
		batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO ty")
		if err != nil {
			t.Fatal(err)
		}
		var sent, got []row
		for i := range 1000 {
			sent = append(sent, randomRow(i))
			if err := batch.AppendStruct(&sent[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
		if err := conn.Select(t.Context(), &got, "SELECT * FROM ty ORDER BY a"); err != nil {
			t.Fatal(err)
		}
		sameTime := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
		sameDecimal := cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) })
		if diff := cmp.Diff(sent, got, sameTime, sameDecimal); diff != "" {
			t.Errorf("rows changed on their way (-sent +got):\n%s", diff)
		}
	})
}

func TestColumnsInAnotherOrder(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		exec(t, conn, "CREATE TABLE ty ("+rowColumns+") ENGINE = MergeTree ORDER BY a")
		insert(t, conn, "INSERT INTO ty (s, a)", []any{"later", uint64(777777)})
		var s string
		var mat uint64
		if err := conn.QueryRow(t.Context(), "SELECT s, mat FROM ty").Scan(&s, &mat); err != nil || s != "later" || mat != 777778 {
			t.Errorf("got %q, %d, %v; want later, 777778", s, mat, err)
		}
	})
}

// TestTypesRead reads kinds of columns that are harder to find the end of. What
// follows each of them shows whether it was found.
func TestTypesRead(t *testing.T) {
	kinds := []string{
		"toFixedString('abcdefgh', 8)", "[toFixedString('abcdefgh', 8)]", "toDate32('2026-11-02')", "toDateTime64('2026-11-02 09:30:00', 9, 'UTC')",
		"toIPv4('10.1.2.3')", "toIPv6('::1')", "toInt128(-5)", "toUInt256(7)", "toDecimal128('1.5', 9)", "(1, 'two', [3])", "[[1], [2, NULL]]",
		"map('a', [1, 2])", "(10.5, 20.5)::Point", "INTERVAL 3 DAY", "'{\"a\":{\"b\":1}}'::JSON", "42::Dynamic", "'x'::Variant(String, UInt64)",
		"toLowCardinality(toNullable('x'))", "NULL", "toNullable(5)", "toFloat32(1.5)", "generateUUIDv4()", "toBFloat16(1.5)", "toTime64('01:02:03', 3)",
	}
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		for _, kind := range kinds {
			rows, err := conn.Query(t.Context(), "SELECT "+kind+", 'after', number FROM numbers(3)"+
				" SETTINGS allow_experimental_bfloat16_type = 1, enable_time_time64_type = 1")
			if err != nil {
				t.Errorf("%s: %v", kind, err)
				continue
			}
			n := uint64(0)
			for ; rows.Next(); n++ {
				value := reflect.New(rows.ColumnTypes()[0].ScanType())
				var after string
				var number uint64
				if err := rows.Scan(value.Interface(), &after, &number); err != nil || after != "after" || number != n {
					t.Errorf("%s, row %d: %q, %d, %v", kind, n, after, number, err)
				}
			}
			if rows.Err() != nil || n != 3 {
				t.Errorf("%s: %d rows, %v; want 3", kind, n, rows.Err())
			}
			if err := rows.Close(); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
}

// TestColumnCounts inserts into 1 to 200 columns. Their number is the first byte
// of a block, where the engine's parser once looked for the end of a statement.
func TestColumnCounts(t *testing.T) {
	chrigtest.Each(t, func(t *testing.T, conn driver.Conn) {
		for _, n := range []int{1, 2, 9, 10, 13, 32, 34, 39, 45, 47, 59, 92, 96, 127, 128, 200} {
			var columns []string
			for i := range n {
				columns = append(columns, fmt.Sprintf("`c ',;)\\`%d` UInt32", i))
			}
			table := fmt.Sprint("cc", n)
			exec(t, conn, "CREATE TABLE "+table+" ("+strings.Join(columns, ",")+") ENGINE = Memory")
			values := make([]any, n)
			for i := range values {
				values[i] = uint32(0x27272727 + i*0x01010101%math.MaxUint16)
			}
			total := 0
			for _, rows := range []int{1, 10, 39} {
				batch := make([][]any, rows)
				for i := range batch {
					batch[i] = values
				}
				insert(t, conn, "INSERT INTO "+table, batch...)
				total += rows
			}
			var count, sum uint64
			err := conn.QueryRow(t.Context(), fmt.Sprintf("SELECT count(), sum(`c ',;)\\`%d`) FROM %s", n-1, table)).Scan(&count, &sum)
			if want := uint64(total) * uint64(values[n-1].(uint32)); err != nil || count != uint64(total) || sum != want {
				t.Errorf("%d columns: %d rows with sum %d, %v; want %d with %d", n, count, sum, err, total, want)
			}
		}
	})
}
