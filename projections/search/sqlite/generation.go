package sqlite

import (
	"fmt"
	"strconv"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/projections/search"
)

// generationRows is how many rows' tags share a table. In tables of this size
// the cost of an insert does not grow with the index, and what an erasure leaves
// is merged away in a second or two; more tables would make a rare word's search slower.
const generationRows = 1 << 18

// generation is a table of tags.
type generation struct {
	id          int64
	first, last int64 // positions
	rows        int64
}

func (g generation) table() string { return "tag_" + strconv.FormatInt(g.id, 10) }

const generationColumns = `SELECT id, first, last, rows FROM generation`

func scanGeneration(s *sqlite.Stmt) generation {
	return generation{s.ColumnInt64(0), s.ColumnInt64(1), s.ColumnInt64(2), s.ColumnInt64(3)}
}

// generations answers those that a condition holds for, in order.
func generations(conn *sqlite.Conn, where string, args ...any) (list []generation, err error) {
	err = sqlitex.Execute(conn, generationColumns+where+` ORDER BY id`, &sqlitex.ExecOptions{Args: args, ResultFunc: func(s *sqlite.Stmt) error {
		list = append(list, scanGeneration(s))
		return nil
	}})
	return list, err
}

// newGeneration makes an empty one after the newest.
func newGeneration(conn *sqlite.Conn, first int64) (g generation, err error) {
	if g.id, err = number(conn, `SELECT coalesce(max(id), 0) + 1 FROM generation`); err != nil {
		return g, err
	}
	g.first, g.last = first, first
	// Leaves of some 4,000 bytes, two on a page, have less overhead than the usual ones of 1,000.
	return g, sqlitex.ExecuteScript(conn, fmt.Sprintf(`
		CREATE VIRTUAL TABLE %[1]s USING fts5(t, content='', contentless_delete=1, detail=none, tokenize='ascii');
		INSERT INTO %[1]s (%[1]s, rank) VALUES ('pgsz', 4000);`, g.table()), nil)
}

func (g generation) write(conn *sqlite.Conn) error {
	return sqlitex.Execute(conn, `INSERT INTO generation (id, first, last, rows, sweep) VALUES (?1, ?2, ?3, ?4, 0)
		ON CONFLICT (id) DO UPDATE SET last = ?3, rows = ?4`, &sqlitex.ExecOptions{Args: []any{g.id, g.first, g.last, g.rows}})
}

// insertTags adds the tags of rows, in order of position, to the newest
// generation, and to new ones as each is full.
func (e *Engine) insertTags(conn *sqlite.Conn, numbers map[domain.WorkspaceID]int64, rows []search.Row) error {
	newest, err := generations(conn, ` WHERE id = (SELECT max(id) FROM generation)`)
	if err != nil {
		return err
	}
	var g generation
	if len(newest) > 0 {
		g = newest[0]
	}
	for len(rows) > 0 {
		if g.id == 0 || g.rows >= e.options.generationRows {
			if g, err = newGeneration(conn, int64(rows[0].Position)); err != nil {
				return err
			}
		}
		n := int(min(int64(len(rows)), e.options.generationRows-g.rows))
		if err := g.insert(conn, numbers, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (g *generation) insert(conn *sqlite.Conn, numbers map[domain.WorkspaceID]int64, rows []search.Row) error {
	s, err := conn.Prepare(`INSERT INTO ` + g.table() + ` (rowid, t) VALUES (?, ?)`)
	if err != nil {
		return err
	}
	var text []byte
	for i := range rows {
		r := &rows[i]
		if len(r.Tags) == 0 {
			continue
		}
		text = text[:0]
		for _, tag := range r.Tags {
			text = append(appendTerm(text, numbers[r.Workspace], tag), ' ')
		}
		s.BindInt64(1, int64(r.Position))
		s.BindText(2, string(text))
		if _, err := s.Step(); err != nil {
			return err
		}
		if err := s.Reset(); err != nil {
			return err
		}
		g.rows++
	}
	g.last = int64(rows[len(rows)-1].Position)
	return g.write(conn)
}

// deleteTags takes the tags of rows out, given by ascending position. A
// generation that holds none any more goes as a whole, unless it is the newest.
func deleteTags(conn *sqlite.Conn, positions []int64) (touched []generation, err error) {
	if len(positions) == 0 {
		return nil, nil
	}
	all, err := generations(conn, ` WHERE last >= ? AND first <= ?`, positions[0], positions[len(positions)-1])
	if err != nil {
		return nil, err
	}
	newest, err := number(conn, `SELECT max(id) FROM generation`)
	if err != nil {
		return nil, err
	}
	for _, g := range all {
		n, err := g.delete(conn, positions)
		switch {
		case err != nil:
			return nil, err
		case n == 0:
		case g.rows == 0 && g.id != newest:
			err = g.drop(conn)
		default:
			touched = append(touched, g)
			err = g.write(conn)
		}
		if err != nil {
			return nil, err
		}
	}
	return touched, nil
}

// delete answers how many rows of the generation had tags.
func (g *generation) delete(conn *sqlite.Conn, positions []int64) (n int64, err error) {
	for _, at := range positions {
		if at < g.first || at > g.last {
			continue
		}
		err := sqlitex.Execute(conn, `DELETE FROM `+g.table()+` WHERE rowid = ?`, &sqlitex.ExecOptions{Args: []any{at}})
		if err != nil {
			return n, err
		}
		n += int64(conn.Changes())
	}
	g.rows -= n
	return n, nil
}

func (g generation) drop(conn *sqlite.Conn) error {
	err := sqlitex.ExecuteTransient(conn, `DROP TABLE `+g.table(), nil)
	if err != nil {
		return err
	}
	return sqlitex.Execute(conn, `DELETE FROM generation WHERE id = ?`, &sqlitex.ExecOptions{Args: []any{g.id}})
}
