package access

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/projections"
)

// A row proves that it was written here, but not that it is still the newest:
// an older one beside a newer checkpoint would give rights back that were taken
// away since. So each commit seals, under a key of the service itself, that
// these rows and this checkpoint belong together. An older file as a whole is
// fine: it is true of its checkpoint, and what came since is replayed.

// sum is the digest of one workspace's sealed parts.
type sum [sha256.Size]byte

// summer makes a sum.
type summer struct{ hash.Hash }

func newSummer() summer { return summer{sha256.New()} }

func (s summer) add(p place, key ledgercrypto.KeyID, sealed []byte) {
	s.text(p.bound())
	s.text([]byte(key))
	s.text(sealed)
}

// text adds bytes behind their length. A hash never fails to write.
func (s summer) text(b []byte) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(b)))
	_, _ = s.Write(length[:])
	_, _ = s.Write(b)
}

func (s summer) sum() (all sum) {
	s.Sum(all[:0])
	return all
}

// totalOf is one digest of all rows.
func totalOf(sums map[domain.WorkspaceID]sum) []byte {
	s := newSummer()
	for _, id := range slices.Sorted(maps.Keys(sums)) {
		one := sums[id]
		s.text([]byte(id))
		s.text(one[:])
	}
	return s.Sum(nil)
}

// claim is what the seal is bound to.
func claim(at projections.Checkpoint, total []byte) []byte {
	return append(append([]byte("claw-model-checkpoint/1 "), total...), at.Text...)
}

// Seal seals the rows and the checkpoint together.
func (m *Model) Seal(ctx context.Context, conn *sqlite.Conn, at projections.Checkpoint) error {
	if err := m.Flush(ctx, conn); err != nil { // memory may be ahead of the rows without a record that came
		return err
	}
	if m.total == nil {
		m.total = totalOf(m.sums)
	}
	key, err := m.keys.Current(ctx, domain.System, "")
	if err != nil {
		return fmt.Errorf("finding the key of the checkpoint: %w", err)
	}
	sealed, err := key.Seal(nil, nil, claim(at, m.total))
	if err != nil {
		return fmt.Errorf("sealing the checkpoint: %w", err)
	}
	return sqlitex.Execute(conn, `INSERT OR REPLACE INTO seal (one, key, sealed) VALUES (1, ?, ?)`,
		&sqlitex.ExecOptions{Args: []any{string(key.ID()), sealed}})
}

// Check holds the file against its seal. A file without rows that claims to
// know nothing needs none.
func (m *Model) Check(ctx context.Context, conn *sqlite.Conn, at projections.Checkpoint) error {
	sums, err := sumsOf(conn)
	if err != nil {
		return err
	}
	if at.Position > 0 || len(sums) > 0 {
		if err := m.checkSeal(ctx, conn, claim(at, totalOf(sums))); err != nil {
			return err
		}
	}
	m.sums, m.total = sums, nil
	return nil
}

// sumsOf works out the sums of the rows in a file.
func sumsOf(conn *sqlite.Conn) (map[domain.WorkspaceID]sum, error) {
	sums, s, next := map[domain.WorkspaceID]sum{}, newSummer(), 0
	err := parts(conn, func(p place, key ledgercrypto.KeyID, sealed []byte) error {
		if p.part != next || p.part >= p.parts {
			return fmt.Errorf("%w: the row of %s is not whole", projections.ErrUnusable, p.id)
		}
		s.add(p, key, sealed)
		if next++; next == p.parts {
			sums[p.id] = s.sum()
			s, next = newSummer(), 0
		}
		return nil
	})
	if err == nil && next != 0 {
		err = fmt.Errorf("%w: the last row is not whole", projections.ErrUnusable)
	}
	return sums, err
}

func (m *Model) checkSeal(ctx context.Context, conn *sqlite.Conn, claimed []byte) error {
	var id ledgercrypto.KeyID
	var sealed []byte
	err := sqlitex.Execute(conn, `SELECT key, sealed FROM seal`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		id, sealed = ledgercrypto.KeyID(s.ColumnText(0)), make([]byte, s.ColumnLen(1))
		s.ColumnBytes(1, sealed)
		return nil
	}})
	if err != nil {
		return err
	}
	if id == "" {
		return fmt.Errorf("%w: its checkpoint is not sealed", projections.ErrUnusable)
	}
	key, err := m.keys.ByID(ctx, domain.System, id)
	switch {
	case errors.Is(err, ledgercrypto.ErrKeyErased), errors.Is(err, ledgercrypto.ErrKeyUnknown):
		return fmt.Errorf("%w: its checkpoint is sealed under a key that is not in this log", projections.ErrUnusable)
	case err != nil:
		return fmt.Errorf("finding the key of the checkpoint: %w", err)
	}
	if _, err := key.Open(sealed, claimed); err != nil {
		return fmt.Errorf("%w: its rows and its checkpoint do not belong together", projections.ErrUnusable)
	}
	return nil
}
