// Package process is the model of what the ledger owes itself: the fold of
// package domain/process for every workspace, in memory, with what is due in
// order of time. Whoever holds the lease takes what is due from it; the events
// that follow take it off again.
//
// Its rows hold ids and times only, and only make starts fast. A row names a
// step and never how it goes: whoever takes the step reads that from the
// streams, so that a forged row can make nothing happen that the log does not
// say.
package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/domain/schema"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
)

// Name is the projection's name.
const Name = "process"

// Model is what is owed in all workspaces. Questions may be asked from
// anywhere at any time; the projection's methods are for package projections
// alone.
type Model struct {
	mu         sync.Mutex
	workspaces map[domain.WorkspaceID]process.State
	due        timetable

	// Of the one goroutine that applies.
	loaded  bool
	at      eventlog.Position // up to here everything is folded
	dirty   map[place]bool    // what changed since the last Flush, and whether the rows have it
	written map[place]bool    // what the last Flush wrote, which may not have been committed
}

// place is where an entry belongs.
type place struct {
	ws  domain.WorkspaceID
	key process.Key
}

// Owed is a step that is owed in a workspace.
type Owed struct {
	Workspace domain.WorkspaceID
	Command   process.Command
	Due       time.Time
}

var _ projections.Projection = (*Model)(nil)

// New makes an empty Model.
func New() *Model {
	return &Model{workspaces: map[domain.WorkspaceID]process.State{}, dirty: map[place]bool{}}
}

// Spec says what the projection is.
func (*Model) Spec() projections.Spec {
	return projections.Spec{Name: Name, Version: 2, Memory: true, Schema: rows, Types: []string{
		"execution.", "approval.", "budget.", "grant.", "webhook.", "workspace."}} // all of each, or every gap in a chain would cost a read
}

// Due lists what is due at a moment, the longest due first.
func (m *Model) Due(now time.Time, limit int) []Owed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.due.until(now, limit)
}

// Still reports whether a step is owed as it was.
func (m *Model) Still(o Owed) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.due.at(place{o.Workspace, o.Command.Key()})
	return ok && at.Equal(o.Due)
}

// Len is how many steps are owed, timers included.
func (m *Model) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.due.Len()
}

// Webhooks lists a workspace's receivers of notifications, by id.
func (m *Model) Webhooks(ws domain.WorkspaceID) []domain.WebhookID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.workspaces[ws].Hooks.Keys()
}

// Apply folds a record.
func (m *Model) Apply(_ context.Context, r *ledger.Record) error {
	if r.Position <= m.at {
		return nil
	}
	if r.Erased {
		return errErased
	}
	_, data, err := ledger.UnwrapFact(r.Payload)
	if err != nil {
		return err
	}
	if m.idle(r, data) {
		m.at = r.Position
		return nil
	}
	event, err := decode(r.Type, data)
	if err != nil {
		return fmt.Errorf("its payload does not decode as %s", r.Type)
	}
	_, stream, _ := strings.Cut(r.Stream, "/")
	_, id, _ := strings.Cut(stream, "-")
	m.fold(process.Happened{Workspace: r.Workspace, Stream: id, Record: ledger.EventID(r.ID), Time: r.Time, Event: event})
	m.at = r.Position
	return nil
}

// idle reports, without decoding it, that a record changes nothing: most
// requests wait for nobody, and most executions end while nothing waits.
func (m *Model) idle(r *ledger.Record, data []byte) bool {
	switch r.Type {
	case "execution.requested.v1", "execution.action_requested.v1":
		return !bytes.Contains(data, []byte(`"approval":"`))
	case "execution.completed.v1", "execution.failed.v1", "execution.cancelled.v1", "execution.resolved.v1":
		_, id, _ := strings.Cut(r.Stream, "/execution-")
		return !m.workspaces[r.Workspace].Waits(domain.ExecutionID(id))
	case "execution.action_started.v1", "approval.vote_cast.v1", "budget.defined.v1":
		return true
	}
	return strings.HasPrefix(r.Type, "workspace.") && !strings.HasPrefix(r.Type, "workspace.subject_")
}

