package directory

import (
	"context"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
)

// Event says where a record is. What is in its header is read from the log.
type Event struct {
	Position eventlog.Position
	Stream   string // with the workspace, as the log names it
	Revision int64
	Type     string
	ID       [16]byte
}

// EventFilter selects records of a workspace; zero members select all.
type EventFilter struct {
	Stream string // without the workspace, such as execution-ex_5f2k
	Type   string // the whole stored name
}

const (
	eventColumns = `SELECT e.position, s.name, e.revision, t.text, e.id_high, e.id_low FROM event e `
	eventNames   = ` CROSS JOIN stream s ON s.id = e.stream CROSS JOIN name t ON t.id = e.type`
)

// eventsByID make the queries for an event by its id.
func eventsByID() [2]string {
	sql := func(table string) string {
		return `SELECT e.position, s.name, e.revision, t.text, e.id_high, e.id_low FROM ` + table + ` i
	CROSS JOIN event e ON e.ws = (SELECT id FROM name WHERE text = ?) AND e.position = i.position` + eventNames +
			` WHERE i.id_high = ? AND e.id_low = ? ORDER BY i.position LIMIT 1`
	}
	return [2]string{sql("event_id"), sql("new_id")}
}

// eventsSQL makes the query for a page. A stream belongs to one workspace, and
// its index is the better one, so the workspace is not asked for then.
func eventsSQL(f EventFilter) string {
	sql := ""
	switch {
	case f.Stream != "":
		sql = eventColumns + "INDEXED BY event_stream" + eventNames + " WHERE e.stream = ?"
	case f.Type != "":
		sql = eventColumns + "INDEXED BY event_type" + eventNames + " WHERE e.ws = (SELECT id FROM name WHERE text = ?)"
	default:
		sql = eventColumns + eventNames + " WHERE e.ws = (SELECT id FROM name WHERE text = ?)"
	}
	if f.Type != "" {
		sql += " AND e.type = (SELECT id FROM name WHERE text = ?)"
	}
	return sql + " AND e.position > ? ORDER BY e.position LIMIT ?"
}

// Events lists a workspace's records after a position, in order of position;
// bookkeeping has none. To go on, ask again after the last one.
func (m *Model) Events(ctx context.Context, ws domain.WorkspaceID, after eventlog.Position, f EventFilter, limit int) ([]Event, error) {
	if limit <= 0 || limit > MaxLimit {
		limit = MaxLimit
	}
	events := []Event{}
	err := m.view(ctx, func(conn *sqlite.Conn) error {
		args := []any{string(ws)}
		if f.Stream != "" {
			id, err := streamIn(conn, ws, f.Stream)
			if err != nil {
				return err
			}
			args[0] = id
		}
		if f.Type != "" {
			args = append(args, f.Type)
		}
		return query(conn, eventsSQL(f), func(s *sqlite.Stmt) error {
			events = append(events, scanEvent(s, ws))
			return nil
		}, append(args, int64(after), int64(limit))...)
	})
	return events, err
}

// Event finds a record of a workspace by its id, or [ErrNotFound].
func (m *Model) Event(ctx context.Context, ws domain.WorkspaceID, id [16]byte) (found Event, err error) {
	h := halves(id)
	err = m.view(ctx, func(conn *sqlite.Conn) error {
		defer sqlitex.Transaction(conn)(&err) // no id is moved between the two queries
		for _, sql := range eventsByID() {
			err := query(conn, sql, func(s *sqlite.Stmt) error {
				found = scanEvent(s, ws)
				return nil
			}, string(ws), h[0], h[1])
			if err != nil || found.Position != 0 {
				return err
			}
		}
		return nil
	})
	if err == nil && found.Position == 0 {
		err = ErrNotFound
	}
	return found, err
}

// Profile answers where the content record with a profile's digest is, or
// [ErrNotFound], also for one that was erased before this model was made.
func (m *Model) Profile(ctx context.Context, ws domain.WorkspaceID, digest domain.Digest) (stream string, revision int64, err error) {
	err = m.view(ctx, func(conn *sqlite.Conn) error {
		return query(conn, `SELECT s.name, p.revision FROM profile p JOIN stream s ON s.id = p.stream
			WHERE p.ws = (SELECT id FROM name WHERE text = ?) AND p.digest = ?`, func(s *sqlite.Stmt) error {
			stream, revision = string(ws)+"/"+s.ColumnText(0), s.ColumnInt64(1)
			return nil
		}, string(ws), string(digest))
	})
	if err == nil && stream == "" {
		err = ErrNotFound
	}
	return stream, revision, err
}

func scanEvent(s *sqlite.Stmt, ws domain.WorkspaceID) Event {
	return Event{Position: eventlog.Position(s.ColumnInt64(0)), Stream: string(ws) + "/" + s.ColumnText(1),
		Revision: s.ColumnInt64(2), Type: s.ColumnText(3), ID: whole([2]int64{s.ColumnInt64(4), s.ColumnInt64(5)})}
}

// streamIn answers the number of a workspace's stream, or 0.
func streamIn(conn *sqlite.Conn, ws domain.WorkspaceID, name string) (id int64, err error) {
	var number int64
	err = query(conn, `SELECT id FROM name WHERE text = ?`, func(s *sqlite.Stmt) error {
		number = s.ColumnInt64(0)
		return nil
	}, string(ws))
	if err != nil {
		return 0, err
	}
	return findStream(conn, number, hashOf(ws, name), name)
}
