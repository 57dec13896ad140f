package crypto

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

func TestSearchTags(t *testing.T) {
	s := testSecret(t)
	key := s.Tag("search", "acme", "3")
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("größe"))
	tag := s.SearchKey("acme", 3).Tag("größe")
	if want := mac.Sum(nil)[:8]; string(tag[:]) != string(want) {
		t.Errorf("the tag is %x, want %x", tag, want)
	}
	// This value is in indexes; it must never change.
	if text := hex.EncodeToString(tag[:]); text != "9f24da5a16644995" {
		t.Errorf("the tag is %s", text)
	}
	seen := map[[8]byte]string{}
	for _, row := range []struct {
		name string
		tag  [8]byte
	}{
		{"a word", s.SearchKey("acme", 1).Tag("quarterly")}, {"another word", s.SearchKey("acme", 1).Tag("invoice")}, {"no word", s.SearchKey("acme", 1).Tag("")},
		{"another workspace", s.SearchKey("beta", 1).Tag("quarterly")}, {"another epoch", s.SearchKey("acme", 2).Tag("quarterly")},
		{"digits elsewhere", s.SearchKey("acme1", 1).Tag("quarterly")}, {"digits together", s.SearchKey("acme", 11).Tag("quarterly")},
	} {
		if other, dup := seen[row.tag]; dup {
			t.Errorf("%s and %s have the same tag", row.name, other)
		}
		seen[row.tag] = row.name
	}
}

func TestSearchKeyPrintsAsRedacted(t *testing.T) {
	key := testSecret(t).SearchKey("acme", 1)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if text := fmt.Sprintf(verb, key); text != "[redacted search key]" {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func BenchmarkSearchTag(b *testing.B) {
	key := testSecret(b).SearchKey("acme", 1)
	for b.Loop() {
		key.Tag("quarterly")
	}
}