// decode reads an event. Of the most frequent ones it reads only what is folded.
func decode(name string, data []byte) (domain.Event, error) {
	switch name {
	case "budget.reserved.v1":
		return slim(data, func(e *few) domain.Event { return budget.Reserved{Reservation: e.Reservation, ExpiresAt: e.ExpiresAt} })
	case "budget.settled.v1":
		return slim(data, func(e *few) domain.Event { return budget.Settled{Reservation: e.Reservation} })
	case "execution.prompt_recorded.v1":
		return slim(data, func(e *few) domain.Event {
			return execution.PromptRecorded{Prompt: e.Prompt, Reservation: e.Reservation}
		})
	case "execution.completion_recorded.v1":
		return slim(data, func(e *few) domain.Event { return execution.CompletionRecorded{Prompt: e.Prompt} })
	}
	return schema.Decode(name, data)
}

// few is what is folded of the most frequent events.
type few struct {
	Reservation domain.ReservationID `json:"reservation"`
	Prompt      domain.PromptID      `json:"prompt"`
	ExpiresAt   time.Time            `json:"expires_at"`
}

func slim(data []byte, event func(*few) domain.Event) (domain.Event, error) {
	var e few
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	return event(&e), nil
}

func (m *Model) fold(h process.Happened) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.workspaces[h.Workspace]
	after, keys := before.Evolve(h)
	if len(keys) == 0 {
		return
	}
	m.workspaces[h.Workspace] = after
	for _, key := range keys {
		p := place{h.Workspace, key}
		m.due.remove(p)
		if e, ok := after.Entries.Get(key); ok && e.Owed != nil {
			m.due.add(p, e.Owed)
		}
		if !m.touched(p) {
			m.dirty[p] = before.Entries.Has(key)
		}
	}
}

func (m *Model) touched(p place) bool {
	_, ok := m.dirty[p]
	return ok
}

const rows = `
CREATE TABLE entry (
	ws TEXT NOT NULL,
	key TEXT NOT NULL,   -- what is remembered
	value TEXT NOT NULL, -- as JSON: ids and times
	PRIMARY KEY (ws, key)
) WITHOUT ROWID;`

// Flush writes the entries that changed since rows were written last.
func (m *Model) Flush(_ context.Context, conn *sqlite.Conn) error {
	for p, stored := range m.dirty {
		if err := m.write(conn, p, stored); err != nil {
			return fmt.Errorf("saving what is owed in %s: %w", p.ws, err)
		}
	}
	m.written, m.dirty = m.dirty, map[place]bool{}
	return nil
}

// write writes an entry, if it did not come and go between two times.
func (m *Model) write(conn *sqlite.Conn, p place, stored bool) error {
	m.mu.Lock()
	e, ok := m.workspaces[p.ws].Entries.Get(p.key)
	m.mu.Unlock()
	if !ok && !stored {
		return nil
	}
	if !ok {
		return sqlitex.Execute(conn, `DELETE FROM entry WHERE ws = ? AND key = ?`, &sqlitex.ExecOptions{Args: []any{string(p.ws), string(p.key)}})
	}
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return sqlitex.Execute(conn, `INSERT INTO entry (ws, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`,
		&sqlitex.ExecOptions{Args: []any{string(p.ws), string(p.key), string(value)}})
}

// Load takes everything from the rows at the first start. Later the memory is
// ahead of the rows, and what may be missing in them is written again.
func (m *Model) Load(ctx context.Context, file *projections.File, at eventlog.Position) error {
	if m.loaded {
		m.again(at > 0)
		return nil
	}
	workspaces, due := map[domain.WorkspaceID]process.State{}, timetable{}
	err := file.View(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, `SELECT ws, key, value FROM entry`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			ws, key := domain.WorkspaceID(s.ColumnText(0)), process.Key(s.ColumnText(1))
			var e process.Entry
			if err := json.Unmarshal([]byte(s.ColumnText(2)), &e); err != nil {
				return fmt.Errorf("%w: a row of %s is damaged", projections.ErrUnusable, ws)
			}
			workspaces[ws] = workspaces[ws].Restore(key, e)
			if e.Owed != nil {
				due.add(place{ws, key}, e.Owed)
			}
			return nil
		}})
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.workspaces, m.due, m.at, m.loaded = workspaces, due, at, true
	return nil
}

// again notes what the rows may lack: what was written last, and, if there were
// none before, everything.
func (m *Model) again(kept bool) {
	for p := range m.written {
		m.dirty[p] = true
	}
	m.written = nil
	if kept {
		return
	}
	for ws, state := range m.workspaces {
		for key := range state.Entries.All() {
			m.dirty[place{ws, key}] = true
		}
	}
}

// errErased stops the model: these records are all facts.
var errErased = errors.New("it is a fact and yet its key was destroyed, which no fact's is")
