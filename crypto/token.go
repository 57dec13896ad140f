package crypto

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/clawoffice/ledger/domain"
)

// TokenKind is the prefix of a bearer token. It says what the token is for to
// people and secret scanners; the ledger goes by the hash alone.
type TokenKind string

// The kinds of token.
const (
	CredentialToken TokenKind = "clw_"   // a member's or agent's
	InvitationToken TokenKind = "clwin_" // accepts an invitation, once
)

// operatorPrefix begins the operator token, which is kept in a file and has no
// checksum: a wrong one is found out by comparing.
const operatorPrefix = "clwop_"

const (
	tokenBytes    = 32
	tokenBody     = 43 // 32 bytes in base64url
	tokenChecksum = 6
)

// NewToken draws a bearer token and answers it with the hash to keep. A token
// is the kind's prefix, 32 random bytes in base64url and a checksum of 6
// characters, so that a scanner can tell a leaked token from any other text and
// a mistyped one costs no look-up. The token itself is shown once and never
// stored. Tokens are never derived from anything.
func NewToken(kind TokenKind) (token string, hash domain.Digest) {
	token = string(kind) + randomText()
	token += checksum(token)
	return token, Digest([]byte(token))
}

// TokenHash answers the hash under which a token was kept. It is false for
// texts that no [NewToken] can have made; they need no further look.
func TokenHash(token string) (domain.Digest, bool) {
	if len(token) > 64 {
		return "", false
	}
	for _, kind := range []TokenKind{CredentialToken, InvitationToken} {
		rest, ok := strings.CutPrefix(token, string(kind))
		if !ok || len(rest) != tokenBody+tokenChecksum {
			continue
		}
		body, sum := token[:len(token)-tokenChecksum], rest[tokenBody:]
		if canonicalText(rest[:tokenBody]) && checksum(body) == sum {
			return Digest([]byte(token)), true
		}
	}
	return "", false
}

// checksum is no secret and no protection, only a shape: the first 36 bits of
// the SHA-256 of what stands before it.
func checksum(body string) string {
	sum := sha256.Sum256([]byte("claw-token/1 " + body))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:tokenChecksum]
}

// randomText is 32 random bytes as 43 characters of base64url.
func randomText() string {
	var b [tokenBytes]byte
	rand.Read(b[:]) // never fails; the program ends if the system has no randomness
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// canonicalText reports whether s could have come from randomText.
func canonicalText(s string) bool {
	var b [tokenBytes]byte
	out, err := decodeB64(b[:0], []byte(s))
	return err == nil && len(out) == tokenBytes
}
