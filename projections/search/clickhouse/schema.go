package clickhouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/clawoffice/ledger/projections/search"
)

// The tables.
const (
	rowTable   = "search_row"
	stateTable = "search_state"
)

// version is part of each table's comment. Another one means that the tables
// are made again.
const version = "clawledger audit search, version 1"

// durable has an INSERT return when its files are synced.
const durable = "fsync_after_insert = 1, fsync_part_directory = 1"

// greatest has merges keep the greatest number.
const greatest = "SimpleAggregateFunction(max, Int64)"

// sparse has little be read for a row that stands alone among rows that do not
// match, as most hits of words do.
const sparse = "index_granularity = 1024, min_compress_block_size = 16384"

// schema is how each table is made.
func schema() map[string]string {
	var list []string
	for _, c := range columns() {
		list = append(list, fmt.Sprintf("%s %s CODEC(%s)", c.name, c.kind, c.codec))
	}
	for _, name := range []string{"actor", "execution", "approval", "correlation"} {
		list = append(list, fmt.Sprintf("INDEX by_%s %s TYPE bloom_filter(0.01) GRANULARITY 1", name, name))
	}
	list = append(list, "INDEX by_time time TYPE minmax GRANULARITY 1",
		"INDEX by_tag tags TYPE text(tokenizer = 'array', posting_list_codec = 'bitpacking')")
	return map[string]string{
		rowTable: fmt.Sprintf("(%s) ENGINE = ReplacingMergeTree(stamp) PARTITION BY %s ORDER BY (workspace, position) SETTINGS %s",
			strings.Join(list, ", "), month, strings.Join([]string{sparse, whole, durable}, ", ")),
		stateTable: fmt.Sprintf("(workspace String, kind String, key String, before Int64, position %[1]s, stamp %[1]s)"+
			" ENGINE = AggregatingMergeTree ORDER BY (workspace, kind, key, before) SETTINGS %[2]s", greatest, durable),
	}
}

// whole has each month be one part, a day after it ended. FINAL has nothing to
// do in such a month, and a question little to open.
const whole = "min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1"

// month is the partition of a row. What is later than 2099 is in one.
const month = "toYYYYMM(toDateTime(least(intDiv(time, 1000000), 4102444799), 'UTC'))"

// checkServer refuses a server that lacks the text index.
func (e *Engine) checkServer(ctx context.Context) error {
	var text string
	if err := e.conn.QueryRow(ctx, "SELECT version()").Scan(&text); err != nil {
		return err
	}
	return checkVersion(text)
}

func checkVersion(text string) error {
	var year, release int
	if _, err := fmt.Sscanf(text, "%d.%d", &year, &release); err != nil {
		return fmt.Errorf("the server says that its version is %q; is it ClickHouse?", text)
	}
	if year < 26 || year == 26 && release < 2 {
		return fmt.Errorf("the server is ClickHouse %s, which has no text index for tags; 26.2 or newer is needed", text)
	}
	return nil
}

// setUp makes the tables that are missing, and refuses those of another version.
func (e *Engine) setUp(ctx context.Context) error {
	if err := e.checkServer(ctx); err != nil {
		return err
	}
	rows, err := e.conn.Query(ctx, "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'search_')")
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for rows.Next() {
		var name, comment string
		if err := rows.Scan(&name, &comment); err != nil {
			return err
		}
		if _, ours := schema()[name]; ours && comment != version {
			return fmt.Errorf("%w: the table %s says %q and not %q; drop the tables %s and %s, and the index is made again from the log",
				search.ErrDamaged, name, comment, version, rowTable, stateTable)
		}
		found[name] = true
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for name, definition := range schema() {
		if found[name] {
			continue
		}
		if err := e.conn.Exec(ctx, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s %s COMMENT '%s'", name, definition, version)); err != nil {
			return fmt.Errorf("making the table %s: %w", name, err)
		}
	}
	return nil
}
