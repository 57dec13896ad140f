package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/clawoffice/ledger/projections/search"
)

const (
	// longestInsert is when an insert is given up. Sweeps rely on it.
	longestInsert = 10 * time.Minute
	// commitTime is how long the one row that makes a batch count may take.
	commitTime = time.Minute
	// BatchRows is how many rows are best inserted at once. The more there are, the
	// less is merged afterwards.
	BatchRows = 40_000
	// A batch is sent in parts of at most this much.
	partRows, partTags = 50_000, 2_000_000
)

// Insert takes in a batch, see [search.Engine]. Its rows are sent first, in as
// many parts and to as many partitions as they take; nobody sees them before the
// position is written, which is one row. Whatever stays behind of an insert that
// did not get that far is replaced by the next one's rows, which have a higher
// stamp.
func (e *Engine) Insert(ctx context.Context, b search.Batch) error {
	if err := b.Valid(); err != nil {
		return err
	}
	release, err := e.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := e.explain(ctx, e.insert(ctx, b)); err != nil {
		return fmt.Errorf("inserting into the search index: %w", err)
	}
	return nil
}

func (e *Engine) insert(ctx context.Context, b search.Batch) error {
	v, err := e.view(ctx, "")
	if err != nil {
		return err
	}
	if int64(b.From) > v.position {
		return fmt.Errorf("%w: it begins after %d, and the index stands at %d", search.ErrGap, b.From, v.position)
	}
	if int64(b.To) <= v.position {
		return nil
	}
	rows := b.Rows
	for len(rows) > 0 && int64(rows[0].Position) <= v.position {
		rows = rows[1:]
	}
	if err := e.writeRows(ctx, rows, v.stamp); err != nil {
		return err
	}
	return e.commit(ctx, int64(b.To), v.stamp)
}

func (e *Engine) writeRows(ctx context.Context, rows []search.Row, stamp int64) error {
	limited, cancel := context.WithTimeout(ctx, longestInsert)
	defer cancel()
	for len(rows) > 0 {
		n, tags := 0, 0
		for n < len(rows) && n < partRows && (n == 0 || tags+len(rows[n].Tags) <= partTags) {
			tags += len(rows[n].Tags)
			n++
		}
		if err := e.send(limited, rows[:n], stamp); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return limited.Err()
}

// send writes rows that count for nothing yet.
func (e *Engine) send(ctx context.Context, rows []search.Row, stamp int64) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(settings()), clickhouse.WithColumnNamesAndTypes(insertedColumns()))
	batch, err := e.conn.PrepareBatch(ctx, insertion())
	if err != nil {
		return err
	}
	for i, c := range columns() {
		if err := c.put(batch.Column(i), rows, stamp); err != nil {
			return errors.Join(fmt.Errorf("making the column %s: %w", c.name, err), batch.Close())
		}
	}
	return batch.Send()
}

// commit makes everything up to a position count. Once it is sent, its outcome
// is waited for, whatever the caller's context: an answer that it was not done
// must not become wrong later.
func (e *Engine) commit(ctx context.Context, to, stamp int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	return e.write(ctx, note{kind: standing, position: to, removed: removed{stamp: stamp}})
}
