package directory

import (
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Every id is in one of the two tables, once, whenever they are moved.
func TestIDsAreMoved(t *testing.T) {
	conn, err := sqlite.OpenConn(filepath.Join(t.TempDir(), "ids.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, schema, nil); err != nil {
		t.Fatal(err)
	}
	count := func(table string) (n int64) {
		err := query(conn, "SELECT count(*) FROM "+table, func(s *sqlite.Stmt) error {
			n = s.ColumnInt64(0)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	w, position := newIDs(100), int64(0)
	moved := 0
	for round := range 20 {
		if round%5 == 4 {
			w = newIDs(100) // as after a restart
		}
		for range 30 {
			position++
			w.list = append(w.list, [2]int64{position * 7919 % 1000, position})
		}
		if err := w.flush(conn); err != nil {
			t.Fatal(err)
		}
		fresh, old := count("new_id"), count("event_id")
		if fresh+old != position || fresh >= 100 {
			t.Fatalf("after %d ids %d are gathered and %d moved", position, fresh, old)
		}
		if fresh == 0 {
			moved++
		}
	}
	if moved != 5 { // each 4 rounds of 30
		t.Errorf("moved %d times, want 5", moved)
	}
}
