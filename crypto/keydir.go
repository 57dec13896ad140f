package crypto

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// The files of a key directory.
const (
	kekName      = "kek.json"       // Tink keyset in clear, unless the KEK is elsewhere
	signingName  = "signing"        // directory of <kid>.jwk
	operatorName = "operator.token" // the operator token and a newline
	secretName   = "service.secret" // wrapped by the KEK
	lockName     = ".lock"          // held while the directory is changed
	creatingName = ".creating"      // there while the files are first made
)

// Dir is an open key directory: all secrets of an installation that are not in
// its log. All replicas share one directory, or equal copies of it. Whoever can
// read it can read and forge everything; whoever loses it loses every payload.
//
// A Dir is safe for concurrent use. It keeps what it read when it was opened or
// last reloaded; the KEK and the service secret never change.
type Dir struct {
	redacted
	path   string
	kek    KEK
	secret Secret
	keys   atomic.Pointer[keySet]
}

// keySet is the part of a directory that can change while it is open.
type keySet struct {
	signing  []signingKey // newest first; the first is active
	signer   *Signer
	verifier *Verifier
	jwks     []byte
	operator domain.Digest
}

// OpenOptions say how to open a key directory.
type OpenOptions struct {
	// Create makes the directory and its keys if there are none.
	Create bool
	// KEK replaces the local key-encryption key, kek.json.
	KEK KEK
	// Now is the clock for the first signing key; time.Now if nil.
	Now func() time.Time
}

// OpenDir opens a key directory; created says that this call made its keys. Of
// several processes that create at once one does and the others open what it
// made. The path itself may be there and empty. Errors: [ErrNoKeys],
// [ErrIncompleteKeys], [ErrPermissions], [ErrDamagedKeys], [ErrUnwrap] when the
// service secret was wrapped by another KEK, or the operating system's.
func OpenDir(path string, options OpenOptions) (d *Dir, created bool, err error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Create {
		if created, err = createKeys(path, options); err != nil {
			return nil, false, fmt.Errorf("creating key directory %s: %w", path, err)
		}
	}
	if d, err = openKeys(path, options.KEK); err != nil {
		return nil, false, fmt.Errorf("opening key directory %s: %w", path, err)
	}
	return d, created, nil
}

// Path is where the directory is.
func (d *Dir) Path() string { return d.path }

// KEK is the key-encryption key.
func (d *Dir) KEK() KEK { return d.kek }

// Secret is the service secret.
func (d *Dir) Secret() Secret { return d.secret }

// Signer signs with the active key of now. Ask again rather than keeping it for
// long, or a rotation goes unnoticed.
func (d *Dir) Signer() *Signer { return d.keys.Load().signer }

// Verifier checks signatures of all keys of the directory. When it answers
// [ErrUnknownKey] for something fresh, another replica may have rotated: Reload
// and ask once more.
func (d *Dir) Verifier() *Verifier { return d.keys.Load().verifier }

// JWKS is the public key set as a JSON document, newest key first. It must not
// be changed.
func (d *Dir) JWKS() []byte { return d.keys.Load().jwks }

// CheckValue proves which directory this is, across rotations: two directories
// with different secrets have different values, and a value tells nothing about
// the secret. 22 base64url characters.
func (d *Dir) CheckValue() string {
	sum := d.secret.Tag(purposeCheck, d.kek.ID())
	return b64.EncodeToString(sum[:16])
}

// OperatorTokenHash is the digest of the operator token.
func (d *Dir) OperatorTokenHash() domain.Digest { return d.keys.Load().operator }

// VerifyOperatorToken reports whether token is the operator token. How long it
// takes tells nothing about how much of it was right.
func (d *Dir) VerifyOperatorToken(token string) bool {
	given := Digest([]byte(token))
	return subtle.ConstantTimeCompare([]byte(given), []byte(d.keys.Load().operator)) == 1
}

// KeyInfo describes a key to the operator.
type KeyInfo struct {
	Use     string    // "signing" or "key-encryption"
	ID      string    // thumbprint, or [KEK.ID]
	Active  bool      // signs or wraps; others only verify
	Created time.Time // zero if not known
	Retired time.Time // zero while active
}

// Keys lists the signing keys, newest first, and the key-encryption key.
func (d *Dir) Keys() []KeyInfo {
	var infos []KeyInfo
	for i, k := range d.keys.Load().signing {
		infos = append(infos, KeyInfo{"signing", k.ID, i == 0, k.ValidFrom, k.Retired})
	}
	return append(infos, KeyInfo{Use: "key-encryption", ID: d.kek.ID(), Active: true})
}

// Reload reads the signing keys and the operator token again, for what another
// replica or the operator changed. On an error everything stays as it was.
func (d *Dir) Reload() error {
	keys, err := loadKeySet(d.path)
	if err != nil {
		return fmt.Errorf("reloading key directory %s: %w", d.path, err)
	}
	d.keys.Store(keys)
	return nil
}

// RotateSigning makes a new active signing key, retires the one before, and
// answers the new key's id. Retired keys stay for verifying. Other replicas
// sign with theirs until they Reload.
func (d *Dir) RotateSigning(now time.Time) (kid string, err error) {
	err = d.change(func() error {
		keys, err := loadSigningKeys(d.path)
		if err != nil {
			return err
		}
		// Order is by time of creation, so a slow clock must not turn it round.
		at := now.UTC().Truncate(time.Microsecond)
		if last := keys[0].ValidFrom; !at.After(last) {
			at = last.Add(time.Microsecond)
		}
		// The new key comes first: a crash between the two writes leaves two
		// keys without a retirement, of which the newer counts.
		if kid, err = newSigningKey(d.path, at); err != nil {
			return err
		}
		return retireAll(d.path, keys, at)
	})
	if err != nil {
		return "", fmt.Errorf("rotating the signing key: %w", err)
	}
	return kid, nil
}

// RotateOperatorToken draws another operator token into its file. The old one
// is void here at once, on other replicas when they Reload.
func (d *Dir) RotateOperatorToken() error {
	err := d.change(func() error { return writeOperatorToken(d.path) })
	if err != nil {
		return fmt.Errorf("rotating the operator token: %w", err)
	}
	return nil
}

// change runs a change of the directory that no other process works on, and
// takes the result into use, also that of a change that broke off.
func (d *Dir) change(f func() error) error {
	unlock, err := lockDir(d.path)
	if err != nil {
		return err
	}
	defer unlock()
	return errors.Join(f(), d.Reload())
}
