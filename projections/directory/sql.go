package directory

import (
	"strings"

	"zombiezen.com/go/sqlite"
)

// exec runs a statement, prepared once per connection.
func exec(conn *sqlite.Conn, sql string, args ...any) error {
	return query(conn, sql, nil, args...)
}

// query runs a statement and calls row for each row it answers. Arguments are
// int64 and string.
func query(conn *sqlite.Conn, sql string, row func(*sqlite.Stmt) error, args ...any) error {
	s, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	for i, arg := range args {
		switch v := arg.(type) {
		case int64:
			s.BindInt64(i+1, v)
		case string:
			s.BindText(i+1, v)
		}
	}
	return step(s, row)
}

// step steps through a bound statement and resets it.
func step(s *sqlite.Stmt, row func(*sqlite.Stmt) error) error {
	for {
		more, err := s.Step()
		if err == nil && more && row != nil {
			err = row(s)
		}
		if err != nil {
			_ = s.Reset() // answers the same error again
			return err
		}
		if !more {
			return s.Reset()
		}
	}
}

// batchRows, and fewRows at the end of a batch, are how many rows one statement
// inserts.
const (
	batchRows = 32
	fewRows   = 8
)

// batch inserts rows of integers, many with one statement.
type batch struct {
	table   string
	columns []string
	values  []int64
	texts   map[int]string // the statement for so many rows
}

func (b *batch) add(conn *sqlite.Conn, row ...int64) error {
	b.values = append(b.values, row...)
	if len(b.values) < batchRows*len(b.columns) {
		return nil
	}
	return b.insert(conn, batchRows)
}

// flush inserts what does not fill a statement.
func (b *batch) flush(conn *sqlite.Conn) error {
	for len(b.values) > 0 {
		rows := 1
		if len(b.values) >= fewRows*len(b.columns) {
			rows = fewRows
		}
		if err := b.insert(conn, rows); err != nil {
			return err
		}
	}
	return nil
}

// insert inserts the first rows.
func (b *batch) insert(conn *sqlite.Conn, rows int) error {
	sql, ok := b.texts[rows]
	if !ok {
		sql = b.sql(rows)
		b.texts[rows] = sql
	}
	s, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	n := rows * len(b.columns)
	for i, v := range b.values[:n] {
		s.BindInt64(i+1, v)
	}
	b.values = append(b.values[:0], b.values[n:]...)
	return step(s, nil)
}

func (b *batch) sql(rows int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(b.columns)), ", ") + ")"
	return "INSERT INTO " + b.table + " (" + strings.Join(b.columns, ", ") + ") VALUES " +
		strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ")
}

// recent remembers the values met lately, in two generations.
type recent[K comparable, V any] struct {
	limit      int
	young, old map[K]V
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, young: map[K]V{}}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	v, ok := r.young[key]
	if !ok {
		if v, ok = r.old[key]; ok {
			r.put(key, v)
		}
	}
	return v, ok
}

func (r *recent[K, V]) put(key K, v V) {
	if len(r.young) >= r.limit {
		r.young, r.old = map[K]V{}, r.young
	}
	r.young[key] = v
}
