package crypto

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/tink/go/aead"
	"github.com/google/tink/go/insecurecleartextkeyset"
	"github.com/google/tink/go/keyset"
	"github.com/google/tink/go/tink"
)

// KEK is a key-encryption key: what data keys and the service secret are
// wrapped with. It may live in a file or in a key management service.
//
// Unwrap answers what Wrap was given, if the associated data is the same, and
// keeps doing so after the KEK was rotated. ErrUnwrap says that the ciphertext
// is not this KEK's or was changed, and trying again is no use; any other error
// means the KEK could not be asked, and the caller may try again. Neither
// keeps its arguments. ID names the key, tells nothing about it, and stays the
// same when it is rotated.
type KEK interface {
	Wrap(ctx context.Context, plaintext, associated []byte) ([]byte, error)
	Unwrap(ctx context.Context, ciphertext, associated []byte) ([]byte, error)
	ID() string
}

// ErrUnwrap says that a wrapped key can't be unwrapped by this KEK: it was
// wrapped by another one, moved from elsewhere, or damaged.
var ErrUnwrap = errors.New("wrapped key does not open under this key-encryption key")

// localKEK is a KEK in a file: a Tink AES-256-GCM keyset.
type localKEK struct {
	redacted
	aead tink.AEAD
	id   string
}

var _ KEK = (*localKEK)(nil)

// generateKEK draws a keyset, in Tink's JSON form and in clear.
func generateKEK() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("generating a key-encryption key: %w", err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b)); err != nil {
		return nil, fmt.Errorf("writing the key-encryption key: %w", err)
	}
	return b.Bytes(), nil
}

// newLocalKEK reads what generateKEK made. The keyset may hold further keys;
// its primary key wraps, all of them unwrap.
func newLocalKEK(keysetJSON []byte) (*localKEK, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(keysetJSON)))
	if err != nil {
		// Tink's error may quote the file, which is secret.
		return nil, errors.New("not a Tink keyset in JSON form")
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("not a Tink keyset of AEAD keys")
	}
	var clear keyset.MemReaderWriter
	if err := insecurecleartextkeyset.Write(handle, &clear); err != nil {
		return nil, fmt.Errorf("reading back the key-encryption key: %w", err)
	}
	// The first key names the keyset: rotating appends further ones. It has 256
	// random bits, so a hash of it tells nothing.
	sum := sha256.Sum256(append([]byte("claw-kek-id/1 "), clear.Keyset.GetKey()[0].GetKeyData().GetValue()...))
	return &localKEK{"key-encryption key", primitive, "local:" + hex.EncodeToString(sum[:8])}, nil
}

func (k *localKEK) ID() string { return k.id }

func (k *localKEK) Wrap(_ context.Context, plaintext, associated []byte) ([]byte, error) {
	return k.aead.Encrypt(plaintext, associated)
}

func (k *localKEK) Unwrap(_ context.Context, ciphertext, associated []byte) ([]byte, error) {
	plaintext, err := k.aead.Decrypt(ciphertext, associated)
	if err != nil {
		return nil, ErrUnwrap // Tink has nothing more to say
	}
	return plaintext, nil
}

// masterKey lets Tink wrap keysets with a KEK. It is made per call, because
// Tink's AEAD knows no context, and keeps the KEK's own error, which Tink would
// flatten into text.
type masterKey struct {
	ctx context.Context
	kek KEK
	err error
}

func (m *masterKey) Encrypt(plaintext, associated []byte) ([]byte, error) {
	out, err := m.kek.Wrap(m.ctx, plaintext, associated)
	m.err = err
	return out, err
}

func (m *masterKey) Decrypt(ciphertext, associated []byte) ([]byte, error) {
	out, err := m.kek.Unwrap(m.ctx, ciphertext, associated)
	m.err = err
	return out, err
}

// wrapFormat is the first byte of a wrapped key: format, length of the KEK's
// id, the id, then a Tink EncryptedKeyset. Naming the KEK lets a start with the
// wrong one say so.
const wrapFormat = 1

// wrapKeyset wraps a keyset for one place; it opens in no other.
func wrapKeyset(ctx context.Context, kek KEK, handle *keyset.Handle, place ...string) ([]byte, error) {
	id := kek.ID()
	if len(id) > 255 {
		return nil, fmt.Errorf("the id of a key-encryption key has %d bytes, at most 255 are possible", len(id))
	}
	b := bytes.NewBuffer(append([]byte{wrapFormat, byte(len(id))}, id...))
	m := &masterKey{ctx: ctx, kek: kek}
	err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(b), m, encodeParts(append([]string{id}, place...)...))
	if err = errors.Join(m.err, err); err != nil {
		return nil, fmt.Errorf("wrapping a data key with %s: %w", id, err)
	}
	return b.Bytes(), nil
}

// unwrapKeyset opens what wrapKeyset made for the same place.
func unwrapKeyset(ctx context.Context, kek KEK, wrapped []byte, place ...string) (tink.AEAD, error) {
	if len(wrapped) < 2 || wrapped[0] != wrapFormat || len(wrapped) < 2+int(wrapped[1]) {
		return nil, fmt.Errorf("%w: it is not in a known form; restore it from a backup", ErrUnwrap)
	}
	id, rest := string(wrapped[2:2+int(wrapped[1])]), wrapped[2+int(wrapped[1]):]
	if id != kek.ID() {
		return nil, fmt.Errorf("%w: it needs %q and this is %q; start with the right key directory", ErrUnwrap, id, kek.ID())
	}
	m := &masterKey{ctx: ctx, kek: kek}
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(rest)), m,
		encodeParts(append([]string{id}, place...)...))
	switch {
	case m.err != nil:
		return nil, fmt.Errorf("unwrapping a data key with %s: %w", id, m.err)
	case err != nil:
		return nil, fmt.Errorf("%w: it is damaged; restore it from a backup", ErrUnwrap)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("%w: it holds no AEAD key", ErrUnwrap)
	}
	return primitive, nil
}
