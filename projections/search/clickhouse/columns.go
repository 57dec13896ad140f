package clickhouse

import (
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/clawoffice/ledger/projections/search"
)

// column is one member of the table of rows.
type column struct {
	name, kind, codec string
	put               func(into driver.BatchColumn, rows []search.Row, stamp int64) error
}

// The kinds of columns, as ClickHouse names them.
const (
	few    = "LowCardinality(String)" // texts that come again and again
	many   = "String"
	number = "Int64"
)

// columns are in the order in which rows are sent. Texts that a person chose
// from a list are a dictionary and a number; what differs from row to row by
// little is stored as differences.
func columns() []column {
	const rising, packed = "Delta, ZSTD(1)", "ZSTD(1)"
	return []column{
		{"workspace", few, packed, texts(func(r *search.Row) string { return string(r.Workspace) })},
		{"position", number, rising, numbers(func(r *search.Row) int64 { return int64(r.Position) })},
		{"stamp", number, rising, stamps},
		{"time", number, rising, numbers(func(r *search.Row) int64 { return r.Time.UnixMicro() })},
		{"answer", many, packed, texts(encode)},
		{"actor", few, packed, field(search.Actor)},
		{"kind", few, packed, field(search.Kind)},
		{"type", few, packed, field(search.Type)},
		{"stream", many, packed, field(search.Stream)},
		{"execution", many, packed, field(search.Execution)},
		{"workflow", few, packed, field(search.Workflow)},
		{"action", few, packed, field(search.Action)},
		{"outcome", few, packed, field(search.Outcome)},
		{"severity", "UInt8", packed, severities},
		{"model", few, packed, field(search.Model)},
		{"prompt", number, packed, numbers(func(r *search.Row) int64 { return int64(r.PromptTokens) })},
		{"output", number, packed, numbers(func(r *search.Row) int64 { return int64(r.OutputTokens) })},
		{"cost", number, packed, numbers(func(r *search.Row) int64 { return int64(r.Cost) })},
		{"policy", few, packed, field(search.Policy)},
		{"rule", few, packed, field(search.Rule)},
		{"approval", many, packed, field(search.Approval)},
		{"credential", few, packed, field(search.Credential)},
		{"correlation", many, packed, field(search.Correlation)},
		{"class", few, packed, texts(func(r *search.Row) string { return string(r.Class) })},
		{"subject", few, packed, texts(func(r *search.Row) string { return string(r.Subject) })},
		{"tags", "Array(FixedString(8))", packed, tags},
	}
}

// insertion is the statement that rows are sent with.
func insertion() string {
	var names []string
	for _, c := range columns() {
		names = append(names, c.name)
	}
	return fmt.Sprintf("INSERT INTO %s (%s)", rowTable, strings.Join(names, ", "))
}

// insertedColumns spares HTTP a question for each batch.
func insertedColumns() (list []clickhouse.ColumnNameAndType) {
	for _, c := range columns() {
		list = append(list, clickhouse.ColumnNameAndType{Name: c.name, Type: c.kind})
	}
	return list
}

func texts(of func(*search.Row) string) func(driver.BatchColumn, []search.Row, int64) error {
	return func(into driver.BatchColumn, rows []search.Row, _ int64) error {
		list := make([]string, len(rows))
		for i := range rows {
			list[i] = of(&rows[i])
		}
		return into.Append(list)
	}
}

func field(f search.Field) func(driver.BatchColumn, []search.Row, int64) error {
	return texts(func(r *search.Row) string {
		text, _ := r.Text(f)
		return text
	})
}

func numbers(of func(*search.Row) int64) func(driver.BatchColumn, []search.Row, int64) error {
	return func(into driver.BatchColumn, rows []search.Row, _ int64) error {
		list := make([]int64, len(rows))
		for i := range rows {
			list[i] = of(&rows[i])
		}
		return into.Append(list)
	}
}

func stamps(into driver.BatchColumn, rows []search.Row, stamp int64) error {
	return numbers(func(*search.Row) int64 { return stamp })(into, rows, stamp)
}

func severities(into driver.BatchColumn, rows []search.Row, _ int64) error {
	list := make([]uint8, len(rows))
	for i := range rows {
		list[i] = rows[i].Severity
	}
	return into.Append(list)
}

// tags cuts one string for each row, so that a tag takes no memory of its own.
func tags(into driver.BatchColumn, rows []search.Row, _ int64) error {
	var bytes []byte
	var list []string
	for i := range rows {
		bytes, list = bytes[:0], list[:0]
		for _, t := range rows[i].Tags {
			bytes = append(bytes, t[:]...)
		}
		for all := string(bytes); all != ""; all = all[len(search.Tag{}):] {
			list = append(list, all[:len(search.Tag{})])
		}
		if err := into.AppendRow(list); err != nil {
			return err
		}
	}
	return nil
}
