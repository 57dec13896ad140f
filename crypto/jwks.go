package crypto

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// The members that say when a key was used for signing, RFC 3339 in UTC. They
// inform an auditor; checks don't rely on clocks.
const (
	validFromMember = "claw_valid_from"
	retiredAtMember = "claw_retired_at"
)

// VerificationKey is a public key that records and permits were signed with.
type VerificationKey struct {
	ID        string    // the thumbprint, `kid`
	ValidFrom time.Time // zero if the JWKS does not say
	Retired   time.Time // zero while the key is active, or if the JWKS does not say
	public    ed25519.PublicKey
}

// ErrKeySet says that a JWKS can't be used to check signatures.
var ErrKeySet = errors.New("unusable JWKS")

// NewVerifier reads a JWKS document such as /.well-known/jwks.json serves, or
// one that an auditor pinned. Keys of other kinds than Ed25519 are passed over;
// a set without any Ed25519 key, or with one whose kid is not its thumbprint,
// is [ErrKeySet].
func NewVerifier(jwks []byte) (*Verifier, error) {
	set, err := jwk.Parse(jwks)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeySet, err)
	}
	var keys []VerificationKey
	for i := range set.Len() {
		key, _ := set.Key(i)
		k, err := readPublic(key)
		switch {
		case errors.Is(err, errNotEd25519):
			continue
		case err != nil:
			return nil, fmt.Errorf("%w: key %d: %w", ErrKeySet, i+1, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: it holds no Ed25519 key", ErrKeySet)
	}
	return newVerifier(keys)
}

func newVerifier(keys []VerificationKey) (*Verifier, error) {
	verifier, err := jws.NewVerifier(jwa.EdDSA)
	if err != nil {
		return nil, fmt.Errorf("making an EdDSA verifier: %w", err)
	}
	v := &Verifier{map[string]VerificationKey{}, slices.Clone(keys), map[knownHeader]string{}, verifier}
	slices.SortStableFunc(v.ordered, newestFirst)
	for _, k := range keys {
		v.keys[k.ID] = k
		for _, typ := range []Typ{RecordTyp, PermitTyp} {
			v.headers[knownHeader{header(k.ID, typ), typ}] = k.ID
		}
	}
	return v, nil
}

func newestFirst(a, b VerificationKey) int {
	if c := b.ValidFrom.Compare(a.ValidFrom); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

// readPublic reads a JWK, public or private, into its public half.
func readPublic(key jwk.Key) (VerificationKey, error) {
	okp, err := key.PublicKey()
	if err != nil {
		return VerificationKey{}, fmt.Errorf("%w: %w", errNotEd25519, err)
	}
	var public ed25519.PublicKey
	if err := okp.Raw(&public); err != nil || len(public) != ed25519.PublicKeySize {
		return VerificationKey{}, errNotEd25519
	}
	kid, err := thumbprint(okp)
	if err != nil {
		return VerificationKey{}, err
	}
	if key.KeyID() != kid {
		return VerificationKey{}, errors.New("its kid is not its RFC 7638 thumbprint")
	}
	from, err := timeMember(key, validFromMember)
	if err != nil {
		return VerificationKey{}, err
	}
	retired, err := timeMember(key, retiredAtMember)
	if err != nil {
		return VerificationKey{}, err
	}
	return VerificationKey{kid, from, retired, public}, nil
}

func timeMember(key jwk.Key, name string) (time.Time, error) {
	value, ok := key.Get(name)
	if !ok {
		return time.Time{}, nil
	}
	text, ok := value.(string)
	if !ok {
		return time.Time{}, fmt.Errorf("its %s is not a string", name)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("its %s is not an RFC 3339 time", name)
	}
	return at.UTC(), nil
}

// jwksKey spells a public key out, so that the document's bytes are ours and
// stay the same until a key changes.
type jwksKey struct {
	Kty       string `json:"kty"`
	Crv       string `json:"crv"`
	X         string `json:"x"`
	Kid       string `json:"kid"`
	Use       string `json:"use"`
	Alg       string `json:"alg"`
	ValidFrom string `json:"claw_valid_from,omitempty"`
	RetiredAt string `json:"claw_retired_at,omitempty"`
}

// JWKS is the key set as a JSON document, newest key first. [NewVerifier]
// makes an equal Verifier of it, and any JOSE library can use it.
func (v *Verifier) JWKS() []byte {
	set := struct {
		Keys []jwksKey `json:"keys"`
	}{make([]jwksKey, 0, len(v.ordered))}
	for _, k := range v.ordered {
		set.Keys = append(set.Keys, jwksKey{"OKP", "Ed25519", b64.EncodeToString(k.public), k.ID, "sig", "EdDSA",
			formatTime(k.ValidFrom), formatTime(k.Retired)})
	}
	document, err := json.Marshal(set)
	if err != nil {
		panic("crypto: a list of strings did not marshal: " + err.Error())
	}
	return document
}

// formatTime writes t as RFC 3339 in UTC with microseconds, or "" for no time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}
