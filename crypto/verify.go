package crypto

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

var (
	// ErrMalformed: this is no compact JWS as the ledger writes them.
	ErrMalformed = errors.New("not a signature in the ledger's form")
	// ErrUnknownKey: the key that the header names is not in the JWKS. Either
	// the JWKS is older than the key (fetch it again), or this is a forgery.
	ErrUnknownKey = errors.New("signed with a key that is not in the key set")
	// ErrBadSignature: the key is known, and it did not sign these bytes.
	ErrBadSignature = errors.New("signature does not match")
)

// Verifier checks signatures against a set of public keys, active and retired.
// It is safe for concurrent use and never changes.
//
// It accepts one spelling per signature: exactly three parts, the header byte
// for byte as [Signer] writes it for a key of the set, canonical base64url.
// Nothing is cached; a check is a full Ed25519 verification.
type Verifier struct {
	keys     map[string]VerificationKey // by kid
	ordered  []VerificationKey          // newest first
	headers  map[knownHeader]string     // kids, for the frequent headers
	verifier jws.Verifier
}

// knownHeader is a header in base64url together with the typ it is good for.
type knownHeader struct {
	text string
	typ  Typ
}

// Verify checks a compact JWS of this typ and answers its payload and the key
// that signed it. Errors are [ErrMalformed], [ErrUnknownKey] or
// [ErrBadSignature]; kid is set whenever the header could be read.
func (v *Verifier) Verify(token []byte, typ Typ) (payload []byte, kid string, err error) {
	p, err := split(token)
	if err != nil {
		return nil, "", err
	}
	kid, ok := v.headers[knownHeader{string(p.header), typ}]
	if !ok {
		if kid, err = v.readHeader(p.header, typ); err != nil {
			return nil, kid, err
		}
	}
	payload, err = decodeB64(make([]byte, 0, b64.DecodedLen(len(p.payload))), p.payload)
	if err != nil {
		return nil, kid, fmt.Errorf("%w: the payload is %w", ErrMalformed, err)
	}
	var space [ed25519.SignatureSize + 2]byte
	signature, err := decodeB64(space[:0], p.signature)
	if err != nil || len(signature) != ed25519.SignatureSize {
		return nil, kid, fmt.Errorf("%w: the signature is not 64 bytes in base64url", ErrMalformed)
	}
	if err := v.verifier.Verify(p.input, signature, v.keys[kid].public); err != nil {
		return nil, kid, ErrBadSignature
	}
	return payload, kid, nil
}

// readHeader says what is wrong with a header that is not one of the frequent
// ones, or finds that it is fine but rare.
func (v *Verifier) readHeader(text []byte, typ Typ) (kid string, err error) {
	raw, err := decodeB64(nil, text)
	if err != nil {
		return "", fmt.Errorf("%w: the header is %w", ErrMalformed, err)
	}
	var h struct{ Alg, Kid, Typ string }
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return "", fmt.Errorf("%w: the header is not an object of alg, kid and typ", ErrMalformed)
	}
	switch {
	case h.Alg != jwa.EdDSA.String():
		return "", fmt.Errorf("%w: alg must be EdDSA", ErrMalformed)
	case h.Typ != string(typ):
		return "", fmt.Errorf("%w: typ must be %s", ErrMalformed, typ)
	case header(h.Kid, typ) != string(text):
		return "", fmt.Errorf("%w: the header is spelled differently", ErrMalformed)
	}
	if _, ok := v.keys[h.Kid]; !ok {
		return h.Kid, ErrUnknownKey
	}
	return h.Kid, nil
}

// Keys lists the public keys, newest first.
func (v *Verifier) Keys() []VerificationKey { return append([]VerificationKey(nil), v.ordered...) }

// ParseUnverified takes a compact JWS apart without checking who signed it: the
// signing input (header.payload, a part of token) and the decoded payload. It
// is for readers that rely on the chain and on the AEAD. It checks the form of
// the three parts, not what the header says. The error is [ErrMalformed].
func ParseUnverified(token []byte) (signingInput, payload []byte, err error) {
	p, err := split(token)
	if err != nil {
		return nil, nil, err
	}
	payload, err = decodeB64(make([]byte, 0, b64.DecodedLen(len(p.payload))), p.payload)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the payload is %w", ErrMalformed, err)
	}
	return p.input, payload, nil
}

// parts are the pieces of a compact JWS, all within its bytes.
type parts struct{ input, header, payload, signature []byte }

func split(token []byte) (parts, error) {
	first := bytes.IndexByte(token, '.')
	last := bytes.LastIndexByte(token, '.')
	if first <= 0 || last == first || bytes.IndexByte(token[first+1:last], '.') >= 0 {
		return parts{}, fmt.Errorf("%w: it must have three parts", ErrMalformed)
	}
	if len(token)-last != SignatureSize {
		return parts{}, fmt.Errorf("%w: the signature must be of 86 characters", ErrMalformed)
	}
	return parts{token[:last:last], token[:first], token[first+1 : last], token[last+1:]}, nil
}
