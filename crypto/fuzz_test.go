package crypto

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gowebpki/jcs"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// What Verify accepts was signed, is in the one spelling, and plain jwx accepts
// it too; ParseUnverified agrees about the payload.
func FuzzVerify(f *testing.F) {
	s, v := testPair(f)
	set, err := jwk.Parse(v.JWKS())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Sign(nil, []byte(`{"v":1}`)))
	f.Add(s.SignPermit(nil, []byte(`{}`)))
	f.Add([]byte("e30.e30." + string(bytes.Repeat([]byte("A"), 86))))
	f.Add([]byte("..."))
	f.Fuzz(func(t *testing.T, token []byte) {
		input, unverified, parseErr := ParseUnverified(token)
		if parseErr == nil && !bytes.HasPrefix(token, append(bytes.Clone(input), '.')) {
			t.Fatal("the signing input is not a part of the token")
		}
		payload, kid, err := v.Verify(token, RecordTyp)
		if err != nil {
			return
		}
		if parseErr != nil || !bytes.Equal(payload, unverified) || kid != s.KeyID() {
			t.Fatalf("verified %q, parsed %q, %v", payload, unverified, parseErr)
		}
		if !bytes.Equal(s.Sign(nil, payload), token) {
			t.Fatal("a second spelling of a signature")
		}
		if _, err := jws.Verify(token, jws.WithKeySet(set, jws.WithRequireKid(true))); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzNewVerifier(f *testing.F) {
	_, v := testPair(f)
	f.Add(v.JWKS())
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"X25519","x":"AAAA"}]}`))
	f.Add([]byte(rfc8037))
	f.Fuzz(func(t *testing.T, jwks []byte) {
		v, err := NewVerifier(jwks)
		if err != nil {
			return
		}
		if _, err := NewVerifier(v.JWKS()); err != nil {
			t.Fatalf("its own JWKS: %v", err)
		}
	})
}

// Nothing opens but what was sealed.
func FuzzOpen(f *testing.F) {
	k := testDataKey(f)
	sealed, err := k.Seal(nil, []byte("plaintext"), []byte("place"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed, []byte("place"))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, ciphertext, place []byte) {
		got, err := k.Open(ciphertext, place)
		if err == nil && (!bytes.Equal(ciphertext, sealed) || string(place) != "place") {
			t.Fatalf("opened %q", got)
		}
	})
}

// Whatever is packed comes out again, and no packed bytes do harm.
func FuzzUnpack(f *testing.F) {
	codec, err := newCodec()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{plainRaw, 'x'})
	f.Add(codec.pack(nil, bytes.Repeat([]byte("x"), 5000)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := codec.unpack(b); err == nil && len(got) > MaxPlaintext {
			t.Fatalf("%d bytes", len(got))
		}
		if got, err := codec.unpack(codec.pack(nil, b)); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("packed %q, unpacked %q, %v", b, got, err)
		}
	})
}

func FuzzTokenHash(f *testing.F) {
	token, _ := NewToken(InvitationToken)
	f.Add(token)
	f.Add("clw_")
	f.Fuzz(func(t *testing.T, token string) {
		hash, ok := TokenHash(token)
		if ok != (hash != "") || ok && hash != Digest([]byte(token)) {
			t.Fatalf("hash %q, %v", hash, ok)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	kek := testKEK(f)
	f.Add([]byte{wrapFormat, 0})
	f.Add(append([]byte{wrapFormat, byte(len(kek.ID()))}, kek.ID()...))
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		if _, err := unwrapKeyset(t.Context(), kek, wrapped, "acme", "k.1"); err == nil {
			t.Fatal("unwrapped what was never wrapped")
		}
	})
}

// The files of a key directory: whatever they hold is an error, not a panic.
func FuzzKeyFiles(f *testing.F) {
	f.Add(mustKEK(f))
	f.Add([]byte(rfc8037))
	f.Add([]byte(`{"kty":"oct","k":"AAAA"}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if kek, err := newLocalKEK(content); err == nil {
			if _, err := kek.Wrap(t.Context(), []byte("x"), nil); err != nil {
				t.Fatal(err)
			}
		}
		if key, err := parseSigningKey(content); err == nil {
			if _, err := newSigner(key.private); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Params that are accepted have one canonical form, on which two independent
// implementations agree, and which is accepted again.
func FuzzCanonicalForm(f *testing.F) {
	for _, s := range []string{`{}`, `{"b":[1.5e3,-0,0.1],"a":"\u20ac<>"}`, `{"a\x":1}`, `{"a":1e400}`, "{\"\uFB33\":1,\"\U0001F600\":2}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, params []byte) {
		document, err := canonicalAction("acme", "ex_1", "tool.call", json.RawMessage(params), "p", 1)
		if err != nil || len(params) == 0 {
			return
		}
		mine, err := jcs.Transform(params)
		if err != nil {
			t.Fatal(err)
		}
		theirs := jsontext.Value(bytes.Clone(params))
		if err := theirs.Canonicalize(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(mine, theirs) {
			t.Fatalf("%s and %s", mine, theirs)
		}
		again, err := canonicalAction("acme", "ex_1", "tool.call", json.RawMessage(mine), "p", 1)
		if err != nil || !bytes.Equal(document, again) || !bytes.Contains(document, mine) {
			t.Fatalf("again %s, %v; was %s", again, err, document)
		}
	})
}
