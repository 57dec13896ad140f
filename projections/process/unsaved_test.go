package process

import (
	"context"
	"errors"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/process"
)

// Rows that could not be committed are written again, and rows that begin anew
// get everything: the memory is ahead of them and stays.
func TestUnsavedEntriesAreWrittenAgain(t *testing.T) {
	conn, err := sqlite.OpenConn(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, rows, nil); err != nil {
		t.Fatal(err)
	}
	m, ctx := New(), context.Background()
	m.loaded = true
	happened := func(id domain.ReservationID, over bool) {
		h := process.Happened{Workspace: "acme", Time: time.Unix(1, 0), Event: budget.Reserved{Reservation: id, ExpiresAt: time.Unix(2, 0)}}
		if over {
			h.Event = budget.Settled{Reservation: id}
		}
		m.fold(h)
	}
	flush := func(commit bool) {
		t.Helper()
		func() {
			var err error
			end := sqlitex.Transaction(conn)
			defer func() {
				if end(&err); err != nil && commit {
					t.Fatal(err)
				}
			}()
			if err = m.Flush(ctx, conn); err == nil && !commit {
				err = errors.New("the disk is full")
			}
		}()
	}
	count := func(want int) {
		t.Helper()
		n, err := sqlitex.ResultInt(conn.Prep("SELECT count(*) FROM entry"))
		if err != nil || n != want || m.Len() != want {
			t.Errorf("%d rows and %d owed, want %d: %v", n, m.Len(), want, err)
		}
	}
	happened("rs_1", false)
	happened("rs_2", false)
	flush(true)
	count(2)
	happened("rs_1", true)
	happened("rs_3", false)
	flush(false) // the deletion and the insertion are lost
	m.again(true)
	flush(true)
	count(2)
	if err := sqlitex.ExecuteScript(conn, "DELETE FROM entry;", nil); err != nil {
		t.Fatal(err)
	}
	m.again(false)
	flush(true)
	count(2)
}
