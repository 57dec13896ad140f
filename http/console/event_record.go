package console

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// keySet is the service's JWK set.
type keySet struct {
	Keys []struct {
		KTY       string    `json:"kty"`
		CRV       string    `json:"crv"`
		X         string    `json:"x"`
		KID       string    `json:"kid"`
		ValidFrom time.Time `json:"claw_valid_from"`
	} `json:"keys"`
}

// key is the Ed25519 key of an id, or nil.
func (s keySet) key(kid string) ed25519.PublicKey {
	for _, k := range s.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if k.KID == kid && k.KTY == "OKP" && k.CRV == "Ed25519" && err == nil && len(x) == ed25519.PublicKeySize {
			return x
		}
	}
	return nil
}

// storedRecord is a record as it lies in the log, laid out for reading, and what
// this server finds when it checks it. Who does not trust the server checks it in
// the browser, or with the command line.
type storedRecord struct {
	Header    string // JSON
	Payload   string // JSON
	Signature string // base64url
	KID       string
	Size      int    // of the ciphertext, in bytes
	Digest    string // of the ciphertext, computed
	Previous  string // digest of the record before, as signed
	KeyKnown  bool
	Signed    bool // the signature is good
	Intact    bool // the ciphertext is what was signed
	Unread    bool // the JWS is none
}

// Good reports whether nothing speaks against the record.
func (s storedRecord) Good() bool { return s.KeyKnown && s.Signed && s.Intact }

// errJWS says that what should be a JWS is none.
var errJWS = errors.New("no compact JWS")

// newStored takes a record apart and checks it. A record that can't be read is
// shown as one, since it is what the page is for.
func newStored(r api.Record, keys keySet) (storedRecord, error) {
	sum := sha256.Sum256(r.Ciphertext)
	s := storedRecord{Size: len(r.Ciphertext), Digest: base64.RawURLEncoding.EncodeToString(sum[:])}
	header, payload, signature, err := parts(r.Jws)
	var head struct{ Alg, Kid, Typ string }
	var said struct{ Data, Prev string }
	if err == nil {
		err = errors.Join(json.Unmarshal(header, &head), json.Unmarshal(payload, &said))
	}
	if err != nil {
		s.Unread = true
		return s, nil
	}
	if s.Header, err = readable(json.RawMessage(header)); err != nil {
		return s, err
	}
	if s.Payload, err = readable(json.RawMessage(payload)); err != nil {
		return s, err
	}
	key := keys.key(head.Kid)
	input := r.Jws[:strings.LastIndexByte(r.Jws, '.')]
	s.KID, s.Previous, s.Signature = head.Kid, said.Prev, base64.RawURLEncoding.EncodeToString(signature)
	s.KeyKnown = key != nil
	s.Signed = s.KeyKnown && head.Alg == "EdDSA" && head.Typ == "claw-record+jws" && ed25519.Verify(key, []byte(input), signature)
	s.Intact = said.Data == s.Digest
	return s, nil
}

// parts are the decoded parts of a compact JWS.
func parts(jws string) (header, payload, signature []byte, err error) {
	all := strings.Split(jws, ".")
	if len(all) != 3 {
		return nil, nil, nil, errJWS
	}
	var out [3][]byte
	for i, part := range all {
		if out[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, nil, nil, fmt.Errorf("%w: %w", errJWS, err)
		}
	}
	return out[0], out[1], out[2], nil
}

// Exact is a time as records have it.
func (f *frame) Exact(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// Before is the revision before one.
func (f *frame) Before(revision int64) int64 { return revision - 1 }

// StreamURL finds the events of a stream.
func (f *frame) StreamURL(stream string) string {
	return f.SearchURL("stream", f.Workspace.ID+"/"+stream, "order", "oldest")
}

// CorrelationRef leads to what the caller put together.
func (f *frame) CorrelationRef(correlation string) ref {
	return ref{f.SearchURL("correlation", correlation), short(correlation), correlation}
}
