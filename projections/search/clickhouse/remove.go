package clickhouse

import (
	"context"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/clawoffice/ledger/domain"
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
	switch r := r.(type) {
	case search.Erasure:
		return e.record(ctx, r.Workspace, erasure, removed{key: string(r.Subject), stamp: v.stamp})
	case search.Retention:
		return e.record(ctx, r.Workspace, retention, removed{key: string(r.Class), before: roundUp(r.Before), stamp: v.stamp})
	}
	return search.ErrRemoval
}

func (e *Engine) record(ctx context.Context, ws domain.WorkspaceID, kind string, r removed) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(settings()), clickhouse.WithColumnNamesAndTypes([]clickhouse.ColumnNameAndType{
		{Name: "workspace", Type: many}, {Name: "kind", Type: few}, {Name: "key", Type: many}, {Name: "before", Type: number}, {Name: "stamp", Type: number}}))
	batch, err := e.conn.PrepareBatch(ctx, "INSERT INTO "+removalTable+" (workspace, kind, key, before, stamp)")
	if err != nil {
		return err
	}
	if err := batch.Append(string(ws), kind, r.key, r.before, r.stamp); err != nil {
		return errors.Join(err, batch.Close())
	}
	return batch.Send()
}
