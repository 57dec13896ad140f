package crypto

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

var (
	// ErrPermissions: a key file can be read, or the key directory written, by
	// others than its owner. The error tells the command that mends it.
	ErrPermissions = errors.New("key file is open to other users")
	// ErrNoKeys: there is no key directory at this path.
	ErrNoKeys = errors.New("no keys here")
	// ErrIncompleteKeys: some of the key files are missing.
	ErrIncompleteKeys = errors.New("key directory is incomplete")
	// ErrDamagedKeys: a key file does not hold what it should.
	ErrDamagedKeys = errors.New("key file is damaged")
)

const (
	fileMode = 0o600
	dirMode  = 0o700
	// maxKeyFile is far more than any key file has.
	maxKeyFile = 64 << 10
	// tempPattern names files that are not finished; readers pass over them.
	tempPattern = ".new-*"
)

// readKeyFile reads a file that only its owner can read. The permissions are
// those of the very file that is read, whatever is put in its place meanwhile.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening key file: %w", err)
	}
	defer f.Close() // nothing was written, so nothing can be lost
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrDamagedKeys, path)
	}
	if err := private(path, info, 0o077, fileMode); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading key file: %w", err)
	case len(b) > maxKeyFile:
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", ErrDamagedKeys, path, maxKeyFile)
	}
	return b, nil
}

// checkDir refuses a directory that others can put files into. That they can
// list it does no harm.
func checkDir(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("looking at key directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s is not a directory", ErrDamagedKeys, path)
	}
	return private(path, info, 0o022, dirMode)
}

// private refuses the given permission bits. Windows keeps permissions
// elsewhere: there, the access list of the directory must do.
func private(path string, info fs.FileInfo, refused, wanted fs.FileMode) error {
	if runtime.GOOS != "windows" && info.Mode().Perm()&refused != 0 {
		return fmt.Errorf("%w: %s has mode %04o; run: chmod %03o %s", ErrPermissions, path, info.Mode().Perm(), wanted, path)
	}
	return nil
}

// writeKeyFile puts a file in place such that readers, also after a crash, see
// all of it or what was there before. On return it is durable.
func writeKeyFile(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, tempPattern) // made with mode 0600
	if err != nil {
		return fmt.Errorf("creating key file: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name()) // the first error is the one to report
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing key file %s: %w", path, err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("putting key file in place: %w", err)
	}
	return syncDir(dir)
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // directories can't be synced there
	}
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening key directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing key directory: %w", err)
	}
	return nil
}

// exists reports whether there is anything at path.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at key directory: %w", err)
	}
	return true, nil
}
