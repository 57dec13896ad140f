package crypto

import (
	"errors"
	"fmt"
	"sync"

	"github.com/google/tink/go/tink"
	"github.com/klauspost/compress/zstd"
)

// MaxPlaintext is the most bytes that [DataKey.Seal] takes and Open yields.
const MaxPlaintext = 16 << 20

// compressAbove is the size in bytes from which compressing pays.
const compressAbove = 1 << 10

// What the first byte of a plaintext says about the others.
const (
	plainRaw  = 0
	plainZstd = 1
)

var (
	// ErrOpen: the ciphertext does not open. It was changed, belongs elsewhere,
	// or was sealed with another key; nothing more can be known.
	ErrOpen = errors.New("ciphertext does not open under this key in this place")
	// ErrTooLarge: the plaintext exceeds MaxPlaintext.
	ErrTooLarge = errors.New("plaintext is larger than can be sealed")
)

// DataKey seals and opens payloads. It is safe for concurrent use. After its
// key was erased a DataKey in hand still works: drop it soon.
type DataKey struct {
	redacted
	id    KeyID
	aead  tink.AEAD
	codec *codec
}

// ID names the key in its workspace.
func (k *DataKey) ID() KeyID { return k.id }

// Seal appends the ciphertext of plaintext to dst, bound to the associated
// data: Open needs the same. Plaintexts above 1 KiB are compressed first where
// that helps, so the length of a ciphertext tells something about how regular
// its plaintext is. A nil dst saves a copy. The error is [ErrTooLarge].
func (k *DataKey) Seal(dst, plaintext, associated []byte) ([]byte, error) {
	if len(plaintext) > MaxPlaintext {
		return dst, fmt.Errorf("%w: it has %d bytes, the most is %d", ErrTooLarge, len(plaintext), MaxPlaintext)
	}
	buf := k.codec.buffers.Get().(*[]byte)
	defer k.codec.release(buf, len(plaintext))
	*buf = k.codec.pack((*buf)[:0], plaintext)
	ciphertext, err := k.aead.Encrypt(*buf, associated)
	if err != nil {
		return dst, fmt.Errorf("sealing with data key %s: %w", k.id, err)
	}
	if dst == nil {
		return ciphertext, nil
	}
	return append(dst, ciphertext...), nil
}

// Open answers the plaintext of a ciphertext that Seal made with the same
// associated data, or [ErrOpen].
func (k *DataKey) Open(ciphertext, associated []byte) ([]byte, error) {
	packed, err := k.aead.Decrypt(ciphertext, associated)
	if err != nil {
		return nil, ErrOpen
	}
	return k.codec.unpack(packed)
}

// codec packs plaintexts. One codec serves a whole key ring: its encoder and
// decoder each keep a state per core.
type codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
	buffers sync.Pool // of *[]byte, wiped
}

func newCodec() (*codec, error) {
	// Fast, because it is on the path of every large prompt; no checksum,
	// because AES-GCM has a better one. The window is what an encoder keeps
	// memory for, on each core.
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("making a zstd encoder: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxPlaintext))
	if err != nil {
		return nil, fmt.Errorf("making a zstd decoder: %w", err)
	}
	return &codec{encoder, decoder, sync.Pool{New: func() any { return new([]byte) }}}, nil
}

func (c *codec) pack(dst, plaintext []byte) []byte {
	if len(plaintext) > compressAbove {
		dst = c.encoder.EncodeAll(plaintext, append(dst, plainZstd))
		if len(dst) <= len(plaintext) {
			return dst
		}
		dst = dst[:0]
	}
	return append(append(dst, plainRaw), plaintext...)
}

func (c *codec) unpack(packed []byte) ([]byte, error) {
	switch {
	case len(packed) > 0 && packed[0] == plainRaw && len(packed)-1 <= MaxPlaintext:
		return packed[1:], nil
	case len(packed) > 0 && packed[0] == plainZstd:
		plaintext, err := c.decoder.DecodeAll(packed[1:], nil)
		if err == nil && len(plaintext) <= MaxPlaintext {
			return plaintext, nil
		}
	}
	return nil, ErrOpen
}

// release wipes a buffer that held a plaintext of this size, and keeps it if it
// is small. Compressing may have written past what was kept of it.
func (c *codec) release(buf *[]byte, size int) {
	if size > compressAbove {
		*buf = (*buf)[:cap(*buf)]
	}
	clear(*buf)
	if cap(*buf) <= maxPooled {
		c.buffers.Put(buf)
	}
}
