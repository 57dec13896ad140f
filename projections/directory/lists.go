package directory

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections"
)

var (
	// ErrCursor: the cursor is not one that this list gave out.
	ErrCursor = errors.New("not a cursor of this list")
	// ErrNotFound: there is no such thing in this workspace.
	ErrNotFound = errors.New("not in this workspace")
)

// MaxLimit is how many items a page has at most; asking for more, or for none,
// is asking for that many.
const MaxLimit = 1000

// Page is a part of a list. Next is the cursor of what follows, "" at the end.
type Page[T any] struct {
	Items []T
	Next  string
}

// Execution is an execution in a list.
type Execution struct {
	ID         domain.ExecutionID
	Workflow   domain.Workflow
	Kind       domain.ActionKind // of its first action
	Status     execution.Status
	Actor      domain.Actor // who requested it
	Unresolved bool         // something may have happened of which no outcome is recorded
	Created    time.Time
	Updated    time.Time
	Ended      time.Time         // zero if it has not ended
	Position   eventlog.Position // of its newest record
}

// ExecutionFilter selects executions; zero members select all.
type ExecutionFilter struct {
	Status      execution.Status
	Workflow    domain.Workflow
	Actor       domain.Actor
	Unresolved  bool // only those
	OldestFirst bool // newest first otherwise
}

// Lists name their index, because without statistics SQLite guesses; CROSS JOIN
// keeps it to this order of tables: first the list, then names.
const (
	executionColumns = `SELECT e.id, s.name, w.text, k.text, e.status, a.text, e.unresolved, e.created, e.updated, e.ended, e.position
	FROM execution e `
	executionNames = ` CROSS JOIN stream s ON s.id = e.id CROSS JOIN name w ON w.id = e.workflow
	CROSS JOIN name k ON k.id = e.kind CROSS JOIN name a ON a.id = e.actor`
)

// Executions lists the executions of a workspace.
func (m *Model) Executions(ctx context.Context, ws domain.WorkspaceID, f ExecutionFilter, cursor string, limit int) (Page[Execution], error) {
	l := f.list(ws)
	l.cursor, l.limit = cursor, limit
	return pageOf(ctx, m, l, scanExecution)
}

// list goes by the index of the filter that is likely to hold back most.
func (f ExecutionFilter) list(ws domain.WorkspaceID) *list {
	l := &list{columns: executionColumns, names: executionNames, index: "execution_ws", oldestFirst: f.OldestFirst}
	l.named("ws", string(ws))
	if f.Workflow != "" {
		l.index = "execution_workflow"
		l.named("workflow", string(f.Workflow))
	}
	if f.Actor != (domain.Actor{}) {
		l.index = "execution_actor"
		l.named("actor", f.Actor.String())
	}
	if f.Status != "" {
		l.index = "execution_status"
		l.where("status", executionCode(f.Status))
	}
	if f.Unresolved {
		l.index = "execution_unresolved"
		l.conditions = append(l.conditions, "e.unresolved = 1")
	}
	return l
}

// Execution answers one execution, or [ErrNotFound].
func (m *Model) Execution(ctx context.Context, ws domain.WorkspaceID, id domain.ExecutionID) (found Execution, err error) {
	err = m.one(ctx, ws, "execution-"+string(id), executionColumns+executionNames+" WHERE e.id = ?", func(s *sqlite.Stmt) {
		found = scanExecution(s)
	})
	return found, err
}

func scanExecution(s *sqlite.Stmt) Execution {
	return Execution{ID: domain.ExecutionID(strings.TrimPrefix(s.ColumnText(1), "execution-")),
		Workflow: domain.Workflow(s.ColumnText(2)), Kind: domain.ActionKind(s.ColumnText(3)),
		Status: executionStatuses()[s.ColumnInt64(4)], Actor: domain.ParseActor(s.ColumnText(5)),
		Unresolved: s.ColumnBool(6), Created: instant(s, 7), Updated: instant(s, 8), Ended: instant(s, 9),
		Position: eventlog.Position(s.ColumnInt64(10))}
}

// instant reads a time; 0 stands for none.
func instant(s *sqlite.Stmt, column int) time.Time {
	if micros := s.ColumnInt64(column); micros != 0 {
		return time.UnixMicro(micros).UTC()
	}
	return time.Time{}
}

// list is a query for one page, in order of numbers.
type list struct {
	columns     string
	names       string
	index       string
	conditions  []string
	args        []any
	cursor      string
	limit       int
	oldestFirst bool
}

func (l *list) where(column string, value int64) {
	l.conditions = append(l.conditions, "e."+column+" = ?")
	l.args = append(l.args, value)
}

// named compares with a name's number; a name that no row has selects none.
func (l *list) named(column, text string) {
	l.conditions = append(l.conditions, "e."+column+" = (SELECT id FROM name WHERE text = ?)")
	l.args = append(l.args, text)
}

// sql makes the query for one row more than the page has.
func (l *list) sql() (string, error) {
	order, compare, from := "DESC", "<", int64(math.MaxInt64)
	if l.oldestFirst {
		order, compare, from = "ASC", ">", 0
	}
	if l.cursor != "" {
		var err error
		if from, err = parseCursor(l.cursor); err != nil {
			return "", err
		}
	}
	if l.limit <= 0 || l.limit > MaxLimit {
		l.limit = MaxLimit
	}
	l.args = append(l.args, from, int64(l.limit+1))
	return l.columns + "INDEXED BY " + l.index + l.names + " WHERE " + strings.Join(l.conditions, " AND ") +
		" AND e.id " + compare + " ? ORDER BY e.id " + order + " LIMIT ?", nil
}

// pageOf runs a list; the first column is the number that cursors go by.
func pageOf[T any](ctx context.Context, m *Model, l *list, scan func(*sqlite.Stmt) T) (Page[T], error) {
	sql, err := l.sql()
	if err != nil {
		return Page[T]{}, err
	}
	page := Page[T]{Items: []T{}}
	var last int64
	err = m.view(ctx, func(conn *sqlite.Conn) error {
		return query(conn, sql, func(s *sqlite.Stmt) error {
			if len(page.Items) == l.limit {
				page.Next = formatCursor(last)
				return nil
			}
			last = s.ColumnInt64(0)
			page.Items = append(page.Items, scan(s))
			return nil
		}, l.args...)
	})
	return page, err
}

// one finds a thing by the name of its stream.
func (m *Model) one(ctx context.Context, ws domain.WorkspaceID, stream, sql string, row func(*sqlite.Stmt)) error {
	found := false
	err := m.view(ctx, func(conn *sqlite.Conn) error {
		id, err := streamIn(conn, ws, stream)
		if err != nil {
			return err
		}
		return query(conn, sql, func(s *sqlite.Stmt) error {
			found = true
			row(s)
			return nil
		}, id)
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return err
}

func (m *Model) view(ctx context.Context, f func(*sqlite.Conn) error) error {
	file := m.file.Load()
	if file == nil {
		return projections.ErrNotReady
	}
	return file.View(ctx, f)
}

// Cursors are numbers of rows in a form that invites nobody to compute them.
func formatCursor(n int64) string {
	return base64.RawURLEncoding.EncodeToString(strconv.AppendInt([]byte("c"), n, 36))
}

func parseCursor(s string) (int64, error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) < 2 || raw[0] != 'c' {
		return 0, ErrCursor
	}
	n, err := strconv.ParseInt(string(raw[1:]), 36, 64)
	if err != nil || n <= 0 || formatCursor(n) != s {
		return 0, fmt.Errorf("%w: begin the list anew", ErrCursor)
	}
	return n, nil
}
