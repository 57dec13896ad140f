package spending

import (
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// No question reads a whole table; only shares are sorted, after those of one
// window were found.
func TestQueriesUseIndexes(t *testing.T) {
	conn, err := sqlite.OpenConn(":memory:", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, schema, nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, sql, index string
		sorts            bool
	}{
		{"windows", windowsSQL, "USING INDEX sqlite_autoindex_budget_window_1 (ws=? AND budget=? AND epoch=? AND start<?)", false},
		{"shares", sharesSQL, "SEARCH share USING PRIMARY KEY (window=?)", true},
		{"steps", stepsSQL, "SEARCH step USING PRIMARY KEY (window=?)", false},
		{"alerts", alertsSQL, "SEARCH alert USING PRIMARY KEY (window=?)", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			explain, _, err := conn.PrepareTransient("EXPLAIN QUERY PLAN " + tt.sql)
			if err != nil {
				t.Fatal(err)
			}
			defer explain.Finalize()
			var plan []string
			for {
				more, err := explain.Step()
				if err != nil {
					t.Fatal(err)
				}
				if !more {
					break
				}
				plan = append(plan, explain.ColumnText(3))
			}
			all := strings.Join(plan, "\n")
			if !strings.Contains(all, tt.index) || strings.Contains(all, "TEMP B-TREE") != tt.sorts || strings.Contains(all, "SCAN share") || strings.Contains(all, "SCAN alert") {
				t.Errorf("it should go by %s:\n%s", tt.index, all)
			}
		})
	}
}
