// Package ledgertest sets up a real ledger for tests: the embedded engine and
// a key directory, both in temporary folders.
package ledgertest

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Fixture is a ledger and what it is made of.
type Fixture struct {
	*ledger.Ledger
	Log   eventlog.Log
	Keys  *ledgercrypto.Dir
	Ring  *ledgercrypto.KeyRing
	Store *ledger.KeyStore
}

// New makes a ledger over the embedded engine.
func New(tb testing.TB) *Fixture {
	tb.Helper()
	return On(tb, Engine(tb), Keys(tb))
}

// Engine opens the embedded engine in a temporary folder.
func Engine(tb testing.TB) *sqlite.Log {
	tb.Helper()
	log, err := sqlite.Open(context.Background(), tb.TempDir(), sqlite.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = log.Close() })
	return log
}

// Keys makes a key directory in a temporary folder.
func Keys(tb testing.TB) *ledgercrypto.Dir {
	tb.Helper()
	dir, _, err := ledgercrypto.OpenDir(tb.TempDir()+"/keys", ledgercrypto.OpenOptions{Create: true})
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

// On makes a ledger over any log and key directory, as a restart would.
func On(tb testing.TB, log eventlog.Log, keys *ledgercrypto.Dir) *Fixture {
	tb.Helper()
	signer := func() ledger.Signer { return keys.Signer() }
	store := ledger.NewKeyStore(log, signer, keys.KEK().ID(), time.Now)
	ring, err := ledgercrypto.NewKeyRing(keys.KEK(), keys.Secret(), store, ledgercrypto.RingOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return &Fixture{Ledger: ledger.New(log, ring, signer, func() ledger.SignatureChecker { return keys.Verifier() }), Log: log, Keys: keys, Ring: ring, Store: store}
}

// Draft makes a draft whose id follows from name.
func Draft(name, kind, payload string) ledger.Draft {
	sum := sha256.Sum256([]byte(name))
	return ledger.Draft{ID: [16]byte(sum[:16]), Type: kind, Payload: []byte(payload), Time: time.Now()}
}
