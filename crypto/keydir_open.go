package crypto

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/clawoffice/ledger/domain"
)

func openKeys(path string, kek KEK) (*Dir, error) {
	if err := settle(path, kek == nil); err != nil {
		return nil, err
	}
	if err := checkDir(path); err != nil {
		return nil, err
	}
	if kek == nil {
		local, err := loadKEK(path)
		if err != nil {
			return nil, err
		}
		kek = local
	}
	secret, err := loadSecret(path, kek)
	if err != nil {
		return nil, err
	}
	keys, err := loadKeySet(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{redacted: "key directory", path: path, kek: kek, secret: secret}
	d.keys.Store(keys)
	return d, nil
}

// settle makes sure that the directory is complete, waiting for another process
// that is just creating it.
func settle(path string, localKEK bool) error {
	state, missing, err := survey(path, localKEK)
	if err == nil && state == dirCreating {
		unlock, lockErr := lockDir(path)
		if lockErr != nil {
			return lockErr
		}
		unlock()
		state, missing, err = survey(path, localKEK)
	}
	switch {
	case err != nil:
		return err
	case state == dirEmpty:
		return fmt.Errorf("%w; give the right path, or create them by the first start of the server", ErrNoKeys)
	case state == dirCreating:
		return fmt.Errorf("%w: their creation broke off; start the server once to make them", ErrNoKeys)
	case state == dirPartial:
		return incomplete(missing)
	}
	return nil
}

func incomplete(missing []string) error {
	return fmt.Errorf("%w: %s missing; restore the directory from a backup", ErrIncompleteKeys, strings.Join(missing, ", "))
}

// dirState says how much of a key directory is there.
type dirState int

const (
	dirEmpty    dirState = iota // nothing, or no directory
	dirCreating                 // the first creation is under way or broke off
	dirPartial                  // some files of a used directory were lost
	dirComplete
)

// keyFiles are the names that make a directory complete, in order of creation.
func keyFiles(localKEK bool) []string {
	names := []string{signingName, operatorName, secretName}
	if localKEK {
		names = append([]string{kekName}, names...)
	}
	return names
}

// survey looks what is there.
func survey(path string, localKEK bool) (state dirState, missing []string, err error) {
	creating, err := exists(filepath.Join(path, creatingName))
	if err != nil {
		return 0, nil, err
	}
	names := keyFiles(localKEK)
	for _, name := range names {
		there, err := exists(filepath.Join(path, name))
		if err != nil {
			return 0, nil, err
		}
		if !there {
			missing = append(missing, name)
		}
	}
	switch {
	case creating:
		return dirCreating, missing, nil
	case len(missing) == len(names):
		return dirEmpty, missing, nil
	case len(missing) > 0:
		return dirPartial, missing, nil
	}
	return dirComplete, nil, nil
}

func loadKEK(path string) (*localKEK, error) {
	file := filepath.Join(path, kekName)
	b, err := readKeyFile(file)
	if err != nil {
		return nil, err
	}
	kek, err := newLocalKEK(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; restore it from a backup", ErrDamagedKeys, file, err)
	}
	return kek, nil
}

// secretFile is what service.secret holds.
type secretFile struct {
	V       int    `json:"v"`
	KEK     string `json:"kek"`
	Wrapped []byte `json:"wrapped"`
}

// secretPlace is the associated data of the wrapped service secret.
const secretPlace = "claw-service-secret/1"

func loadSecret(path string, kek KEK) (Secret, error) {
	file := filepath.Join(path, secretName)
	b, err := readKeyFile(file)
	if err != nil {
		return Secret{}, err
	}
	var f secretFile
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.V != 1 {
		return Secret{}, fmt.Errorf("%w: %s is not a wrapped secret of version 1; restore it from a backup", ErrDamagedKeys, file)
	}
	if f.KEK != kek.ID() {
		return Secret{}, fmt.Errorf("%w: %s needs %q and this is %q; use the files of one directory together", ErrUnwrap, file, f.KEK, kek.ID())
	}
	key, err := kek.Unwrap(context.Background(), f.Wrapped, encodeParts(secretPlace, f.KEK))
	if err != nil {
		return Secret{}, fmt.Errorf("unwrapping %s: %w", file, err)
	}
	return NewSecret(key)
}

func loadKeySet(path string) (*keySet, error) {
	signing, err := loadSigningKeys(path)
	if err != nil {
		return nil, err
	}
	operator, err := loadOperatorToken(path)
	if err != nil {
		return nil, err
	}
	signer, err := newSigner(signing[0].private)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamagedKeys, err)
	}
	public := make([]VerificationKey, len(signing))
	for i, k := range signing {
		public[i] = k.VerificationKey
	}
	verifier, err := newVerifier(public)
	if err != nil {
		return nil, err
	}
	return &keySet{signing, signer, verifier, verifier.JWKS(), operator}, nil
}

func loadOperatorToken(path string) (domain.Digest, error) {
	file := filepath.Join(path, operatorName)
	b, err := readKeyFile(file)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	body, ok := strings.CutPrefix(token, operatorPrefix)
	if !ok || !canonicalText(body) {
		return "", fmt.Errorf("%w: %s must hold %s and 32 random bytes in base64url", ErrDamagedKeys, file, operatorPrefix)
	}
	return Digest([]byte(token)), nil
}

// signingFiles lists the key files, leaving out unfinished ones.
func signingFiles(path string) ([]string, error) {
	dir := filepath.Join(path, signingName)
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing signing keys: %w", err)
	}
	var files []string
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, jwkSuffix) && !strings.HasPrefix(name, ".") {
			files = append(files, filepath.Join(dir, name))
		}
	}
	if len(files) == 0 {
		return nil, incomplete([]string{filepath.Join(signingName, "<kid>"+jwkSuffix)})
	}
	return files, nil
}

// removeAll removes files that a broken-off creation may have left.
func removeAll(path string, names []string) error {
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing what a broken-off creation left: %w", err)
		}
	}
	return nil
}
