package ledger

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
)

// KeyChecked is the stored name of the record that ties a log to its keys.
const KeyChecked = "system.check.v1"

// ErrWrongKeys says that a key directory is not the one this log was begun with.
var ErrWrongKeys = errors.New("these keys do not belong to this log")

// CheckKeys makes sure that the key directory with this check value is the one
// the log was begun with. On an empty log it begins it. Replicas that begin at
// once agree on the first.
func (l *Ledger) CheckKeys(ctx context.Context, value string, id [16]byte, now time.Time) error {
	for range 2 {
		r, err := l.ReadRecord(ctx, CheckStream, 0)
		switch {
		case err == nil && subtle.ConstantTimeCompare(r.Payload, []byte(value)) == 1:
			return nil
		case err == nil || errors.Is(err, ErrForged), errors.Is(err, ledgercrypto.ErrUnwrap):
			return fmt.Errorf("%w: start with the key directory that the log was created with, or with an empty log", ErrWrongKeys)
		case !errors.Is(err, ErrNoRecord):
			return fmt.Errorf("checking the keys against the log: %w", err)
		}
		_, err = l.Append(ctx, CheckStream, NoTail(), []Draft{{ID: id, Type: KeyChecked, Payload: []byte(value),
			Time: now, Actor: domain.Service("keys")}})
		var wrong *eventlog.WrongRevision
		if err != nil && !errors.As(err, &wrong) {
			return fmt.Errorf("beginning the log: %w", err)
		}
	}
	return fmt.Errorf("%w: the log and the keys do not agree", ErrWrongKeys)
}
