package crypto

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"sync"
)

// secretSize is the size in bytes of the service secret.
const secretSize = 32

// Secret is the root of all keyed tags and derived ids of one installation.
// It is safe for concurrent use. Two secrets that differ in a bit agree on no
// tag; whoever has the secret can guess what a tag was made of, others can't.
// The zero Secret is unusable.
type Secret struct {
	redacted
	states *sync.Pool // of *macState
}

// ErrSecretSize says that a secret is not of 32 bytes.
var ErrSecretSize = errors.New("a service secret must have 32 bytes")

// NewSecret makes a Secret of 32 random bytes. Installations take theirs from
// [Dir.Secret]; this is for tests and tools.
func NewSecret(key []byte) (Secret, error) {
	if len(key) != secretSize {
		return Secret{}, ErrSecretSize
	}
	key = append([]byte(nil), key...)
	return Secret{redacted("service secret"), &sync.Pool{New: func() any { return newMACState(key) }}}, nil
}

// macState is a keyed hash with the buffers one tag needs, pooled because tags
// are made several times for each command.
type macState struct {
	mac hash.Hash
	buf []byte
	sum [sha256.Size]byte
}

func newMACState(key []byte) *macState {
	m := &macState{mac: hmac.New(sha256.New, key), buf: make([]byte, 0, 512)}
	m.mac.Reset() // saves the keyed state, which makes every later Reset cheap
	return m
}

// maxPooled is the largest buffer that goes back into a pool.
const maxPooled = 64 << 10

// Tag is the HMAC-SHA256 of purpose and parts, each with its length before it:
// no two different sequences of texts have the same tag, other than by a
// collision of SHA-256. Purposes are literals, unique in the program.
func (s Secret) Tag(purpose string, parts ...string) [32]byte {
	m := s.state(purpose)
	for _, p := range parts {
		m.buf = appendPart(m.buf, p)
	}
	return s.finish(m, nil)
}

func (s Secret) state(purpose string) *macState {
	m := s.states.Get().(*macState)
	m.buf = appendPart(m.buf[:0], purpose)
	return m
}

// finish answers the tag of what m.buf holds followed by body, and gives m back.
func (s Secret) finish(m *macState, body []byte) [32]byte {
	m.mac.Reset()
	m.mac.Write(m.buf) // a hash never fails to write
	m.mac.Write(body)
	m.mac.Sum(m.sum[:0])
	sum := m.sum
	clear(m.buf) // parts may be personal data
	if cap(m.buf) <= maxPooled {
		s.states.Put(m)
	}
	return sum
}
