package eventstoredb

import (
	"context"
	"errors"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/clawoffice/ledger/internal/eventlog"
)

var (
	// errNotBegun: the call never reached the client.
	errNotBegun = errors.New("no connection to the server was free in time")
	// errLeft: the call was left behind in the client.
	errLeft = errors.New("the server did not answer in time")
	// errPanic: the client panicked.
	errPanic = errors.New("the EventStoreDB client failed")
)

type outcome[T any] struct {
	value T
	err   error
}

// call runs f on a client of n and comes back when f does, ctx ends or the log
// closes, whichever is first. An f that comes back later is waited for by
// nobody; the caller ends its ctx.
func call[T any](ctx context.Context, n *lane, f func(context.Context, *esdb.Client) (T, error)) (T, error) {
	var none T
	c, err := n.borrow(ctx)
	if err != nil {
		return none, fmt.Errorf("%w: %w", errNotBegun, err)
	}
	done := make(chan outcome[T], 1)
	n.run(func() {
		var out outcome[T]
		out.value, out.err = guarded(ctx, c.es, f)
		n.giveBack(c, out.err)
		done <- out
	})
	select {
	case out := <-done:
		return out.value, out.err
	case <-ctx.Done():
		n.overdue(c)
		return none, fmt.Errorf("%w: %w", errLeft, context.Cause(ctx))
	case <-n.closing.Done():
		return none, fmt.Errorf("%w: %w", errLeft, eventlog.ErrClosed)
	}
}

// guarded turns the client's panics into errors; it has several for answers
// it does not expect.
func guarded[T any](ctx context.Context, es *esdb.Client, f func(context.Context, *esdb.Client) (T, error)) (value T, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("%w: %v", errPanic, caught)
		}
	}()
	return f(toLeader(ctx), es)
}
