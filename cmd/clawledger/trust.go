package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
)

// trust is the public keys a verification goes by. They are pinned if they
// came in a file of their own: keys that lie beside the log prove nothing
// against somebody who can replace both.
type trust struct {
	verifier *ledgercrypto.Verifier
	dir      *ledgercrypto.Dir // nil if pinned
	pinned   bool
	from     string

	mu     sync.Mutex
	asked  time.Time
	reload func() error
}

// trusting reads the keys: those of the JWKS file if one is named, else the
// public halves in the key directory.
func trusting(jwks, keys string) (*trust, error) {
	if jwks != "" {
		document, err := os.ReadFile(jwks)
		if err != nil {
			return nil, fmt.Errorf("reading the trusted keys: %w", err)
		}
		v, err := ledgercrypto.NewVerifier(document)
		if err != nil {
			return nil, fmt.Errorf("reading the trusted keys in %s: %w", jwks, err)
		}
		return &trust{verifier: v, pinned: true, from: jwks}, nil
	}
	if keys == "" {
		return nil, errors.New("say which keys to trust: --jwks FILE, as kept from /.well-known/jwks.json, or --keys DIR")
	}
	dir, _, err := ledgercrypto.OpenDir(keys, ledgercrypto.OpenOptions{})
	if err != nil {
		return nil, fmt.Errorf("%w; or give --jwks FILE", err)
	}
	return &trust{verifier: dir.Verifier(), dir: dir, from: keys, reload: dir.Reload}, nil
}

// reloadPause is how often an unknown key makes the directory be read again.
const reloadPause = time.Second

// Verify checks a signature. A key that came into the directory meanwhile, by
// a rotation beside this verification, is found.
func (t *trust) Verify(jws []byte, typ ledgercrypto.Typ) (payload []byte, kid string, err error) {
	t.mu.Lock()
	v := t.verifier
	t.mu.Unlock()
	payload, kid, err = v.Verify(jws, typ)
	if t.dir == nil || !errors.Is(err, ledgercrypto.ErrUnknownKey) {
		return payload, kid, err
	}
	if v = t.renewed(); v == nil {
		return payload, kid, err
	}
	return v.Verify(jws, typ)
}

// renewed reads the directory again, if it was not just done.
func (t *trust) renewed() *ledgercrypto.Verifier {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.asked) > reloadPause {
		t.asked = time.Now()
		if t.reload() != nil {
			return nil
		}
		t.verifier = t.dir.Verifier()
	}
	return t.verifier
}
