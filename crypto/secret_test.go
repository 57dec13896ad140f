package crypto

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/clawoffice/ledger/domain"
)

// testSecret is always the same secret: the bytes 0 to 31.
func testSecret(t testing.TB) Secret {
	t.Helper()
	key := make([]byte, secretSize)
	for i := range key {
		key[i] = byte(i)
	}
	s, err := NewSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reference is the definition of a tag, by the standard library alone. Each
// text is at most 127 bytes long, so its length is one byte.
func reference(texts ...string) []byte {
	key := make([]byte, secretSize)
	for i := range key {
		key[i] = byte(i)
	}
	mac := hmac.New(sha256.New, key)
	for _, text := range texts {
		mac.Write([]byte{byte(len(text))})
		mac.Write([]byte(text))
	}
	return mac.Sum(nil)
}

func TestTagsAreWhatTheyAreDefinedToBe(t *testing.T) {
	s := testSecret(t)
	tag := s.Tag("purpose", "a", "bc", "")
	rows := []struct{ name, got, want string }{
		{"tag", hex.EncodeToString(tag[:]), hex.EncodeToString(reference("purpose", "a", "bc", ""))},
		{"command id", string(s.CommandID("acme", domain.AgentActor("ag_1"), "POST", "/v1/x", "key")),
			hex.EncodeToString(reference("command", "acme", "agent", "ag_1", "POST", "/v1/x", "key")[:16])},
		{"subject tag", string(s.SubjectTag("acme", "ada@example.org")),
			base32ID.EncodeToString(reference("subject", "acme", "ada@example.org")[:16])},
		{"webhook key", hex.EncodeToString(s.WebhookKey("acme", "wh_1", 12)), hex.EncodeToString(reference("webhook", "acme", "wh_1", "12"))},
		{"body", s.BodyMAC([]byte("body")), base64.RawURLEncoding.EncodeToString(reference("body", "body")[:16])},
	}
	for _, row := range rows {
		if row.got != row.want {
			t.Errorf("%s is %s, want %s", row.name, row.got, row.want)
		}
	}
}

// These values are in logs; they must never change.
func TestDerivedValuesAreDurable(t *testing.T) {
	s := testSecret(t)
	cmd := s.CommandID("acme", domain.MemberActor("mb_1"), "POST", "/v1/workspaces/acme/executions", "k-1")
	event := s.EventID(cmd, 1)
	rows := []struct{ name, got, want string }{
		{"command id", string(cmd), "f99d0e2e93e8a4e5942251aef943872d"},
		{"execution id", s.DeriveID("ex_", cmd, 0), "ex_jzo2azq2usagndymmazgkuobbe"},
		{"event id", hex.EncodeToString(event[:]), "72e555abf7d082fcbf07b07cadb497da"},
		{"body", s.BodyMAC([]byte(`{"a":1}`)), "7StreEY-OZNi-WF8GrM9kw"},
		{"subject tag", string(s.SubjectTag("acme", "ada@example.org")), "aomwtkcbwrbcvyjkdgjolzkuwq"},
		{"webhook key", hex.EncodeToString(s.WebhookKey("acme", "wh_1", 1)), "304ba8f5b6b5c7f5d401cecaae7e2c32816489610dad0f8fd379561bd7b4661d"},
	}
	for _, row := range rows {
		if row.got != row.want {
			t.Errorf("%s is %s, want %s", row.name, row.got, row.want)
		}
	}
}

func TestTagsTellPartsApart(t *testing.T) {
	s := testSecret(t)
	long := strings.Repeat("a", 200) // a length of two bytes
	rows := [][]string{{"p"}, {"p", ""}, {"p", "", ""}, {"p", "ab"}, {"p", "a", "b"}, {"p", "b", "a"}, {"pab"}, {"pa", "b"}, {"p", "\x01a"},
		{"p", long}, {"p", long[1:]}, {"p", "\xc8\x01" + long}}
	seen := map[[32]byte][]string{}
	for _, row := range rows {
		tag := s.Tag(row[0], row[1:]...)
		if other, dup := seen[tag]; dup {
			t.Errorf("%q and %q have the same tag", row, other)
		}
		seen[tag] = row
	}
}

func TestCommandsHaveTheirOwnIDs(t *testing.T) {
	s := testSecret(t)
	actor := domain.AgentActor("ag_1")
	base := s.CommandID("acme", actor, "POST", "/x", "k")
	for name, other := range map[string]domain.CommandID{
		"workspace": s.CommandID("beta", actor, "POST", "/x", "k"),
		"kind":      s.CommandID("acme", domain.MemberActor("ag_1"), "POST", "/x", "k"),
		"actor":     s.CommandID("acme", domain.AgentActor("ag_2"), "POST", "/x", "k"),
		"method":    s.CommandID("acme", actor, "PUT", "/x", "k"),
		"path":      s.CommandID("acme", actor, "POST", "/y", "k"),
		"key":       s.CommandID("acme", actor, "POST", "/x", "l"),
		"parts":     s.CommandID("acme", actor, "POST", "/xk", ""),
	} {
		if other == base {
			t.Errorf("another %s, the same id", name)
		}
	}
	if len(base) != 32 || base != s.CommandID("acme", actor, "POST", "/x", "k") {
		t.Errorf("id %q", base)
	}
}

func TestDerivedIDs(t *testing.T) {
	s := testSecret(t)
	seen := map[string]bool{}
	for _, prefix := range []string{"ex_", "ap_"} {
		for n := range 300 {
			id := s.DeriveID(prefix, "cmd", n)
			body, ok := strings.CutPrefix(id, prefix)
			if !ok || len(body) != 26 || strings.Trim(body, "abcdefghijklmnopqrstuvwxyz234567") != "" || seen[body] {
				t.Fatalf("id %q of number %d", id, n)
			}
			seen[body] = true
		}
	}
	events := map[[16]byte]bool{}
	for n := range 300 {
		id := s.EventID("cmd", n)
		if id[6]>>4 != 8 || id[8]>>6 != 2 || events[id] {
			t.Fatalf("event id %x of number %d", id, n)
		}
		events[id] = true
	}
}

func TestSecretsDiffer(t *testing.T) {
	a := testSecret(t)
	b, err := NewSecret(bytes.Repeat([]byte{1}, secretSize))
	if err != nil {
		t.Fatal(err)
	}
	if a.SubjectTag("acme", "x") == b.SubjectTag("acme", "x") {
		t.Error("two secrets make the same tag")
	}
	for _, size := range []int{0, 31, 33} {
		if _, err := NewSecret(make([]byte, size)); !errors.Is(err, ErrSecretSize) {
			t.Errorf("%d bytes: error %v", size, err)
		}
	}
}

// The secret keeps its own copy of the key, and pooled states don't mix.
func TestSecretIsUsedByMany(t *testing.T) {
	key := bytes.Repeat([]byte{7}, secretSize)
	s, err := NewSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	want := s.Tag("p", "x")
	clear(key)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				s.BodyMAC(bytes.Repeat([]byte("b"), i*100_000/8))
				if s.Tag("p", "x") != want {
					t.Error("another tag")
					return
				}
			}
		})
	}
	wg.Wait()
}

// What a tag was made of, such as an e-mail address, must not stay in a pool.
func TestTagBuffersAreWiped(t *testing.T) {
	s := testSecret(t)
	m := s.state("purpose")
	m.buf = appendPart(m.buf, "ada@example.org")
	whole := m.buf[:cap(m.buf)]
	s.finish(m, nil)
	if !bytes.Equal(whole, make([]byte, len(whole))) {
		t.Error("the parts of a tag leave traces")
	}
}

func TestTagsDoNotAllocate(t *testing.T) {
	s := testSecret(t)
	actor := domain.AgentActor("ag_1")
	for name, f := range map[string]func(){
		"Tag":       func() { s.Tag("p", "a", "b") },
		"CommandID": func() { s.CommandID("acme", actor, "POST", "/x", "k") },
		"EventID":   func() { s.EventID("cmd", 1) },
		"DeriveID":  func() { s.DeriveID("ex_", "cmd", 1) },
	} {
		// One for a text that is answered; now and then the pool is emptied.
		if got := testing.AllocsPerRun(200, f); got > 1 && !raceEnabled {
			t.Errorf("%s allocates %v times", name, got)
		}
	}
}
