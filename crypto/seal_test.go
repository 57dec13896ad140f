package crypto

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/google/tink/go/aead"
	"github.com/google/tink/go/keyset"
	"github.com/klauspost/compress/zstd"
)

// testDataKey is a data key of no ring.
func testDataKey(t testing.TB) *DataKey {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	return &DataKey{"data key", "k.1", primitive, codec}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestSealOpen(t *testing.T) {
	k := testDataKey(t)
	const overhead = 5 + 12 + 16 + 1 // Tink's prefix, nonce, tag; our byte
	rows := []struct {
		name      string
		plaintext []byte
		atMost    int // of the ciphertext
	}{
		{"empty", nil, overhead},
		{"small", []byte(`{"a":1}`), 7 + overhead},
		{"at the edge", bytes.Repeat([]byte("a"), compressAbove), compressAbove + overhead},
		{"compressed", bytes.Repeat([]byte("a"), compressAbove+1), 100},
		{"text of a megabyte", bytes.Repeat([]byte("the quick brown fox "), 50_000), 10_000},
		{"incompressible", randomBytes(100_000), 100_000 + overhead},
		{"largest", make([]byte, MaxPlaintext), 100_000},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			before := bytes.Clone(row.plaintext)
			sealed, err := k.Seal([]byte("dst"), row.plaintext, []byte("ad"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before, row.plaintext) {
				t.Error("Seal changed the plaintext")
			}
			sealed, ok := bytes.CutPrefix(sealed, []byte("dst"))
			if !ok {
				t.Fatal("dst was overwritten")
			}
			if len(sealed) > row.atMost {
				t.Errorf("ciphertext of %d bytes, want at most %d", len(sealed), row.atMost)
			}
			opened, err := k.Open(sealed, []byte("ad"))
			if err != nil || !bytes.Equal(opened, row.plaintext) {
				t.Errorf("opened %d bytes of %d, error %v", len(opened), len(row.plaintext), err)
			}
		})
	}
}

func TestSealRefusesTooLarge(t *testing.T) {
	if _, err := testDataKey(t).Seal(nil, make([]byte, MaxPlaintext+1), nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v, want %v", err, ErrTooLarge)
	}
}

