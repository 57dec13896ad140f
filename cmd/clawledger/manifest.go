package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// The files of a backup.
const (
	logFile      = "ledger.db"
	jwksFile     = "jwks.json" // the public keys of then
	keysFolder   = "keys"      // only --with-keys
	manifestFile = "manifest.json"
)

const manifestFormat = 1

// manifest says what is in a backup. It is written last: a directory without
// one is no backup.
type manifest struct {
	Format  int               `json:"format"`
	Made    time.Time         `json:"made"`
	Version string            `json:"version"`
	Records int64             `json:"records"`
	Head    eventlog.Position `json:"head"`
	Files   []fileDigest      `json:"files"`
}

// fileDigest is one file of a backup.
type fileDigest struct {
	Path   string `json:"path"` // with slashes, below the backup
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // base64url
}

var errBadBackup = errors.New("not a usable backup")

// digestFiles lists the files below dir, except the manifest.
func digestFiles(dir string) ([]fileDigest, error) {
	var list []fileDigest
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(dir, path)
		if err = errors.Join(err, relErr); err != nil || d.IsDir() || name == manifestFile {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file", path)
		}
		digest, err := digestFile(path)
		digest.Path = filepath.ToSlash(name)
		list = append(list, digest)
		return err
	})
	return list, err
}

func digestFile(path string) (fileDigest, error) {
	f, err := os.Open(path)
	if err != nil {
		return fileDigest{}, err
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	return fileDigest{Size: n, SHA256: base64.RawURLEncoding.EncodeToString(h.Sum(nil))}, errors.Join(err, f.Close())
}

// readManifest reads a backup's manifest and holds its files against it.
func readManifest(dir string) (manifest, error) {
	var m manifest
	data, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return m, fmt.Errorf("%w: %w", errBadBackup, err)
	}
	if err := json.Unmarshal(data, &m); err != nil || m.Format != manifestFormat {
		return m, fmt.Errorf("%w: %s is not a manifest of format %d", errBadBackup, filepath.Join(dir, manifestFile), manifestFormat)
	}
	there, err := digestFiles(dir)
	if err != nil {
		return m, fmt.Errorf("%w: %w", errBadBackup, err)
	}
	for _, want := range m.Files {
		if !slices.Contains(there, want) {
			return m, fmt.Errorf("%w: %s is missing or not what was backed up", errBadBackup, want.Path)
		}
	}
	if len(there) != len(m.Files) { // somebody's signing key among the keys would be trusted
		return m, fmt.Errorf("%w: it holds files that its manifest does not name; remove them", errBadBackup)
	}
	return m, nil
}

// has reports whether the backup holds a file or folder of that name.
func (m manifest) has(name string) bool {
	return slices.ContainsFunc(m.Files, func(f fileDigest) bool { return f.Path == name || strings.HasPrefix(f.Path, name+"/") })
}

// copyTree copies files and folders to a path that does not exist, readable by
// the owner alone, and makes them durable.
func copyTree(from, to string) error {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(from, path)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		if d.IsDir() {
			return os.Mkdir(filepath.Join(to, name), 0o700)
		}
		return copyFile(path, filepath.Join(to, name))
	})
	return errors.Join(err, syncDir(filepath.Dir(to)))
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

func writeFile(path string, data []byte) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	return errors.Join(err, out.Sync(), out.Close())
}

// syncDir makes names in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// emptyPath makes sure that there is nothing at path, or an empty directory,
// which it removes.
func emptyPath(path string) error {
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(filepath.Dir(path), 0o700)
	case err != nil:
		return err
	case len(entries) > 0:
		return &exit{exitUsage, fmt.Errorf("%s is not empty, and nothing is ever written over; name another directory", path)}
	}
	return os.Remove(path)
}
