package crypto

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// Typ is the `typ` member of a JWS header. It keeps a signature over one kind
// of thing from being taken for a signature over another. Values are literals
// of letters and [-+./].
type Typ string

// The kinds of signed things that are made often.
const (
	RecordTyp Typ = "claw-record+jws"
	PermitTyp Typ = "claw-permit+jwt"
)

// SignatureSize is how many bytes [Signer.Finish] appends.
const SignatureSize = 1 + 86

// Signer signs with the active signing key. It is safe for concurrent use and
// never changes; after a rotation [Dir.Signer] answers another one.
type Signer struct {
	redacted
	kid    string
	key    ed25519.PrivateKey
	signer jws.Signer
	record string // protected headers in base64url with the dot after them
	permit string
}

var errNotEd25519 = errors.New("not an Ed25519 key")

// newSigner makes a Signer of a private JWK and tries it out, so that signing
// can't fail later.
func newSigner(key jwk.Key) (*Signer, error) {
	var raw ed25519.PrivateKey
	if err := key.Raw(&raw); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotEd25519, err)
	}
	kid, err := thumbprint(key)
	if err != nil {
		return nil, err
	}
	signer, err := jws.NewSigner(jwa.EdDSA)
	if err != nil {
		return nil, fmt.Errorf("making an EdDSA signer: %w", err)
	}
	s := &Signer{redacted("signing key"), kid, raw, signer, header(kid, RecordTyp) + ".", header(kid, PermitTyp) + "."}
	probe := []byte("claw-signer/1")
	signature, err := signer.Sign(probe, raw)
	if err != nil || !ed25519.Verify(raw.Public().(ed25519.PublicKey), probe, signature) {
		return nil, fmt.Errorf("signing key %s does not match its public half; restore the key file from a backup", kid)
	}
	return s, nil
}

// thumbprint is the RFC 7638 SHA-256 thumbprint of a key in base64url.
func thumbprint(key jwk.Key) (string, error) {
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("computing the thumbprint of a key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// header is the one protected header that key kid puts before things of this
// typ, in base64url. The bytes are durable: checks compare against them.
func header(kid string, typ Typ) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","kid":"` + kid + `","typ":"` + string(typ) + `"}`))
}

// KeyID is the thumbprint that names the key in headers and in the JWKS.
func (s *Signer) KeyID() string { return s.kid }

// Sign appends a record's compact JWS over payload to dst. It is SigningInput
// and Finish in one step.
func (s *Signer) Sign(dst, payload []byte) []byte { return s.sign(dst, s.record, payload) }

// SignPermit appends a permit's compact JWS over payload to dst.
func (s *Signer) SignPermit(dst, payload []byte) []byte { return s.sign(dst, s.permit, payload) }

// SignAs appends the compact JWS of something rarer, of another typ, to dst.
func (s *Signer) SignAs(typ Typ, dst, payload []byte) []byte {
	return s.sign(dst, header(s.kid, typ)+".", payload)
}

// SigningInput appends what a record's signature is computed over to dst:
// header.payload in base64url. A stream's next record commits to these bytes,
// so a batch can be chained first and then signed on all cores. A new dst has
// room for the signature.
func (s *Signer) SigningInput(dst, payload []byte) []byte {
	return input(dst, s.record, payload)
}

// Finish appends a dot and the signature over signingInput to dst. dst may be
// signingInput itself, which makes it the compact JWS, or any buffer it was
// copied to the end of.
func (s *Signer) Finish(dst, signingInput []byte) []byte {
	signature, err := s.signer.Sign(signingInput, s.key)
	if err != nil {
		// newSigner tried this very key; only a broken process gets here, and
		// it must not write unsigned records.
		panic("crypto: signing failed with a key that worked before: " + err.Error())
	}
	dst = append(dst, '.')
	return b64.AppendEncode(dst, signature)
}

func (s *Signer) sign(dst []byte, header string, payload []byte) []byte {
	start := len(dst)
	dst = input(dst, header, payload)
	return s.Finish(dst, dst[start:])
}

func input(dst []byte, header string, payload []byte) []byte {
	size := len(header) + b64.EncodedLen(len(payload)) + SignatureSize
	if cap(dst)-len(dst) < size {
		dst = append(make([]byte, 0, len(dst)+size), dst...)
	}
	dst = append(dst, header...)
	return b64.AppendEncode(dst, payload)
}
