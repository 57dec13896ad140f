package approvals

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/projections"
)

// change is a row before and after a batch.
type change struct {
	ws     domain.WorkspaceID
	isNew  bool
	before map[domain.RoleName]int64 // what the file says that it accepts
	waited bool                      // before the batch
	Approval
}

// Flush folds what was applied and writes each row that it touched once.
func (m *Model) Flush(_ context.Context, conn *sqlite.Conn) error {
	changes := map[key]*change{}
	for i := range m.pending {
		if err := gather(conn, changes, m.pending[i]); err != nil {
			return fmt.Errorf("folding the record at position %d: %w", m.pending[i].position, err)
		}
	}
	waiting := map[domain.WorkspaceID]int64{}
	for _, c := range slices.SortedFunc(maps.Values(changes), func(a, b *change) int { return cmp.Compare(a.number, b.number) }) {
		if err := c.write(conn); err != nil {
			return fmt.Errorf("writing the approval %s: %w", c.ID, err)
		}
		waiting[c.ws] += c.delta()
	}
	for ws, n := range waiting {
		err := sqlitex.Execute(conn, `INSERT INTO waiting (ws, n) VALUES (?1, ?2) ON CONFLICT (ws) DO UPDATE SET n = n + ?2`,
			&sqlitex.ExecOptions{Args: []any{string(ws), n}})
		if err != nil {
			return fmt.Errorf("counting what waits: %w", err)
		}
	}
	clear(m.pending)
	m.pending = m.pending[:0]
	return nil
}

// gather folds one entry into the row of its approval, from the batch or from
// the file.
func gather(conn *sqlite.Conn, changes map[key]*change, e entry) error {
	if r, ok := e.event.(approval.Requested); ok {
		changes[e.key] = &change{ws: e.ws, isNew: true, Approval: *begin(e, r)}
		return nil
	}
	c, ok := changes[e.key]
	if !ok {
		var err error
		if c, err = load(conn, e.key); err != nil {
			return err
		}
		changes[e.key] = c
	}
	c.fold(e)
	return nil
}

const oneSQL = `SELECT ` + columns + ` FROM approval a INDEXED BY approval_id WHERE a.ws = ? AND a.id = ?`

func load(conn *sqlite.Conn, k key) (*change, error) {
	var c *change
	err := sqlitex.Execute(conn, oneSQL, &sqlitex.ExecOptions{Args: []any{string(k.ws), string(k.id)}, ResultFunc: func(s *sqlite.Stmt) error {
		a, err := scan(s)
		c = &change{ws: k.ws, before: a.accepts(), waited: a.Status == approval.StatusPending, Approval: a}
		return err
	}})
	if err == nil && c == nil { // Apply saw to it that each begins with its request
		err = fmt.Errorf("%w: the approval %s is not in it", projections.ErrUnusable, k.id)
	}
	return c, err
}

// delta is how many more wait since the batch.
func (c *change) delta() (n int64) {
	if c.Status == approval.StatusPending {
		n++
	}
	if c.waited {
		n--
	}
	return n
}

func (c *change) write(conn *sqlite.Conn) error {
	votes, err := text(c.Votes)
	if err != nil {
		return err
	}
	escalation, err := text(c.Escalation)
	if err != nil {
		return err
	}
	if c.isNew {
		err = c.insert(conn, votes, escalation)
	} else {
		err = sqlitex.Execute(conn, `UPDATE approval SET status = ?, ended = ?, escalated = ?, escalation = ?, votes = ?, position = ? WHERE number = ?`,
			&sqlitex.ExecOptions{Args: []any{codeOf(c.Status), micros(c.Ended), micros(c.Escalated), escalation, votes, int64(c.Position), c.number}})
	}
	if err != nil {
		return err
	}
	return c.writeAccepts(conn)
}

func (c *change) insert(conn *sqlite.Conn, votes, escalation string) error {
	roles, err := text(c.Roles)
	if err != nil {
		return err
	}
	excluded, err := text(c.Excluded)
	if err != nil {
		return err
	}
	return sqlitex.Execute(conn, `INSERT INTO approval (number, ws, id, execution, action, workflow, kind, risk, requester, status,
		created, expires, ended, roles, needed, escalates, escalated, escalation, excluded, votes, position)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, &sqlitex.ExecOptions{Args: []any{
		c.number, string(c.ws), string(c.ID), string(c.Execution), string(c.Action), string(c.Workflow), string(c.Kind), c.Risk,
		c.Requester.String(), codeOf(c.Status), micros(c.Created), micros(c.Expires), micros(c.Ended), roles, c.Needed,
		micros(c.Escalates), micros(c.Escalated), escalation, excluded, votes, int64(c.Position)}})
}

// writeAccepts brings the roles it accepts up to date.
func (c *change) writeAccepts(conn *sqlite.Conn) error {
	after := c.accepts()
	for role := range c.before {
		if _, ok := after[role]; ok {
			continue
		}
		err := sqlitex.Execute(conn, `DELETE FROM accepts WHERE ws = ? AND role = ? AND expires = ? AND number = ?`,
			&sqlitex.ExecOptions{Args: []any{string(c.ws), string(role), micros(c.Expires), c.number}})
		if err != nil {
			return err
		}
	}
	for role, since := range after {
		if before, ok := c.before[role]; ok && before == since {
			continue
		}
		err := sqlitex.Execute(conn, `INSERT OR REPLACE INTO accepts (ws, role, expires, number, since) VALUES (?, ?, ?, ?, ?)`,
			&sqlitex.ExecOptions{Args: []any{string(c.ws), string(role), micros(c.Expires), c.number, since}})
		if err != nil {
			return err
		}
	}
	return nil
}
