package crypto

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// createKeys makes the keys of a directory that has none, and reports whether
// it did. It never adds to a directory that lost some: new secrets beside old
// keys would read as damage everywhere.
func createKeys(path string, options OpenOptions) (created bool, err error) {
	localKEK := options.KEK == nil
	// A complete directory may be on a read-only file system, so look first.
	if state, _, err := survey(path, localKEK); err != nil || state == dirComplete {
		return false, err
	}
	if err := os.MkdirAll(path, dirMode); err != nil {
		return false, err
	}
	unlock, err := lockDir(path)
	if err != nil {
		return false, err
	}
	defer unlock()
	switch state, missing, err := survey(path, localKEK); {
	case err != nil || state == dirComplete:
		return false, err // somebody else was first
	case state == dirPartial:
		return false, incomplete(missing)
	}
	if err := fill(path, options); err != nil {
		return false, err
	}
	return true, nil
}

// fill makes all the files. While the marker is there nobody uses any of them,
// so what an earlier attempt left is made anew.
func fill(path string, options OpenOptions) error {
	if err := os.Chmod(path, dirMode); err != nil {
		return err
	}
	marker := filepath.Join(path, creatingName)
	if err := writeKeyFile(marker, nil); err != nil {
		return err
	}
	if err := removeAll(path, keyFiles(options.KEK == nil)); err != nil {
		return err
	}
	kek, err := makeKEK(path, options.KEK)
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(path, signingName), dirMode); err != nil {
		return err
	}
	if _, err := newSigningKey(path, options.Now().UTC().Truncate(time.Microsecond)); err != nil {
		return err
	}
	if err := writeOperatorToken(path); err != nil {
		return err
	}
	if err := writeSecret(path, kek); err != nil {
		return err
	}
	if err := os.Remove(marker); err != nil {
		return err
	}
	return syncDir(path)
}

func makeKEK(path string, external KEK) (KEK, error) {
	if external != nil {
		return external, nil
	}
	keyset, err := generateKEK()
	if err != nil {
		return nil, err
	}
	if err := writeKeyFile(filepath.Join(path, kekName), keyset); err != nil {
		return nil, err
	}
	return newLocalKEK(keyset)
}

func writeOperatorToken(path string) error {
	return writeKeyFile(filepath.Join(path, operatorName), []byte(operatorPrefix+randomText()+"\n"))
}

func writeSecret(path string, kek KEK) error {
	key := make([]byte, secretSize)
	rand.Read(key) // never fails
	wrapped, err := kek.Wrap(context.Background(), key, encodeParts(secretPlace, kek.ID()))
	if err != nil {
		return fmt.Errorf("wrapping the service secret with %s: %w", kek.ID(), err)
	}
	content, err := json.Marshal(secretFile{1, kek.ID(), wrapped})
	if err != nil {
		return fmt.Errorf("writing the service secret: %w", err)
	}
	return writeKeyFile(filepath.Join(path, secretName), append(content, '\n'))
}
