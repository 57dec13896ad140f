// Package webhooks is the model that answers which receivers of notifications
// a workspace has. It holds their ids alone; what they are is asked of their
// streams.
package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
)

// Name is the projection's name.
const Name = "webhooks"

// removed begins the names of events that end a webhook.
const removed = "webhook.removed."

const schema = `
CREATE TABLE webhook (
	ws TEXT NOT NULL,
	id TEXT NOT NULL,
	position INTEGER NOT NULL, -- of its registration
	PRIMARY KEY (ws, id)
) WITHOUT ROWID;`

// Model is the webhooks of all workspaces. Questions may be asked from anywhere
// at any time; the projection's methods are for package projections alone.
type Model struct {
	mu  sync.RWMutex
	all map[domain.WorkspaceID]map[domain.WebhookID]entry

	// Of the one goroutine that applies.
	loaded bool
	dirty  map[key]bool
}

// entry is the newest that is known of a webhook. One that was removed stays in
// memory, so that its registration, when it comes again, is known to be old.
type entry struct {
	position eventlog.Position
	removed  bool
}

type key struct {
	ws domain.WorkspaceID
	id domain.WebhookID
}

var _ projections.Projection = (*Model)(nil)

// New makes an empty Model.
func New() *Model {
	return &Model{all: map[domain.WorkspaceID]map[domain.WebhookID]entry{}, dirty: map[key]bool{}}
}

// Spec says what the projection is.
func (m *Model) Spec() projections.Spec {
	return projections.Spec{Name: Name, Version: 1, Schema: schema, Memory: true,
		Types: []string{"webhook.registered.", removed}}
}

// Webhooks lists the webhooks of a workspace that were not removed, by id.
func (m *Model) Webhooks(ws domain.WorkspaceID) []domain.WebhookID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var list []domain.WebhookID
	for id, e := range m.all[ws] {
		if !e.removed {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// errErased stops the model: a fact is never erased.
var errErased = errors.New("it is a fact and yet its key was destroyed, which no fact's is")

// Apply takes in a record. The stream's name says all there is to know.
func (m *Model) Apply(_ context.Context, r *ledger.Record) error {
	if r.Erased {
		return errErased
	}
	id, ok := strings.CutPrefix(r.Stream, string(r.Workspace)+"/webhook-")
	if ok {
		m.set(key{r.Workspace, domain.WebhookID(id)}, entry{r.Position, strings.HasPrefix(r.Type, removed)})
	}
	return nil
}

func (m *Model) set(k key, e entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all[k.ws] == nil {
		m.all[k.ws] = map[domain.WebhookID]entry{}
	}
	if e.position > m.all[k.ws][k.id].position {
		m.all[k.ws][k.id] = e
		m.dirty[k] = true
	}
}

// Load reads the rows at the first start. Later the memory is ahead of the
// rows, and what is ahead will be written again.
func (m *Model) Load(ctx context.Context, file *projections.File, at eventlog.Position) error {
	if !m.loaded {
		if err := m.read(ctx, file); err != nil {
			return fmt.Errorf("reading the webhooks: %w", err)
		}
		m.loaded = true
	}
	clear(m.dirty)
	for ws, hooks := range m.all {
		for id, e := range hooks {
			if e.position > at {
				m.dirty[key{ws, id}] = true
			}
		}
	}
	return nil
}

func (m *Model) read(ctx context.Context, file *projections.File) error {
	return file.View(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, `SELECT ws, id, position FROM webhook`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			m.set(key{domain.WorkspaceID(s.ColumnText(0)), domain.WebhookID(s.ColumnText(1))}, entry{position: eventlog.Position(s.ColumnInt64(2))})
			return nil
		}})
	})
}

// Flush writes what changed since rows were written last.
func (m *Model) Flush(_ context.Context, conn *sqlite.Conn) error {
	for k := range m.dirty {
		e := m.all[k.ws][k.id]
		query, args := `INSERT OR REPLACE INTO webhook (ws, id, position) VALUES (?, ?, ?)`, []any{string(k.ws), string(k.id), int64(e.position)}
		if e.removed {
			query, args = `DELETE FROM webhook WHERE ws = ? AND id = ?`, args[:2]
		}
		if err := sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args}); err != nil {
			return fmt.Errorf("saving the webhook %s of %s: %w", k.id, k.ws, err)
		}
	}
	clear(m.dirty)
	return nil
}
