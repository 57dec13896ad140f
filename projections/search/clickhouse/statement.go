package clickhouse

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// statement is a text with the values that it names. Values never become part
// of the text.
type statement struct {
	params clickhouse.Parameters
}

func newStatement() *statement { return &statement{params: clickhouse.Parameters{}} }

// param answers how the text names a value of a type.
func (s *statement) param(kind, value string) string {
	name := "p" + strconv.Itoa(len(s.params))
	s.params[name] = value
	return "{" + name + ":" + kind + "}"
}

func (s *statement) number(n int64) string { return s.param("Int64", strconv.FormatInt(n, 10)) }

// text sends any bytes in hexadecimal, which no protocol escapes.
func (s *statement) text(v string) string {
	return "unhex(" + s.param("String", hex.EncodeToString([]byte(v))) + ")"
}

func (s *statement) texts(list []string) string {
	quoted := make([]string, len(list))
	for i, v := range list {
		quoted[i] = "'" + hex.EncodeToString([]byte(v)) + "'"
	}
	return "arrayMap(x -> unhex(x), " + s.param("Array(String)", "["+strings.Join(quoted, ",")+"]") + ")"
}

func (s *statement) numbers(list []int64) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.FormatInt(n, 10)
	}
	return s.param("Array(Int64)", "["+strings.Join(words, ",")+"]")
}

// context carries the values and the settings to the server.
func (s *statement) context(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(settings()), clickhouse.WithParameters(s.params))
}

// settings make or break it, whatever the server's defaults are.
func settings() clickhouse.Settings {
	return clickhouse.Settings{
		"async_insert":                                0, // batches are made here
		"insert_deduplicate":                          0, // it would remember rows that were removed since; stamps tell repeats apart
		"max_partitions_per_insert_block":             0, // a batch may be of many months; it counts when its position is written
		"use_top_k_dynamic_filtering":                 0, // with it, ORDER BY and LIMIT read tags instead of their index
		"do_not_merge_across_partitions_select_final": 1, // a position has one time, so one partition
		"use_skip_indexes_if_final":                   1,
		"use_skip_indexes_if_final_exact_mode":        1,
		"max_query_size":                              4 << 20, // the largest query's text
		"mutations_sync":                              0,       // sweeps wait themselves
	}
}

// collect runs a question and hands each row to scan.
func (e *Engine) collect(ctx context.Context, s *statement, text string, scan func(func(...any) error) error) error {
	rows, err := e.conn.Query(s.context(ctx), text)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			_ = rows.Close()
			return fmt.Errorf("reading an answer: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		_ = rows.Close()
		return err
	}
	return rows.Close()
}
