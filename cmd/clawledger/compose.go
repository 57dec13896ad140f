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

// sealed is a log with the keys that open and write it.
type sealed struct {
	log    eventlog.Log
	keys   *ledgercrypto.Dir
	ring   *ledgercrypto.KeyRing
	ledger *ledger.Ledger
}

// seal puts a ledger on a log.
func seal(log eventlog.Log, keys *ledgercrypto.Dir, now func() time.Time) (*sealed, error) {
	signer := func() ledger.Signer { return keys.Signer() }
	store := ledger.NewKeyStore(log, signer, keys.KEK().ID(), now)
	ring, err := ledgercrypto.NewKeyRing(keys.KEK(), keys.Secret(), store, ledgercrypto.RingOptions{Now: now})
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
