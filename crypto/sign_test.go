package crypto

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// rfc8037 is the private key of RFC 8037, appendix A.1, with our members; its
// thumbprint is in appendix A.3.
const (
	rfc8037 = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",` +
		`"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",` +
		`"claw_valid_from":"2026-01-02T03:04:05.000006Z"}`
	rfc8037Kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
)

// testKey draws a signing key.
func testKey(t testing.TB) signingKey {
	t.Helper()
	dir := t.TempDir()
	if _, err := createKeys(dir, OpenOptions{Create: true, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	keys, err := loadSigningKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	return keys[0]
}

// testPair is a signer and the verifier of its key.
func testPair(t testing.TB) (*Signer, *Verifier) {
	t.Helper()
	key := testKey(t)
	s, err := newSigner(key.private)
	if err != nil {
		t.Fatal(err)
	}
	v, err := newVerifier([]VerificationKey{key.VerificationKey})
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func TestSignaturesOfTheRFCKey(t *testing.T) {
	key, err := parseSigningKey([]byte(rfc8037))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSigner(key.private)
	if err != nil {
		t.Fatal(err)
	}
	if s.KeyID() != rfc8037Kid {
		t.Errorf("kid %s, want %s", s.KeyID(), rfc8037Kid)
	}
	headers := map[Typ]string{
		RecordTyp:       `{"alg":"EdDSA","kid":"` + rfc8037Kid + `","typ":"claw-record+jws"}`,
		PermitTyp:       `{"alg":"EdDSA","kid":"` + rfc8037Kid + `","typ":"claw-permit+jwt"}`,
		"claw-tree+jws": `{"alg":"EdDSA","kid":"` + rfc8037Kid + `","typ":"claw-tree+jws"}`,
	}
	for typ, header := range headers {
		got, _, _ := strings.Cut(string(s.SignAs(typ, nil, []byte("{}"))), ".")
		if want := base64.RawURLEncoding.EncodeToString([]byte(header)); got != want {
			t.Errorf("%s: header %s, want %s", typ, got, want)
		}
	}
}

// Every JWS must verify with plain jwx, which knows nothing of our strictness.
func TestPlainJWXVerifies(t *testing.T) {
	s, v := testPair(t)
	set, err := jwk.Parse(v.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	payloads := map[string][]byte{"empty": nil, "object": []byte(`{"v":1}`), "binary": {0, 255, '.', '\n'}, "large": bytes.Repeat([]byte("x"), 100_000)}
	makers := map[string]struct {
		sign func(dst, payload []byte) []byte
		typ  Typ
	}{
		"record": {s.Sign, RecordTyp},
		"permit": {s.SignPermit, PermitTyp},
		"other":  {func(dst, p []byte) []byte { return s.SignAs("claw-tree+jws", dst, p) }, "claw-tree+jws"},
		"two steps": {func(dst, p []byte) []byte {
			in := s.SigningInput(nil, p)
			return append(dst, s.Finish(in, in)...)
		}, RecordTyp},
		"two steps into another buffer": {func(dst, p []byte) []byte {
			in := s.SigningInput(nil, p)
			return s.Finish(append(dst, in...), in)
		}, RecordTyp},
	}
	for name, maker := range makers {
		for size, payload := range payloads {
			t.Run(name+"/"+size, func(t *testing.T) {
				token := maker.sign([]byte("before"), payload)
				token, found := bytes.CutPrefix(token, []byte("before"))
				if !found {
					t.Fatal("dst was overwritten")
				}
				got, err := jws.Verify(token, jws.WithKeySet(set, jws.WithRequireKid(true)))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, payload) {
					t.Errorf("jwx read %q", got)
				}
				got, kid, err := v.Verify(token, maker.typ)
				if err != nil || kid != s.KeyID() || !bytes.Equal(got, payload) {
					t.Errorf("Verify answered %q, %s, %v", got, kid, err)
				}
				input, got, err := ParseUnverified(token)
				if err != nil || !bytes.Equal(got, payload) || !bytes.HasPrefix(token, append(input, '.')) {
					t.Errorf("ParseUnverified answered %q, %q, %v", input, got, err)
				}
			})
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	s, v := testPair(t)
	stranger, _ := testPair(t)
	good := string(s.Sign(nil, []byte(`{"v":1,"ws":"acme"}`)))
	p := strings.Split(good, ".")
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	// resign makes a JWS with any header that the right key did sign.
	resign := func(header string) string {
		in := encode(header) + "." + p[1]
		return string(s.Finish([]byte(in), []byte(in)))
	}
	kid := s.KeyID()
	hmacSigned, err := jws.Sign([]byte("{}"), jws.WithKey(jwa.HS256, []byte(s.key.Public().(ed25519.PublicKey))))
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name  string
		token string
		want  error
	}{
		{"empty", "", ErrMalformed},
		{"two parts", p[0] + "." + p[1], ErrMalformed},
		{"four parts", good + ".", ErrMalformed},
		{"no header", "." + p[1] + "." + p[2], ErrMalformed},
		{"no signature", p[0] + "." + p[1] + ".", ErrMalformed},
		{"signature cut", good[:len(good)-1], ErrMalformed},
		{"signature padded", good + "==", ErrMalformed},
		{"trailing newline", good + "\n", ErrMalformed},
		{"newline within the payload", p[0] + "." + p[1][:4] + "\n" + p[1][4:] + "." + p[2], ErrMalformed},
		{"newline for a character of the signature", p[0] + "." + p[1] + "." + p[2][:85] + "\n", ErrMalformed},
		{"trailing bits of the signature", p[0] + "." + p[1] + "." + lastBits(p[2]), ErrMalformed},
		{"trailing bits of the payload", p[0] + "." + lastBits(encode("{}")) + "." + p[2], ErrMalformed},
		{"standard alphabet", p[0] + "." + p[1] + "." + "+/" + p[2][2:], ErrMalformed},
		{"permit as a record", string(s.SignPermit(nil, []byte("{}"))), ErrMalformed},
		{"alg none", encode(`{"alg":"none","kid":"`+kid+`","typ":"claw-record+jws"}`) + "." + p[1] + "." + p[2], ErrMalformed},
		{"alg HS256 under the public key", string(hmacSigned), ErrMalformed},
		{"header of other order", resign(`{"kid":"` + kid + `","alg":"EdDSA","typ":"claw-record+jws"}`), ErrMalformed},
		{"header with a space", resign(`{"alg": "EdDSA","kid":"` + kid + `","typ":"claw-record+jws"}`), ErrMalformed},
		{"header with crit", resign(`{"alg":"EdDSA","kid":"` + kid + `","typ":"claw-record+jws","crit":["x"],"x":1}`), ErrMalformed},
		{"header with its own key", resign(`{"alg":"EdDSA","jwk":{},"kid":"` + kid + `","typ":"claw-record+jws"}`), ErrMalformed},
		{"header with a member twice", resign(`{"alg":"EdDSA","alg":"EdDSA","kid":"` + kid + `","typ":"claw-record+jws"}`), ErrMalformed},
		{"header without kid", resign(`{"alg":"EdDSA","typ":"claw-record+jws"}`), ErrMalformed},
		{"header no JSON", resign(`nonsense`), ErrMalformed},
		{"unknown key", string(stranger.Sign(nil, []byte("{}"))), ErrUnknownKey},
		{"unknown key's signature under a known kid", p[0] + "." + p[1] + "." +
			strings.Split(string(stranger.Sign(nil, []byte(`{"v":1,"ws":"acme"}`))), ".")[2], ErrBadSignature},
		{"payload changed", p[0] + "." + encode(`{"v":1,"ws":"evil"}`) + "." + p[2], ErrBadSignature},
		{"signature of another payload", p[0] + "." + p[1] + "." + strings.Split(string(s.Sign(nil, []byte("{}"))), ".")[2], ErrBadSignature},
		{"signature of zeros", p[0] + "." + p[1] + "." + strings.Repeat("A", 86), ErrBadSignature},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			payload, _, err := v.Verify([]byte(row.token), RecordTyp)
			if !errors.Is(err, row.want) || payload != nil {
				t.Errorf("answered %q, %v; want error %v", payload, err, row.want)
			}
		})
	}
}

// No single changed bit may pass, wherever it is.
func TestEveryBitCounts(t *testing.T) {
	s, v := testPair(t)
	good := s.Sign(nil, []byte(`{"v":1}`))
	for i := range good {
		for bit := range 8 {
			token := bytes.Clone(good)
			token[i] ^= 1 << bit
			if _, _, err := v.Verify(token, RecordTyp); err == nil {
				t.Fatalf("bit %d of byte %d may be changed", bit, i)
			}
		}
	}
}

func TestVerifyNamesTheUnknownKey(t *testing.T) {
	stranger, _ := testPair(t)
	_, v := testPair(t)
	_, kid, err := v.Verify(stranger.Sign(nil, []byte("{}")), RecordTyp)
	if !errors.Is(err, ErrUnknownKey) || kid != stranger.KeyID() {
		t.Errorf("answered kid %q, error %v", kid, err)
	}
}

func TestSigningAllocatesLittle(t *testing.T) {
	s, _ := testPair(t)
	payload := bytes.Repeat([]byte("x"), 600)
	dst := make([]byte, 0, 4096)
	raw := testing.AllocsPerRun(20, func() { ed25519.Sign(s.key, payload) })
	if got := testing.AllocsPerRun(20, func() { s.Sign(dst, payload) }); got > raw+3 {
		t.Errorf("Sign allocates %v times, ed25519.Sign %v times", got, raw)
	}
}

func TestNewVerifier(t *testing.T) {
	s, v := testPair(t)
	again, err := NewVerifier(v.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v.Keys(), again.Keys(), cmp.AllowUnexported(VerificationKey{})); diff != "" {
		t.Errorf("JWKS does not round-trip: %s", diff)
	}
	if _, _, err := again.Verify(s.Sign(nil, []byte("{}")), RecordTyp); err != nil {
		t.Error(err)
	}
	rsa := `{"kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}`
	mixed := strings.Replace(string(v.JWKS()), `{"keys":[`, `{"keys":[`+rsa+`,`, 1)
	if got, err := NewVerifier([]byte(mixed)); err != nil || len(got.Keys()) != 1 {
		t.Errorf("a set with another sort of key: %v", err)
	}
	rows := []struct{ name, jwks string }{
		{"no JSON", "nonsense"},
		{"no keys", `{"keys":[]}`},
		{"only other keys", `{"keys":[` + rsa + `]}`},
		{"another kid", strings.Replace(string(v.JWKS()), s.KeyID(), rfc8037Kid, 1)},
		{"time is a number", strings.Replace(string(v.JWKS()), `"claw_valid_from":"`, `"claw_valid_from":1,"was":"`, 1)},
		{"time is no time", strings.Replace(string(v.JWKS()), `"claw_valid_from":"`, `"claw_valid_from":"x`, 1)},
		{"short key", `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"x"}]}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if _, err := NewVerifier([]byte(row.jwks)); !errors.Is(err, ErrKeySet) {
				t.Errorf("error %v, want %v", err, ErrKeySet)
			}
		})
	}
}

// lastBits sets an unused bit of the last character of an unpadded base64url text.
func lastBits(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + string(alphabet[i|1])
}
