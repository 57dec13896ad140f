package approvals

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
	list := func(f Filter) string {
		sql, _ := f.list("acme", 1, 1)
		return sql
	}
	mine := func(f Filter) string {
		sql, _ := f.mine("acme", "r", place{})
		return sql
	}
	everything := func(f Filter) Filter {
		f.Requester, f.Kind, f.Risk = domain.Operator(), "k", "low"
		return f
	}
	tests := []struct{ name, sql, index string }{
		{"all", list(Filter{}), "approval_ws"},
		{"by status", list(Filter{Status: "denied"}), "approval_status (ws=? AND status=?"},
		{"by requester", list(Filter{Requester: domain.Operator()}), "approval_requester"},
		{"by kind", list(Filter{Kind: "k"}), "approval_kind"},
		{"by risk", list(Filter{Risk: "low"}), "approval_risk"},
		{"pending by everything", list(everything(Filter{Status: "pending"})), "approval_status (ws=? AND status=?"},
		{"expired", list(Filter{Status: "expired"}), "approval_status (ws=? AND status=?"},
		{"expired by everything", list(everything(Filter{Status: "expired"})), "approval_requester"},
		{"mine", mine(Filter{}), "PRIMARY KEY (ws=? AND role=? AND (expires,number)>"},
		{"mine by everything", mine(everything(Filter{})), "PRIMARY KEY (ws=? AND role=? AND (expires,number)>"},
		{"one", oneSQL, "approval_id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var plan []string
			query, err := conn.Prepare("EXPLAIN QUERY PLAN " + tt.sql)
			if err != nil {
				t.Fatal(err)
			}
			for {
				more, err := query.Step()
				if err != nil {
					t.Fatal(err)
				}
				if !more {
					break
				}
				plan = append(plan, query.ColumnText(3))
			}
			all := strings.Join(plan, "\n")
			if !strings.Contains(all, tt.index) || strings.Contains(all, "SCAN") || strings.Contains(all, "TEMP B-TREE") {
				t.Errorf("it should go by %s:\n%s", tt.index, all)
			}
		})
	}
}
