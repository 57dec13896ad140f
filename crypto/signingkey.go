package crypto

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

const jwkSuffix = ".jwk"

// signingKey is a signing key as its file has it: a private JWK with the
// members of [VerificationKey].
type signingKey struct {
	VerificationKey
	private jwk.Key
	marked  bool // the file itself says that the key is retired
}

// newSigningKey draws a key and writes its file.
func newSigningKey(path string, created time.Time) (kid string, err error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("generating a signing key: %w", err)
	}
	key, err := jwk.FromRaw(private)
	if err != nil {
		return "", fmt.Errorf("making a JWK: %w", err)
	}
	if kid, err = thumbprint(key); err != nil {
		return "", err
	}
	for name, value := range map[string]any{jwk.KeyIDKey: kid, jwk.AlgorithmKey: jwa.EdDSA,
		jwk.KeyUsageKey: jwk.ForSignature, validFromMember: formatTime(created)} {
		if err := key.Set(name, value); err != nil {
			return "", fmt.Errorf("setting member %s of a JWK: %w", name, err)
		}
	}
	return kid, writeSigningKey(path, kid, key)
}

func writeSigningKey(path, kid string, key jwk.Key) error {
	content, err := json.Marshal(key)
	if err != nil {
		return fmt.Errorf("writing a JWK: %w", err)
	}
	return writeKeyFile(filepath.Join(path, signingName, kid+jwkSuffix), append(content, '\n'))
}

// retireAll notes in each file that does not say so that its key is retired:
// now, or since a rotation that broke off before noting it.
func retireAll(path string, keys []signingKey, now time.Time) error {
	for _, k := range keys {
		if k.marked {
			continue
		}
		at := k.Retired
		if at.IsZero() {
			at = now
		}
		if err := k.retire(path, at); err != nil {
			return err
		}
	}
	return nil
}

// retire notes in the key's file when it was retired.
func (k signingKey) retire(path string, at time.Time) error {
	if err := k.private.Set(retiredAtMember, formatTime(at)); err != nil {
		return fmt.Errorf("retiring signing key %s: %w", k.ID, err)
	}
	return writeSigningKey(path, k.ID, k.private)
}

// loadSigningKeys reads all signing keys, newest first. The first is active; a
// file that does not say when its key was retired, though there is a newer one,
// was left so by a rotation that broke off, and is retired since the newer's
// creation.
func loadSigningKeys(path string) ([]signingKey, error) {
	keys, err := withActiveKey(func() ([]signingKey, error) { return readSigningKeys(path) })
	if err != nil {
		return nil, err
	}
	for i := range keys[1:] {
		if k := &keys[i+1]; !k.marked {
			k.Retired = keys[i].ValidFrom
		}
	}
	return keys, nil
}

// withActiveKey reads until the newest key is not retired. A rotation between
// listing the files and reading them makes it look so once; the new key is
// listed the next time. If it stays so, the active key was lost.
func withActiveKey(read func() ([]signingKey, error)) ([]signingKey, error) {
	for attempt := 1; ; attempt++ {
		keys, err := read()
		switch {
		case err != nil:
			return nil, err
		case !keys[0].marked:
			return keys, nil
		case attempt == 4:
			return nil, fmt.Errorf("%w: the newest signing key %s is retired, so a newer one is missing; restore the directory from a backup",
				ErrIncompleteKeys, keys[0].ID)
		}
	}
}

func readSigningKeys(path string) ([]signingKey, error) {
	files, err := signingFiles(path)
	if err != nil {
		return nil, err
	}
	keys := make([]signingKey, 0, len(files))
	for _, file := range files {
		k, err := loadSigningKey(file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b signingKey) int { return newestFirst(a.VerificationKey, b.VerificationKey) })
	return keys, nil
}

func loadSigningKey(file string) (signingKey, error) {
	b, err := readKeyFile(file)
	if err != nil {
		return signingKey{}, err
	}
	k, err := parseSigningKey(b)
	if err != nil {
		return signingKey{}, fmt.Errorf("%w: %s: %w; restore it from a backup", ErrDamagedKeys, file, err)
	}
	if filepath.Base(file) != k.ID+jwkSuffix {
		return signingKey{}, fmt.Errorf("%w: %s holds key %s; name it after its key", ErrDamagedKeys, file, k.ID)
	}
	return k, nil
}

// parseSigningKey reads a private JWK. Its errors quote nothing of it.
func parseSigningKey(text []byte) (signingKey, error) {
	key, err := jwk.ParseKey(text)
	if err != nil {
		return signingKey{}, errors.New("not a JWK")
	}
	var raw ed25519.PrivateKey
	if err := key.Raw(&raw); err != nil {
		return signingKey{}, errors.New("not a private Ed25519 JWK whose halves belong together")
	}
	public, err := readPublic(key)
	if err != nil {
		return signingKey{}, err
	}
	if public.ValidFrom.IsZero() {
		return signingKey{}, fmt.Errorf("%s is missing", validFromMember)
	}
	return signingKey{public, key, !public.Retired.IsZero()}, nil
}
