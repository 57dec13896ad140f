package approvals

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
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
)

// MaxLimit is the largest page, and the size of one whose limit is not given.
const MaxLimit = 1000

// ErrCursor says that a cursor is not one that the same list answered.
var ErrCursor = errors.New("not a cursor of this list")

// Filter selects approvals; zero members select all. One whose time is over
// counts as expired at At, also before its expiry is written.
type Filter struct {
	Status    approval.Status
	Requester domain.Actor
	Kind      domain.ActionKind
	Risk      string
	At        time.Time
}

// Page is a part of a list.
type Page struct {
	Items []Approval
	More  bool // there are items after the last one

	cursor func(*Approval) string
}

// Next is the cursor of what comes after the page; "" at the end of the list.
func (p Page) Next() string {
	if !p.More || len(p.Items) == 0 {
		return ""
	}
	return p.cursor(&p.Items[len(p.Items)-1])
}

// Cut answers the first n items as a page of their own.
func (p Page) Cut(n int) Page {
	if n >= len(p.Items) {
		return p
	}
	return Page{Items: p.Items[:n], More: true, cursor: p.cursor}
}

// List answers approvals of a workspace, newest first.
func (m *Model) List(ctx context.Context, ws domain.WorkspaceID, f Filter, cursor string, limit int) (Page, error) {
	from, err := parsePlace(newestFirst, cursor)
	if err != nil {
		return Page{}, err
	}
	if cursor == "" {
		from.number = math.MaxInt64
	}
	limit = bounded(limit)
	sql, args := f.list(ws, from.number, limit+1)
	page := Page{Items: []Approval{}, cursor: func(a *Approval) string { return place{number: a.number}.format(newestFirst) }}
	err = m.view(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: func(s *sqlite.Stmt) error {
			if len(page.Items) == limit {
				page.More = true
				return nil
			}
			a, err := scan(s)
			page.Items = append(page.Items, a)
			return err
		}})
	})
	return page, err
}

// Waiting is how many approvals of a workspace wait for a decision, with those
// whose expiry is not written yet.
func (m *Model) Waiting(ctx context.Context, ws domain.WorkspaceID) (n int64, err error) {
	err = m.view(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, `SELECT n FROM waiting WHERE ws = ?`, &sqlitex.ExecOptions{Args: []any{string(ws)},
			ResultFunc: func(s *sqlite.Stmt) error { n = s.ColumnInt64(0); return nil }})
	})
	return n, err
}

// conditions are those of the filter but for the status.
func (f Filter) conditions() (sql string, args []any) {
	var b strings.Builder
	where := func(column, value string) {
		b.WriteString(" AND a." + column + " = ?")
		args = append(args, value)
	}
	if f.Risk != "" {
		where("risk", f.Risk)
	}
	if f.Kind != "" {
		where("kind", string(f.Kind))
	}
	if f.Requester != (domain.Actor{}) {
		where("requester", f.Requester.String())
	}
	return b.String(), args
}

// index is the one of the condition that is likely to hold back most. Few
// approvals are pending at any time. Lists name their index, because without
// statistics SQLite guesses.
func (f Filter) index() string {
	switch {
	case f.Status == approval.StatusPending:
		return "approval_status"
	case f.Requester != (domain.Actor{}):
		return "approval_requester"
	case f.Kind != "":
		return "approval_kind"
	case f.Status != "":
		return "approval_status"
	case f.Risk != "":
		return "approval_risk"
	}
	return "approval_ws"
}

// list makes the query for one page. What expired is read from two ranges that
// are both in order: what was written as expired, and what is overdue.
func (f Filter) list(ws domain.WorkspaceID, before int64, limit int) (sql string, args []any) {
	conditions, values := f.conditions()
	part := func(f Filter, status string, more ...any) {
		sql += "SELECT " + columns + " FROM approval a INDEXED BY " + f.index() + " WHERE a.ws = ?" + conditions + status + " AND a.number < ?"
		args = append(append(append(append(args, string(ws)), values...), more...), before)
	}
	pending := f
	pending.Status = approval.StatusPending
	now := f.At.UnixMicro()
	switch f.Status {
	case "":
		part(f, "")
	case approval.StatusPending:
		part(f, " AND a.status = ? AND a.expires > ?", codeOf(f.Status), now)
	case approval.StatusExpired:
		part(f, " AND a.status = ?", codeOf(f.Status))
		sql += " UNION ALL "
		part(pending, " AND a.status = ? AND a.expires <= ?", codeOf(approval.StatusPending), now)
	default:
		part(f, " AND a.status = ?", codeOf(f.Status))
	}
	return sql + " ORDER BY 1 DESC LIMIT ?", append(args, int64(limit))
}

func bounded(limit int) int {
	if limit <= 0 || limit > MaxLimit {
		return MaxLimit
	}
	return limit
}

// place is where a page ended.
type place struct{ expires, number int64 }

// Cursors are places in a form that invites nobody to compute them. Each kind
// of list has its own.
const (
	newestFirst = 'n'
	firstToEnd  = 'e'
)

func (p place) format(kind byte) string {
	raw := strconv.AppendInt([]byte{kind}, p.expires, 36)
	return base64.RawURLEncoding.EncodeToString(strconv.AppendInt(append(raw, '.'), p.number, 36))
}

// parsePlace answers the zero place for no cursor.
func parsePlace(kind byte, cursor string) (p place, err error) {
	if cursor == "" {
		return place{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 2 || raw[0] != kind {
		return place{}, fmt.Errorf("%w: begin the list anew", ErrCursor)
	}
	expires, number, _ := strings.Cut(string(raw[1:]), ".")
	if p.expires, err = strconv.ParseInt(expires, 36, 64); err == nil {
		p.number, err = strconv.ParseInt(number, 36, 64)
	}
	if err != nil || p.number <= 0 || p.format(kind) != cursor {
		return place{}, fmt.Errorf("%w: begin the list anew", ErrCursor)
	}
	return p, nil
}
