package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// esdbSpan is the key ring's span on EventStoreDB, whose positions count bytes,
// about a thousand a record. It is no more than AES-GCM allows messages, so that
// it also holds where positions count records, as behind a face.
const esdbSpan = 1 << 32

// sealed is a log with the keys that open and write it.
type sealed struct {
	log    eventlog.Log
	keys   *ledgercrypto.Dir
	ring   *ledgercrypto.KeyRing
	ledger *ledger.Ledger
}

// seal puts a ledger on a log.
func seal(log eventlog.Log, keys *ledgercrypto.Dir, shared bool, now func() time.Time) (*sealed, error) {
	signer := func() ledger.Signer { return keys.Signer() }
	options := ledgercrypto.RingOptions{Now: now}
	if shared {
		options.Span = esdbSpan
	}
	store := ledger.NewKeyStore(log, signer, keys.KEK().ID(), now)
	ring, err := ledgercrypto.NewKeyRing(keys.KEK(), keys.Secret(), store, options)
	if err != nil {
		return nil, fmt.Errorf("making the key ring: %w", err)
	}
	return &sealed{log: log, keys: keys, ring: ring, ledger: ledger.New(log, ring, signer, func() ledger.SignatureChecker { return keys.Verifier() })}, nil
}

// begin makes sure that log and keys belong together.
func (s *sealed) begin(ctx context.Context, now time.Time) error {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return s.ledger.CheckKeys(ctx, s.keys.CheckValue(), id, now)
}

// newest answers the newest record of a log, or nil if it has none.
func newest(ctx context.Context, log eventlog.Log) (*eventlog.Recorded, error) {
	for r, err := range log.Read(ctx, eventlog.Query{Backwards: true, Limit: 1}) {
		return &r, err
	}
	return nil, nil
}

// snapshots opens the local cache of folded states.
func (s *sealed) snapshots(dir string) (*ledger.Snapshots, error) {
	return ledger.NewSnapshots(dir, s.ledger)
}
