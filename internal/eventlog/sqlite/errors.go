package sqlite

import (
	"errors"
	"fmt"

	zs "zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// translate gives an error of SQLite the meaning it has for callers of the
// log. Errors that have one already, and nil, pass through.
func translate(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{eventlog.ErrDamaged, eventlog.ErrUnavailable, eventlog.ErrUnknownOutcome, eventlog.ErrClosed} {
		if errors.Is(err, known) {
			return err
		}
	}
	switch code := zs.ErrCode(err); code.ToPrimary() {
	case zs.ResultCorrupt, zs.ResultNotADB, zs.ResultConstraint, zs.ResultMismatch, zs.ResultFormat:
		// A constraint can only fail when the file is not what we wrote.
		return fmt.Errorf("%w: restore a backup (%w)", eventlog.ErrDamaged, err)
	case zs.ResultFull:
		return fmt.Errorf("%w: make room and try again (%w)", eventlog.ErrFull, err)
	case zs.ResultIOErr:
		if code == zs.ResultIOErrSHMSize { // the wal-index grows only when the disk has room
			return fmt.Errorf("%w: make room and try again (%w)", eventlog.ErrFull, err)
		}
		return fmt.Errorf("%w: check the disk (%w)", eventlog.ErrUnavailable, err)
	default:
		return fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
	}
}

// damaged reports something that SQLite itself can't notice.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: restore a backup (%s)", eventlog.ErrDamaged, fmt.Sprintf(format, args...))
}
