package sqlite

import (
	"context"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/projections/search"
)

// removeChunks is how many chunks are looked through in one transaction, so
// that inserts don't wait long.
const removeChunks = 16

// Remove takes something out, see [search.Engine].
func (e *Engine) Remove(ctx context.Context, r search.Removal) error {
	if r == nil {
		return search.ErrRemoval
	}
	if err := r.Valid(); err != nil {
		return err
	}
	var ws domain.WorkspaceID
	var remove func(*sqlite.Conn, chunk) error
	until := everything().until
	switch r := r.(type) {
	case search.Erasure:
		ws, remove = r.Workspace, func(conn *sqlite.Conn, c chunk) error { return e.erase(conn, c, r.Subject) }
	case search.Retention:
		until = roundUp(r.Before)
		ws, remove = r.Workspace, func(conn *sqlite.Conn, c chunk) error { return e.forget(conn, c, r) }
	}
	e.sweeps.hold()
	defer e.sweeps.release()
	if err := e.removeFrom(ctx, ws, until, remove); err != nil {
		return fmt.Errorf("removing from the search index: %w", err)
	}
	return nil
}

// removeFrom goes through the chunks of a workspace that have a row before a
// time, some at a time.
func (e *Engine) removeFrom(ctx context.Context, name domain.WorkspaceID, until int64, remove func(*sqlite.Conn, chunk) error) error {
	for after, more := int64(0), true; more; {
		err := e.write(ctx, func(conn *sqlite.Conn) error {
			ws, err := number(conn, workspaceSQL, string(name))
			if err != nil {
				return err
			}
			var list []chunk
			err = sqlitex.Execute(conn, chunkColumns+` INDEXED BY chunk_first WHERE ws = ? AND first > ? AND early < ? ORDER BY first LIMIT ?`,
				&sqlitex.ExecOptions{Args: []any{ws, after, until, removeChunks}, ResultFunc: func(s *sqlite.Stmt) error {
					list = append(list, scanChunk(s, ws))
					return nil
				}})
			for _, c := range list {
				if err != nil {
					return err
				}
				after = c.first
				err = remove(conn, c)
			}
			more = len(list) == removeChunks
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// erase takes out the tags of a subject's rows in a chunk.
func (e *Engine) erase(conn *sqlite.Conn, c chunk, subject domain.SubjectTag) error {
	v := &view{chunk: c, codec: e.codec, conn: conn}
	subjects, err := v.textsOf(columnSubject)
	if err != nil {
		return err
	}
	which := slices.Index(subjects.words, string(subject))
	if which < 0 {
		return nil
	}
	positions, err := v.numbersOf(columnPosition)
	if err != nil {
		return err
	}
	var gone []int64
	for i, at := range positions {
		if int(subjects.index[i]) == which {
			gone = append(gone, at)
		}
	}
	touched, err := deleteTags(conn, gone)
	for _, g := range touched {
		if err == nil {
			err = sqlitex.Execute(conn, `UPDATE generation SET sweep = 1 WHERE id = ?`, &sqlitex.ExecOptions{Args: []any{g.id}})
		}
	}
	return err
}

// forget takes the rows of a class that are too old out of a chunk.
func (e *Engine) forget(conn *sqlite.Conn, c chunk, r search.Retention) error {
	v := &view{chunk: c, codec: e.codec, conn: conn}
	classes, err := v.textsOf(columnClass)
	if err != nil || !slices.Contains(classes.words, string(r.Class)) {
		return err
	}
	rows, err := v.allRows(r.Workspace)
	if err != nil {
		return err
	}
	var gone []int64
	rows = slices.DeleteFunc(rows, func(row search.Row) bool {
		old := row.Class == r.Class && row.Time.Before(r.Before)
		if old {
			gone = append(gone, int64(row.Position))
		}
		return old
	})
	if len(gone) == 0 {
		return nil
	}
	if _, err := deleteTags(conn, gone); err != nil {
		return err
	}
	if len(rows) > 0 {
		return c.write(conn, e.codec, rows)
	}
	err = sqlitex.Execute(conn, `DELETE FROM part WHERE id >= ? AND id < ?`, &sqlitex.ExecOptions{Args: []any{c.part(0), c.part(columns)}})
	if err != nil {
		return err
	}
	return sqlitex.Execute(conn, `DELETE FROM chunk WHERE id = ?`, &sqlitex.ExecOptions{Args: []any{c.id}})
}
