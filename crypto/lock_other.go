//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package crypto

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// lockDir waits until this process alone may change the key directory. Without
// flock the lock is a file that only one process can create; a process that is
// killed leaves it behind, and the error says what to do then.
func lockDir(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, lockName)
	for range 100 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		if err == nil {
			return func() { f.Close(); os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("creating the lock of the key directory (is it writable?): %w", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, fmt.Errorf("%s is held; if no other process is working on the key directory, delete it", path)
}
