package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
)

// KeyCreated is the stored name of the only record of a key stream. Its data
// is the keyset, wrapped by the key-encryption key.
const KeyCreated = "key.created.v1"

// KeyStore keeps wrapped data keys in the log, each in a stream of its own
// that can be deleted. A stream can't be made twice, so replicas that make the
// same key at once agree on one.
type KeyStore struct {
	log    eventlog.Log
	signer func() Signer
	kek    string // id of the key-encryption key, named in the record
	now    func() time.Time
}

var _ ledgercrypto.KeyStore = (*KeyStore)(nil)

// NewKeyStore makes a KeyStore on a log. kek is the id of the key-encryption
// key that wraps what is put.
func NewKeyStore(log eventlog.Log, signer func() Signer, kek string, now func() time.Time) *KeyStore {
	return &KeyStore{log: log, signer: signer, kek: kek, now: now}
}

// Put stores a new wrapped key, under a name that never had one.
func (s *KeyStore) Put(ctx context.Context, ws domain.WorkspaceID, id ledgercrypto.KeyID, wrapped []byte) error {
	h := Header{Workspace: ws, Stream: KeyStream(ws, string(id)), Type: KeyCreated, Time: s.now().UTC().Truncate(time.Microsecond),
		Actor: domain.Service("keys").String(), Key: s.kek}
	if _, err := rand.Read(h.ID[:]); err != nil {
		return fmt.Errorf("making an event id: %w", err)
	}
	one := sealing{header: h, sealed: wrapped}
	var err error
	if one.public, err = h.appendPublic(nil); err != nil {
		return err
	}
	signer := s.signer()
	one.chain(signer, "")
	event := eventlog.Event{ID: h.ID, Type: h.Type, Data: wrapped, Meta: one.sign(signer)}
	l := Ledger{log: s.log}
	_, err = l.appendUntilKnown(ctx, h.Stream, eventlog.NoStream, []eventlog.Event{event})
	var wrong *eventlog.WrongRevision
	switch {
	case errors.As(err, &wrong):
		return ledgercrypto.ErrKeyExists
	case errors.Is(err, eventlog.ErrDeleted):
		return ledgercrypto.ErrKeyErased
	}
	return err
}

// Get answers a wrapped key and the position it was made at.
func (s *KeyStore) Get(ctx context.Context, ws domain.WorkspaceID, id ledgercrypto.KeyID) ([]byte, uint64, error) {
	stream := KeyStream(ws, string(id))
	for stored, err := range s.log.Read(ctx, eventlog.Query{Stream: stream, Limit: 1}) {
		if err != nil {
			return nil, 0, fmt.Errorf("reading %s: %w", stream, err)
		}
		if _, _, err := Parse(&stored); err != nil {
			return nil, 0, err
		}
		return stored.Data, uint64(stored.Position), nil
	}
	return nil, 0, s.absent(ctx, stream)
}

// absent tells a key that was erased from one that was never made, by an
// append that can't succeed.
func (s *KeyStore) absent(ctx context.Context, stream string) error {
	probe := eventlog.Event{ID: [16]byte{1}, Type: KeyCreated}
	_, err := s.log.Append(ctx, stream, 1<<40, []eventlog.Event{probe})
	var wrong *eventlog.WrongRevision
	switch {
	case errors.Is(err, eventlog.ErrDeleted):
		return ledgercrypto.ErrKeyErased
	case errors.As(err, &wrong) && wrong.Actual >= 0: // the read was of an older state
		return fmt.Errorf("%w: %s was made while it was looked for", eventlog.ErrUnavailable, stream)
	case errors.As(err, &wrong):
		return ledgercrypto.ErrKeyUnknown
	}
	return fmt.Errorf("looking for %s: %w", stream, err)
}

// Destroy erases a key for good.
func (s *KeyStore) Destroy(ctx context.Context, ws domain.WorkspaceID, id ledgercrypto.KeyID) error {
	return s.log.Delete(ctx, KeyStream(ws, string(id)))
}