func TestOpenRefuses(t *testing.T) {
	k := testDataKey(t)
	sealed, err := k.Seal(nil, []byte("plaintext"), []byte("place"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := k.Open(changed, []byte("place")); !errors.Is(err, ErrOpen) {
			t.Errorf("byte %d changed: error %v", i, err)
		}
	}
	// inner seals bytes that pack never makes, under the right key.
	inner := func(packed []byte) []byte {
		b, err := k.aead.Encrypt(packed, []byte("place"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := encoder.EncodeAll(make([]byte, MaxPlaintext+1), []byte{plainZstd})
	two := encoder.EncodeAll(make([]byte, MaxPlaintext), []byte{plainZstd})
	two = encoder.EncodeAll(make([]byte, 1), two)
	// It must be refused before it expands, not after.
	if _, err := k.codec.decoder.DecodeAll(bomb[1:], nil); !errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		t.Errorf("the decoder is not bounded: %v", err)
	}
	rows := []struct {
		name       string
		key        *DataKey
		ciphertext []byte
		place      string
	}{
		{"another place", k, sealed, "elsewhere"},
		{"another key", testDataKey(t), sealed, "place"},
		{"nothing", k, nil, "place"},
		{"cut", k, sealed[:len(sealed)-1], "place"},
		{"longer", k, append(bytes.Clone(sealed), 0), "place"},
		{"no packing byte", k, inner(nil), "place"},
		{"unknown packing", k, inner([]byte{2, 'x'}), "place"},
		{"no zstd", k, inner([]byte{plainZstd, 'x'}), "place"},
		{"expands beyond the most", k, inner(bomb), "place"},
		{"two frames beyond the most", k, inner(two), "place"},
		{"raw beyond the most", k, inner(make([]byte, MaxPlaintext+2)), "place"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got, err := row.key.Open(row.ciphertext, []byte(row.place)); err != ErrOpen || got != nil {
				t.Errorf("answered %d bytes, error %v; want exactly %v", len(got), err, ErrOpen)
			}
		})
	}
}

// A buffer that goes back to the pool must hold no plaintext.
func TestBuffersAreWiped(t *testing.T) {
	codec, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	for _, plaintext := range [][]byte{[]byte("secret"), bytes.Repeat([]byte("secret"), 1000), randomBytes(5000)} {
		buf := codec.pack(nil, plaintext)
		codec.release(&buf, len(plaintext))
		if whole := buf[:cap(buf)]; !bytes.Equal(whole, make([]byte, len(whole))) {
			t.Errorf("%d bytes of plaintext leave traces", len(plaintext))
		}
	}
}

func TestWrappedKeysets(t *testing.T) {
	ctx := context.Background()
	kek, other := testKEK(t), testKEK(t)
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := wrapKeyset(ctx, kek, handle, "acme", "k.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unwrapKeyset(ctx, kek, wrapped, "acme", "k.1"); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name    string
		kek     KEK
		wrapped []byte
		place   []string
	}{
		{"another workspace", kek, wrapped, []string{"evil", "k.1"}},
		{"another id", kek, wrapped, []string{"acme", "k.2"}},
		{"same letters, other parts", kek, wrapped, []string{"acmek", ".1"}},
		{"another KEK", other, wrapped, []string{"acme", "k.1"}},
		{"another KEK of that name", renamed{other, kek.ID()}, wrapped, []string{"acme", "k.1"}},
		{"empty", kek, nil, []string{"acme", "k.1"}},
		{"cut in the name", kek, wrapped[:8], []string{"acme", "k.1"}},
		{"cut", kek, wrapped[:len(wrapped)-1], []string{"acme", "k.1"}},
		{"no keyset", kek, append(bytes.Clone(wrapped[:2+len(kek.ID())]), 0xff), []string{"acme", "k.1"}},
		{"unknown format", kek, append([]byte{9}, wrapped[1:]...), []string{"acme", "k.1"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if _, err := unwrapKeyset(ctx, row.kek, row.wrapped, row.place...); !errors.Is(err, ErrUnwrap) {
				t.Errorf("error %v, want %v", err, ErrUnwrap)
			}
		})
	}
}

// What a remote KEK says, such as that it can't be reached, must get through
// Tink, and must not look like a wrong key.
func TestErrorsOfTheKEKGetThrough(t *testing.T) {
	ctx := context.Background()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	kek := testKEK(t)
	wrapped, err := wrapKeyset(ctx, kek, handle, "acme", "k.1")
	if err != nil {
		t.Fatal(err)
	}
	down := unreachable{kek}
	if _, err := wrapKeyset(ctx, down, handle, "acme", "k.1"); !errors.Is(err, errUnreachable) {
		t.Errorf("wrapping: error %v", err)
	}
	if _, err := unwrapKeyset(ctx, down, wrapped, "acme", "k.1"); !errors.Is(err, errUnreachable) || errors.Is(err, ErrUnwrap) {
		t.Errorf("unwrapping: error %v", err)
	}
}

// A rotated KEK keeps its name and opens what it wrapped before.
func TestRotatedKEK(t *testing.T) {
	ctx := context.Background()
	before, err := generateKEK()
	if err != nil {
		t.Fatal(err)
	}
	old, err := newLocalKEK(before)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := old.Wrap(ctx, []byte("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := newLocalKEK(addKey(t, before))
	if err != nil {
		t.Fatal(err)
	}
	if rotated.ID() != old.ID() {
		t.Errorf("id %s became %s", old.ID(), rotated.ID())
	}
	if got, err := rotated.Unwrap(ctx, wrapped, nil); err != nil || string(got) != "key" {
		t.Errorf("unwrapped %q, %v", got, err)
	}
	wrapped, err = rotated.Wrap(ctx, []byte("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Unwrap(ctx, wrapped, nil); !errors.Is(err, ErrUnwrap) {
		t.Errorf("the new key was not used: %v", err)
	}
}

// renamed is a KEK that claims another's name.
type renamed struct {
	KEK
	id string
}

func (r renamed) ID() string { return r.id }

var errUnreachable = errors.New("connection refused")

// unreachable is a KEK whose service is down.
type unreachable struct{ KEK }

func (unreachable) Wrap(context.Context, []byte, []byte) ([]byte, error) { return nil, errUnreachable }
func (unreachable) Unwrap(context.Context, []byte, []byte) ([]byte, error) {
	return nil, errUnreachable
}

func testKEK(t testing.TB) *localKEK {
	t.Helper()
	b, err := generateKEK()
	if err != nil {
		t.Fatal(err)
	}
	kek, err := newLocalKEK(b)
	if err != nil {
		t.Fatal(err)
	}
	return kek
}
