package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections"
)

const schema = `
CREATE TABLE workspace (
	id TEXT PRIMARY KEY,
	position INTEGER NOT NULL, -- of the last record in it
	key TEXT NOT NULL,         -- data key that sealed it
	sealed BLOB NOT NULL
);`

// row is what is sealed of a workspace.
type row struct {
	Access         workspace.State `json:"access"`
	AccessRevision int64           `json:"access_revision"`
	Policies       policy.State    `json:"policies"`
	PolicyRevision int64           `json:"policy_revision"`
}

// bound is what a sealed row is bound to, so that no row can take the place of
// another.
func bound(id domain.WorkspaceID, position eventlog.Position) []byte {
	return strconv.AppendUint([]byte("claw-model-access/1 "+string(id)+" "), uint64(position), 10)
}

// Flush writes the workspaces that changed since rows were written last.
func (m *Model) Flush(ctx context.Context, conn *sqlite.Conn) error {
	for id, s := range m.dirty {
		if err := m.write(ctx, conn, s.now.Load()); err != nil {
			return fmt.Errorf("saving the workspace %s: %w", id, err)
		}
	}
	clear(m.dirty)
	return nil
}

func (m *Model) write(ctx context.Context, conn *sqlite.Conn, w *Workspace) error {
	clear, err := json.Marshal(row{w.access, w.accessRev, w.policies, w.policyRev})
	if err != nil {
		return err
	}
	key, err := m.keys.Current(ctx, w.id, "")
	if err != nil {
		return fmt.Errorf("finding its key: %w", err)
	}
	sealed, err := key.Seal(nil, clear, bound(w.id, w.position))
	if err != nil {
		return err
	}
	return sqlitex.Execute(conn, `INSERT OR REPLACE INTO workspace (id, position, key, sealed) VALUES (?, ?, ?, ?)`,
		&sqlitex.ExecOptions{Args: []any{string(w.id), int64(w.position), string(key.ID()), sealed}})
}

// read reads all rows.
func (m *Model) read(ctx context.Context, file *projections.File) error {
	return file.View(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, `SELECT id, position, key, sealed FROM workspace`, &sqlitex.ExecOptions{
			ResultFunc: func(s *sqlite.Stmt) error {
				sealed := make([]byte, s.ColumnLen(3))
				s.ColumnBytes(3, sealed)
				return m.open(ctx, domain.WorkspaceID(s.ColumnText(0)), eventlog.Position(s.ColumnInt64(1)),
					ledgercrypto.KeyID(s.ColumnText(2)), sealed)
			}})
	})
}

// open opens a row and publishes its workspace.
func (m *Model) open(ctx context.Context, id domain.WorkspaceID, position eventlog.Position, keyID ledgercrypto.KeyID, sealed []byte) error {
	key, err := m.keys.ByID(ctx, id, keyID)
	switch {
	case errors.Is(err, ledgercrypto.ErrKeyErased):
		return nil // the workspace was erased
	case errors.Is(err, ledgercrypto.ErrKeyUnknown):
		return fmt.Errorf("%w: the row of %s is sealed under a key that is not in this log", projections.ErrUnusable, id)
	case err != nil:
		return fmt.Errorf("finding the key of the row of %s: %w", id, err)
	}
	clear, err := key.Open(sealed, bound(id, position))
	if err != nil {
		return fmt.Errorf("%w: the row of %s does not open", projections.ErrUnusable, id)
	}
	var r row
	if err := json.Unmarshal(clear, &r); err != nil {
		return fmt.Errorf("%w: the row of %s does not decode", projections.ErrUnusable, id)
	}
	s := m.slot(id)
	w := empty(id, &m.compiled)
	w.position, w.access, w.accessRev, w.policies, w.policyRev = position, r.Access, r.AccessRevision, r.Policies, r.PolicyRevision
	s.now.Store(w)
	for hash := range r.Access.Hashes.All() {
		m.tokens.Store(hash, &token{slot: s})
	}
	for hash := range r.Access.Invitations.All() {
		m.invitations.Store(hash, s)
	}
	return nil
}
