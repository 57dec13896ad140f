package crypto

import (
	"context"
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// stored is what the store says about a key id.
type stored struct {
	exists   bool // now or once
	erased   bool
	wrapped  []byte
	position uint64
	mark     uint64 // of the cache of keys by id, from before the store was asked
}

// get turns the store's two expected errors into an answer.
func (r *KeyRing) get(ctx context.Context, ws domain.WorkspaceID, id KeyID) (stored, error) {
	mark := r.byID.mark()
	wrapped, position, err := r.store.Get(ctx, ws, id)
	switch {
	case errors.Is(err, ErrKeyErased):
		return stored{exists: true, erased: true, mark: mark}, nil
	case errors.Is(err, ErrKeyUnknown):
		return stored{}, nil
	case err != nil:
		return stored{}, fmt.Errorf("reading data key %s: %w", id, err)
	}
	return stored{exists: true, wrapped: wrapped, position: position, mark: mark}, nil
}

// newest finds an owner's newest generation, 0 if there is none, in a number
// of look-ups that grows with the logarithm of the generations: they have no
// gaps, so it strides forward in doubling steps and then halves the last one.
// It begins at known, a generation that is there (0 always is).
func (r *KeyRing) newest(ctx context.Context, ws domain.WorkspaceID, tag string, known int) (int, stored, error) {
	low, high := max(known-1, 0), 0
	var at stored
	for step := 1; high == 0; step *= 2 {
		found, err := r.get(ctx, ws, keyID(tag, low+step))
		switch {
		case err != nil:
			return 0, stored{}, err
		case found.exists:
			low, at = low+step, found
		default:
			high = low + step
		}
	}
	for high-low > 1 {
		middle := (low + high) / 2
		found, err := r.get(ctx, ws, keyID(tag, middle))
		switch {
		case err != nil:
			return 0, stored{}, err
		case found.exists:
			low, at = middle, found
		default:
			high = middle
		}
	}
	return low, at, nil
}
