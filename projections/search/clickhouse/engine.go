package clickhouse

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

// Engine is an index in a ClickHouse database.
type Engine struct {
	options Options
	conn    driver.Conn

	turn   chan struct{} // held by the one insert or removal that goes on
	closed chan struct{}
	once   sync.Once
	sweeps sync.WaitGroup
}

var _ search.Engine = (*Engine)(nil)

// Options tune an Engine. The zero value is right for production.
type Options struct {
	// SweepAfter is how old a removal is when what it removed is taken out of
	// the files, together with what was removed since; an hour if 0. Less than
	// twice the longest insert (10 minutes) is raised to that.
	SweepAfter time.Duration

	nearby int64 // so that tests go beyond it with few rows
}

// Open opens the index in the database that a connection string of clickhouse-go
// names, and makes its tables if there are none. It is [search.ErrDamaged] if
// they are of another version, and [search.ErrUnavailable] if the server can't
// be reached.
func Open(ctx context.Context, dsn string, o Options) (*Engine, error) {
	options, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	return open(ctx, options, o)
}

// parse reads a connection string.
func parse(dsn string) (*clickhouse.Options, error) {
	options, err := clickhouse.ParseDSN(dsn) // which hides the password in its errors
	if err != nil {
		return nil, fmt.Errorf("reading the connection string of ClickHouse: %w", err)
	}
	options.Debug = false // it would print statements
	options.ClientInfo.Products = append(options.ClientInfo.Products, struct{ Name, Version string }{"clawledger", "search"})
	return options, nil
}

func open(ctx context.Context, options *clickhouse.Options, o Options) (*Engine, error) {
	if o.SweepAfter == 0 {
		o.SweepAfter = time.Hour
	}
	o.SweepAfter = max(o.SweepAfter, 2*longestInsert)
	if o.nearby == 0 {
		o.nearby = nearby
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("opening the search index on ClickHouse: %w", err)
	}
	e := &Engine{options: o, conn: conn, turn: make(chan struct{}, 1), closed: make(chan struct{})}
	if err := e.explain(ctx, e.setUp(ctx)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("opening the search index on ClickHouse: %w", err)
	}
	e.sweeps.Go(e.sweepNowAndThen)
	return e, nil
}

// Close ends what runs. Calls after it are [search.ErrClosed].
func (e *Engine) Close() (err error) {
	e.once.Do(func() {
		close(e.closed)
		e.sweeps.Wait()
		err = e.conn.Close()
	})
	return err
}

// Position is where the index stands.
func (e *Engine) Position(ctx context.Context) (eventlog.Position, error) {
	if err := e.alive(ctx); err != nil {
		return 0, err
	}
	v, err := e.view(ctx, "")
	if err != nil {
		return 0, fmt.Errorf("asking where the search index stands: %w", e.explain(ctx, err))
	}
	return eventlog.Position(v.position), nil
}

func (e *Engine) alive(ctx context.Context) error {
	select {
	case <-e.closed:
		return search.ErrClosed
	default:
		return ctx.Err()
	}
}

// take waits for the turn to change something, and answers how to give it back.
func (e *Engine) take(ctx context.Context) (release func(), err error) {
	if err := e.alive(ctx); err != nil {
		return nil, err
	}
	select {
	case e.turn <- struct{}{}:
		return func() { <-e.turn }, nil
	case <-e.closed:
		return nil, search.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
