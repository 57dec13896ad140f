package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// lockName is held by the one server that works in a data directory. The log's
// engine has a lock of its own; this one also guards models and caches of a
// server whose log is elsewhere.
const lockName = "clawledger.lock"

// lockData makes the data directory if it is missing and takes its lock, which
// ends with the process.
func lockData(data string) (release func() error, err error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(data, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%w: another clawledger works in %s; stop it, or use another --data directory", eventlog.ErrInUse, data)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}
