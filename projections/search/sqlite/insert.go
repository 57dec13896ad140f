package sqlite

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

// Insert takes in a batch, see [search.Engine].
func (e *Engine) Insert(ctx context.Context, b search.Batch) error {
	if err := b.Valid(); err != nil {
		return err
	}
	err := e.write(ctx, func(conn *sqlite.Conn) error {
		at, err := number(conn, `SELECT position FROM state`)
		switch stands := eventlog.Position(at); {
		case err != nil:
			return err
		case b.From > stands:
			return fmt.Errorf("%w: it begins after %d, and the index stands at %d", search.ErrGap, b.From, stands)
		case b.To <= stands:
			return nil
		default:
			return e.insert(conn, since(b.Rows, stands), b.To)
		}
	})
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", ctx.Err(), err) // SQLite words an interruption in many ways
	}
	if err != nil {
		return fmt.Errorf("inserting into the search index: %w", err)
	}
	return nil
}

// since is the rows after a position.
func since(rows []search.Row, at eventlog.Position) []search.Row {
	for len(rows) > 0 && rows[0].Position <= at {
		rows = rows[1:]
	}
	return rows
}

func (e *Engine) insert(conn *sqlite.Conn, rows []search.Row, to eventlog.Position) error {
	numbers := map[domain.WorkspaceID]int64{}
	byWorkspace := map[int64][]search.Row{}
	var order []int64
	for i := range rows {
		ws, ok := numbers[rows[i].Workspace]
		if !ok {
			var err error
			if ws, err = workspaceNumber(conn, rows[i].Workspace); err != nil {
				return err
			}
			numbers[rows[i].Workspace] = ws
			order = append(order, ws)
		}
		byWorkspace[ws] = append(byWorkspace[ws], rows[i])
	}
	if err := e.insertTags(conn, numbers, rows); err != nil {
		return err
	}
	for _, ws := range order {
		if err := e.appendRows(conn, ws, byWorkspace[ws]); err != nil {
			return err
		}
	}
	return sqlitex.Execute(conn, `UPDATE state SET position = ?`, &sqlitex.ExecOptions{Args: []any{int64(to)}})
}

const workspaceSQL = `SELECT id FROM workspace WHERE name = ?`

// workspaceNumber answers a workspace's number, given now if it has none.
func workspaceNumber(conn *sqlite.Conn, ws domain.WorkspaceID) (int64, error) {
	n, err := number(conn, workspaceSQL, string(ws))
	if err != nil || n != 0 {
		return n, err
	}
	return number(conn, `INSERT INTO workspace (name) VALUES (?) RETURNING id`, string(ws))
}

// appendRows adds rows behind those of a workspace, first to its newest chunk.
func (e *Engine) appendRows(conn *sqlite.Conn, ws int64, rows []search.Row) error {
	tail := chunk{ws: ws}
	err := sqlitex.Execute(conn, newestSQL, &sqlitex.ExecOptions{Args: []any{ws}, ResultFunc: func(s *sqlite.Stmt) error {
		tail = scanChunk(s, ws)
		return nil
	}})
	if err != nil {
		return err
	}
	if tail.id != 0 && tail.rows < e.options.chunkRows {
		v := view{chunk: tail, codec: e.codec, conn: conn}
		old, err := v.allRows(rows[0].Workspace)
		if err != nil {
			return err
		}
		rows = append(old, rows...)
	} else {
		tail = chunk{ws: ws}
	}
	for ; len(rows) > 0; tail = (chunk{ws: ws}) {
		if tail.id == 0 {
			if tail.id, err = number(conn, `SELECT coalesce(max(id), 0) + 1 FROM chunk`); err != nil {
				return err
			}
		}
		n := min(len(rows), e.options.chunkRows)
		if err := tail.write(conn, e.codec, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}
