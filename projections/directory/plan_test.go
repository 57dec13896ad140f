package directory

import (
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
)

// No list is served by reading a whole table, nor by sorting what was read.
func TestQueriesUseIndexes(t *testing.T) {
	conn, err := sqlite.OpenConn(filepath.Join(t.TempDir(), "plan.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, schema, nil); err != nil {
		t.Fatal(err)
	}
	sqlOf := func(l *list) string {
		sql, err := l.sql()
		if err != nil {
			t.Fatal(err)
		}
		return sql
	}
	everything := ExecutionFilter{Status: "started", Workflow: "w", Actor: domain.Operator(), Unresolved: true, OldestFirst: true}
	tests := []struct{ name, sql, index string }{
		{"executions", sqlOf(ExecutionFilter{}.list("acme")), "execution_ws"},
		{"executions by status", sqlOf(ExecutionFilter{Status: "started"}.list("acme")), "execution_status"},
		{"executions by workflow", sqlOf(ExecutionFilter{Workflow: "w"}.list("acme")), "execution_workflow"},
		{"executions by actor", sqlOf(ExecutionFilter{Actor: domain.Operator()}.list("acme")), "execution_actor"},
		{"unresolved executions", sqlOf(ExecutionFilter{Unresolved: true}.list("acme")), "execution_unresolved"},
		{"how many are unresolved", countUnresolved, "COVERING INDEX execution_unresolved"},
		{"executions by everything", sqlOf(everything.list("acme")), "execution_unresolved"},
		{"an execution", executionColumns + executionNames + " WHERE e.id = ?", "INTEGER PRIMARY KEY"},
		{"events", eventsSQL(EventFilter{}), "PRIMARY KEY"},
		{"events by stream", eventsSQL(EventFilter{Stream: "s"}), "event_stream"},
		{"events by type", eventsSQL(EventFilter{Type: "t"}), "event_type"},
		{"events by both", eventsSQL(EventFilter{Stream: "s", Type: "t"}), "event_stream"},
		{"an event", eventsByID()[0], "SEARCH i USING PRIMARY KEY"},
		{"a new event", eventsByID()[1], "SEARCH i USING PRIMARY KEY"},
		{"a stream", "SELECT id FROM stream WHERE hash = 1 AND ws = 1 AND name = 'x'", "stream_hash"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var plan []string
			err := query(conn, "EXPLAIN QUERY PLAN "+tt.sql, func(s *sqlite.Stmt) error {
				plan = append(plan, s.ColumnText(3))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(plan, "\n")
			scans := strings.Contains(all, "SCAN") && tt.sql != countUnresolved // which reads all of a small index
			if !strings.Contains(all, tt.index) || scans || strings.Contains(all, "TEMP B-TREE") {
				t.Errorf("it should go by %s:\n%s", tt.index, all)
			}
		})
	}
}
