package console

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	idleFor    = 30 * time.Minute // without use, a session ends
	lastsFor   = 12 * time.Hour   // used or not, a session ends
	renewAfter = time.Minute      // a cookie is sent anew at most so often
	skew       = 2 * time.Minute  // how far the clocks of replicas may be apart
)

// sessionName is the name of the tokens that are sessions of the console. Who
// looks at a list of tokens knows them by it, and so does "sign out everywhere".
const sessionName = "console session"

// session is what a browser keeps, sealed. It holds a token of its own, made for
// this session alone, so that the ledger's list of tokens is the list of
// sessions and revoking one ends it on every replica.
type session struct {
	Token   string    `json:"t"`
	ID      string    `json:"i"` // of the token
	Member  string    `json:"m"`
	Secret  []byte    `json:"c"` // form tokens derive from it
	Seen    time.Time `json:"s"`
	Expires time.Time `json:"e"`
}

// The ways in which a session is over or never was one.
var (
	errNoSession   = errors.New("no session")
	errIdle        = errors.New("session idle for too long")
	errExpired     = errors.New("session at its end")
	errBadCookie   = errors.New("cookie was not sealed here, or for another place")
	errOtherFormat = errors.New("cookie of another format")
)

// keys are derived from Config.Key, one for each purpose.
type keys struct{ cookies, doors []byte }

func deriveKeys(key [32]byte) (keys, error) {
	var k keys
	var err error
	if k.cookies, err = hkdf.Key(sha256.New, key[:], nil, "console cookies", 32); err != nil {
		return k, fmt.Errorf("derive the key of cookies: %w", err)
	}
	if k.doors, err = hkdf.Key(sha256.New, key[:], nil, "console sign-in forms", 32); err != nil {
		return k, fmt.Errorf("derive the key of sign-in forms: %w", err)
	}
	return k, nil
}

func newSeal(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the seal of cookies: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// format is the first byte of every sealed value.
const format = 1

// maxCookie bounds what is decoded; no cookie made here is half as long.
const maxCookie = 4096

// associated binds a sealed value to its purpose and its workspace.
func associated(purpose, ws string) []byte {
	return fmt.Appendf(nil, "clawoffice console %d\x00%s\x00%s", format, purpose, ws)
}

// sealed is value as cookie text for one purpose in one workspace.
func (c *Console) sealed(purpose, ws string, value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("seal a cookie: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(c.seal.Seal([]byte{format}, nil, plain, associated(purpose, ws))), nil
}

// opened fills value from a cookie that was sealed for the same purpose and
// workspace, or answers errBadCookie or errOtherFormat.
func (c *Console) opened(purpose, ws, text string, value any) error {
	if text == "" || len(text) > maxCookie {
		return errBadCookie
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) == 0 {
		return errBadCookie
	}
	if raw[0] != format {
		return errOtherFormat
	}
	plain, err := c.seal.Open(nil, nil, raw[1:], associated(purpose, ws))
	if err != nil {
		return errBadCookie
	}
	if err := json.Unmarshal(plain, value); err != nil {
		return errBadCookie
	}
	return nil
}

// openSession answers the session in a cookie of ws, if it still is one.
func (c *Console) openSession(ws, text string) (session, error) {
	var s session
	if text == "" {
		return s, errNoSession
	}
	if err := c.opened("session", ws, text, &s); err != nil {
		return session{}, err
	}
	now := c.now()
	switch {
	case s.Token == "" || s.Member == "" || len(s.Secret) != 32 || s.Seen.After(now.Add(skew)):
		return session{}, errBadCookie
	case !now.Before(s.Expires):
		return s, errExpired
	case now.Sub(s.Seen) >= idleFor:
		return s, errIdle
	}
	return s, nil
}

// newSecret is 32 random bytes.
func newSecret() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return b
}
