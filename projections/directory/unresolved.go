package directory

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain"
)

// countUnresolved reads the index of what is unresolved and nothing else.
const countUnresolved = `SELECT count(*) FROM execution INDEXED BY execution_unresolved WHERE unresolved = 1`

const countUnresolvedIn = `SELECT count(*) FROM execution WHERE ws = (SELECT id FROM name WHERE text = ?) AND unresolved = 1`

// UnresolvedIn counts those of one workspace.
func (m *Model) UnresolvedIn(ctx context.Context, ws domain.WorkspaceID) (n int, err error) {
	err = m.view(ctx, func(conn *sqlite.Conn) error {
		return query(conn, countUnresolvedIn, func(s *sqlite.Stmt) error {
			n = s.ColumnInt(0)
			return nil
		}, string(ws))
	})
	return n, err
}

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
