package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

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
	id TEXT NOT NULL,
	part INTEGER NOT NULL,     -- from 0; a large workspace is sealed in parts
	parts INTEGER NOT NULL,
	position INTEGER NOT NULL, -- of the last record in it
	key TEXT NOT NULL,         -- data key that sealed it
	sealed BLOB NOT NULL,
	PRIMARY KEY (id, part)
);

CREATE TABLE seal (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	key TEXT NOT NULL,         -- data key of the service itself
	sealed BLOB NOT NULL       -- nothing, bound to the checkpoint and all rows
);`

// partSize is how much of a workspace is sealed at once. It bounds memory, and
// is less than the most that can be sealed.
const partSize = 4 << 20

// row is what is sealed of a workspace.
type row struct {
	Access         workspace.State `json:"access"`
	AccessRevision int64           `json:"access_revision"`
	Policies       policy.State    `json:"policies"`
	PolicyRevision int64           `json:"policy_revision"`
}

// place is where a sealed part belongs.
type place struct {
	id          domain.WorkspaceID
	position    eventlog.Position
	part, parts int
}

// bound is what a sealed part is bound to, so that none can take the place of
// another.
func (p place) bound() []byte {
	return fmt.Appendf(nil, "claw-model-access/2 %s %d %d/%d", p.id, p.position, p.part, p.parts)
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
	err = sqlitex.Execute(conn, `DELETE FROM workspace WHERE id = ?`, &sqlitex.ExecOptions{Args: []any{string(w.id)}})
	if err != nil {
		return err
	}
	s := newSummer()
	p := place{id: w.id, position: w.position, parts: (len(clear) + partSize - 1) / partSize}
	for ; p.part < p.parts; p.part++ {
		sealed, err := key.Seal(nil, clear[:min(partSize, len(clear))], p.bound())
		if err != nil {
			return err
		}
		clear = clear[min(partSize, len(clear)):]
		s.add(p, key.ID(), sealed)
		err = sqlitex.Execute(conn, `INSERT INTO workspace (id, part, parts, position, key, sealed) VALUES (?, ?, ?, ?, ?, ?)`,
			&sqlitex.ExecOptions{Args: []any{string(p.id), p.part, p.parts, int64(p.position), string(key.ID()), sealed}})
		if err != nil {
			return err
		}
	}
	m.sums[w.id], m.total = s.sum(), nil
	return nil
}

// parts yields all sealed parts, in order, to f.
func parts(conn *sqlite.Conn, f func(p place, key ledgercrypto.KeyID, sealed []byte) error) error {
	return sqlitex.Execute(conn, `SELECT id, part, parts, position, key, sealed FROM workspace ORDER BY id, part`, &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error {
			sealed := make([]byte, s.ColumnLen(5))
			s.ColumnBytes(5, sealed)
			return f(place{domain.WorkspaceID(s.ColumnText(0)), eventlog.Position(s.ColumnInt64(3)), s.ColumnInt(1), s.ColumnInt(2)},
				ledgercrypto.KeyID(s.ColumnText(4)), sealed)
		}})
}

// read answers the workspaces in the rows, which must be those that were
// checked.
func (m *Model) read(ctx context.Context, file *projections.File) (all []*Workspace, err error) {
	var whole bytes.Buffer
	s := newSummer()
	err = file.View(ctx, func(conn *sqlite.Conn) error {
		return parts(conn, func(p place, key ledgercrypto.KeyID, sealed []byte) error {
			if err := m.open(ctx, &whole, p, key, sealed); err != nil {
				return err
			}
			if s.add(p, key, sealed); p.part < p.parts-1 {
				return nil
			}
			if s.sum() != m.sums[p.id] {
				return fmt.Errorf("%w: the row of %s changed while it was read", projections.ErrUnusable, p.id)
			}
			w, err := m.decode(p, whole.Bytes())
			all, s = append(all, w), newSummer()
			whole.Reset()
			return err
		})
	})
	if err == nil && len(all) != len(m.sums) {
		err = fmt.Errorf("%w: rows went missing while they were read", projections.ErrUnusable)
	}
	return all, err
}

// open opens a part onto whole.
func (m *Model) open(ctx context.Context, whole *bytes.Buffer, p place, id ledgercrypto.KeyID, sealed []byte) error {
	key, err := m.keys.ByID(ctx, p.id, id)
	switch {
	case errors.Is(err, ledgercrypto.ErrKeyErased), errors.Is(err, ledgercrypto.ErrKeyUnknown):
		return fmt.Errorf("%w: the row of %s is sealed under a key that is not in this log", projections.ErrUnusable, p.id)
	case err != nil:
		return fmt.Errorf("finding the key of the row of %s: %w", p.id, err)
	}
	clear, err := key.Open(sealed, p.bound())
	if err != nil {
		return fmt.Errorf("%w: the row of %s does not open", projections.ErrUnusable, p.id)
	}
	whole.Write(clear)
	return nil
}

func (m *Model) decode(p place, clear []byte) (*Workspace, error) {
	var r row
	if err := json.Unmarshal(clear, &r); err != nil {
		return nil, fmt.Errorf("%w: the row of %s does not decode", projections.ErrUnusable, p.id)
	}
	w := empty(p.id, &m.compiled)
	w.position, w.access, w.accessRev, w.policies, w.policyRev = p.position, r.Access, r.AccessRevision, r.Policies, r.PolicyRevision
	w.recompile(&m.compiled)
	return w, nil
}

// publish makes a workspace from the file the one that is asked.
func (m *Model) publish(w *Workspace) {
	s := m.slot(w.id)
	s.now.Store(w)
	for hash := range w.access.Hashes.All() {
		m.tokens.Store(hash, &token{slot: s})
	}
	for hash := range w.access.Invitations.All() {
		m.invitations.Store(hash, s)
	}
}
