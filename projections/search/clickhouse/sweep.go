package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/clawoffice/ledger/projections/search"
)

// sweepEvery is how often it is asked whether a sweep is due.
const sweepEvery = 10 * time.Minute

// sweepSize is how many removals one mutation makes up for.
const sweepSize = 100

func (e *Engine) sweepNowAndThen() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-e.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case <-time.After(sweepEvery):
			_ = e.sweep(ctx, e.options.SweepAfter) // which is tried again
		case <-e.closed:
			return
		}
	}
}

// Sweep takes what was removed longer ago than Options.SweepAfter out of the
// files now, as the engine does by itself every ten minutes.
func (e *Engine) Sweep(ctx context.Context) error {
	if err := e.alive(ctx); err != nil {
		return err
	}
	if err := e.explain(ctx, e.sweep(ctx, e.options.SweepAfter)); err != nil {
		return fmt.Errorf("sweeping the search index: %w", err)
	}
	return nil
}

// sweep goes through the removals that are so old that no insert from before
// them still goes on. It rewrites the parts that hold what they removed, and then
// forgets them.
func (e *Engine) sweep(ctx context.Context, age time.Duration) error {
	due, err := e.due(ctx, age)
	if err != nil || len(due) == 0 {
		return err
	}
	for len(due) > 0 {
		n := min(len(due), sweepSize)
		if err := e.sweepSome(ctx, due[:n]); err != nil {
			return err
		}
		due = due[n:]
	}
	return nil
}

func (e *Engine) due(ctx context.Context, age time.Duration) (list []note, err error) {
	s := newStatement()
	text := "SELECT workspace, kind, key, before, max(stamp) AS newest FROM " + stateTable +
		" WHERE workspace != '' AND stamp <= toUnixTimestamp64Micro(now64(6)) - " + s.number(age.Microseconds()) + " GROUP BY workspace, kind, key, before ORDER BY newest"
	err = e.collect(ctx, s, text, func(scan func(...any) error) error {
		var d note
		err := scan(&d.workspace, &d.kind, &d.key, &d.before, &d.stamp)
		list = append(list, d)
		return err
	})
	return list, err
}

func (e *Engine) sweepSome(ctx context.Context, due []note) error {
	erased, expired, swept := newStatement(), newStatement(), newStatement()
	var tags, rows, done []string
	for _, d := range due {
		switch d.kind {
		case erasure:
			tags = append(tags, "workspace = "+erased.text(d.workspace)+" AND subject = "+erased.text(d.key)+" AND stamp <= "+erased.number(d.stamp))
		case retention:
			rows = append(rows, "workspace = "+expired.text(d.workspace)+" AND "+expired.isExpired(d.removed))
		}
		done = append(done, "workspace = "+swept.text(d.workspace)+" AND kind = "+swept.text(d.kind)+" AND key = "+swept.text(d.key)+
			" AND before = "+swept.number(d.before)+" AND stamp <= "+swept.number(d.stamp))
	}
	if err := e.mutate(ctx, erased, rowTable, "UPDATE tags = [] WHERE notEmpty(tags) AND", tags); err != nil {
		return err
	}
	if err := e.mutate(ctx, expired, rowTable, "DELETE WHERE", rows); err != nil {
		return err
	}
	return e.mutate(ctx, swept, stateTable, "DELETE WHERE", done)
}

// mutate changes what any of the terms is true of, and waits until the parts are
// rewritten. A wait that was cut off is made good by the next sweep.
func (e *Engine) mutate(ctx context.Context, s *statement, table, change string, any []string) error {
	if len(any) == 0 {
		return nil
	}
	text := "ALTER TABLE " + table + " " + change + " ((" + strings.Join(any, ") OR (") + "))"
	if err := e.conn.Exec(s.context(ctx), text); err != nil {
		return err
	}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		left, reason, err := e.mutating(ctx, table)
		switch {
		case err != nil || left == 0:
			return err
		case reason != "":
			return fmt.Errorf("%w: the mutation of %s fails: %s", search.ErrUnavailable, table, reason)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *Engine) mutating(ctx context.Context, table string) (left uint64, reason string, err error) {
	s := newStatement()
	text := "SELECT count(), max(latest_fail_reason) FROM system.mutations WHERE database = currentDatabase() AND NOT is_done AND table = " + s.text(table)
	err = e.collect(ctx, s, text, func(scan func(...any) error) error { return scan(&left, &reason) })
	return left, reason, err
}
