package clickhouse

import (
	"context"
	"fmt"

	"github.com/clawoffice/ledger/projections/search"
)

// Remove takes something out, see [search.Engine]. It writes one row, which
// every question asks for first; the files follow later, see [Engine.Sweep].
func (e *Engine) Remove(ctx context.Context, r search.Removal) error {
	if r == nil {
		return search.ErrRemoval
	}
	if err := r.Valid(); err != nil {
		return err
	}
	release, err := e.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := e.explain(ctx, e.remove(ctx, r)); err != nil {
		return fmt.Errorf("removing from the search index: %w", err)
	}
	return nil
}

func (e *Engine) remove(ctx context.Context, r search.Removal) error {
	v, err := e.view(ctx, "")
	if err != nil {
		return err
	}
	stamp := note{kind: standing, removed: removed{stamp: v.stamp}}
	switch r := r.(type) {
	case search.Erasure:
		return e.write(ctx, stamp, note{string(r.Workspace), erasure, removed{key: string(r.Subject), stamp: v.stamp}, 0})
	case search.Retention:
		return e.write(ctx, stamp, note{string(r.Workspace), retention, removed{string(r.Class), roundUp(r.Before), v.stamp}, 0})
	}
	return search.ErrRemoval
}
