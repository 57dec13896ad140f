//go:build unix && !solaris && !illumos && !aix

package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const lockName = "ledger.lock"

// lockDir makes this process the directory's one writer. The lock belongs to
// the open file: it ends with the process, however that dies, and the file
// itself stays. The pid in it is only there to be shown.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: opening the lock file: %w", eventlog.ErrUnavailable, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid := holder(f)
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s is held by %s; stop it, or use another data directory", eventlog.ErrInUse, dir, pid)
	}
	if err == nil {
		err = writePid(f)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: locking %s: %w", eventlog.ErrUnavailable, path, err)
	}
	return f, nil
}

func writePid(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder reads who has the lock, from a file that anybody may have written.
func holder(r io.ReaderAt) string {
	buf := make([]byte, 32)
	n, _ := r.ReadAt(buf, 0)
	pid, err := strconv.ParseUint(strings.TrimSpace(string(buf[:n])), 10, 31)
	if err != nil || pid == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d", pid)
}
