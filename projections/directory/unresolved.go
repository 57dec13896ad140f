package directory

import (
	"context"

	"zombiezen.com/go/sqlite"
)

// countUnresolved reads the index of what is unresolved and nothing else.
const countUnresolved = `SELECT count(*) FROM execution INDEXED BY execution_unresolved WHERE unresolved = 1`

// Unresolved counts the executions, of all workspaces, of which something may
// have happened whose outcome is not recorded. Those that run are among them.
func (m *Model) Unresolved(ctx context.Context) (n int, err error) {
	err = m.view(ctx, func(conn *sqlite.Conn) error {
		return query(conn, countUnresolved, func(s *sqlite.Stmt) error {
			n = s.ColumnInt(0)
			return nil
		})
	})
	return n, err
}
