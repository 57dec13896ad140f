package directory_test

import (
	"context"
	"iter"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// slow is a ledger that seems live early: it marks every so many records as
// the log's end, so that models commit small batches.
type slow struct {
	*ledger.Ledger
	every int
}

func (s *slow) Follow(ctx context.Context, q eventlog.Query) iter.Seq2[ledger.Delivery, error] {
	return func(yield func(ledger.Delivery, error) bool) {
		n := 0
		for d, err := range s.Ledger.Follow(ctx, q) {
			if !yield(d, err) {
				return
			}
			if n++; n%s.every == 0 && err == nil && !yield(ledger.Delivery{Position: d.Position, CaughtUp: true}, nil) {
				return
			}
		}
	}
}
