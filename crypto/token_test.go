package crypto

import (
	"regexp"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	shapes := map[TokenKind]*regexp.Regexp{
		CredentialToken: regexp.MustCompile(`^clw_[A-Za-z0-9_-]{49}$`),
		InvitationToken: regexp.MustCompile(`^clwin_[A-Za-z0-9_-]{49}$`),
	}
	seen := map[string]bool{}
	for kind, shape := range shapes {
		for range 50 {
			token, hash := NewToken(kind)
			if !shape.MatchString(token) || seen[token] {
				t.Fatalf("token of %d characters, drawn before: %v", len(token), seen[token])
			}
			seen[token] = true
			if got, ok := TokenHash(token); !ok || got != hash || hash != Digest([]byte(token)) {
				t.Fatalf("hash %s, %v; want %s", got, ok, hash)
			}
		}
	}
}

// A published example: the format is durable, tokens live for years.
func TestTokenIsDurable(t *testing.T) {
	const token = "clw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8YQf8Yb"
	got, ok := TokenHash(token)
	if want := Digest([]byte(token)); !ok || got != want {
		t.Errorf("hash %s, %v; want %s", got, ok, want)
	}
}

func TestTokenHashRefuses(t *testing.T) {
	token, _ := NewToken(CredentialToken)
	body := token[4 : 4+tokenBody]
	rows := []struct{ name, token string }{
		{"empty", ""},
		{"prefix only", "clw_"},
		{"no prefix", token[4:]},
		{"other prefix", "clwin_" + token[4:]},
		{"unknown prefix", "ghp_" + token[4:]},
		{"no checksum", token[:4+tokenBody]},
		{"a character more", token + "A"},
		{"a space after", token + " "},
		{"padded", token[:len(token)-1] + "="},
		{"other letter case", "CLW_" + token[4:]},
		{"trailing bits with a fitting checksum", "clw_" + lastBits(body) + checksum("clw_"+lastBits(body))},
		{"line break with a fitting checksum", "clw_" + body[:42] + "\n" + checksum("clw_"+body[:42]+"\n")},
		{"very long", "clw_" + strings.Repeat("A", 1<<20)},
		{"operator token", operatorPrefix + body},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if hash, ok := TokenHash(row.token); ok || hash != "" {
				t.Errorf("taken for a token: %s", hash)
			}
		})
	}
}

// A single mistyped character is always noticed.
func TestTyposAreNoticed(t *testing.T) {
	token, _ := NewToken(CredentialToken)
	for i := range token {
		for _, c := range []byte("aB3-") {
			typo := []byte(token)
			typo[i] = c
			if string(typo) == token {
				continue
			}
			// 1 in 2^36 would pass by chance.
			if _, ok := TokenHash(string(typo)); ok {
				t.Errorf("character %d may be %c", i, c)
			}
		}
	}
}
