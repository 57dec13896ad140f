package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

var (
	// errNotBegun: the call never reached the client.
	errNotBegun = errors.New("no connection to the server was free in time")
	// errLeft: the call was left behind in the client.
	errLeft = errors.New("the server did not answer in time")
	// errPanic: the client panicked.
	errPanic = errors.New("the EventStoreDB client failed")
)

// Whether a call's outcome is still wanted.
const (
	wanted int32 = iota
	answered
	leftBehind
)

// call runs f on a client of n and comes back when f does or ctx ends,
// whichever is first. An f that comes back later is waited for by nobody; its
// value goes to late, if there is one, to be let go of.
func call[T any](ctx context.Context, n *lane, f func(context.Context, *esdb.Client) (T, error), late func(T)) (T, error) {
	c, err := n.borrow(ctx)
	if err != nil {
		var none T
		return none, fmt.Errorf("%w: %w", errNotBegun, err)
	}
	return callOn(ctx, n, c, f, late)
}

type outcome[T any] struct {
	value T
	err   error
}

// callOn is call on a client that was borrowed before; it gives it back.
func callOn[T any](ctx context.Context, n *lane, c *client, f func(context.Context, *esdb.Client) (T, error), late func(T)) (T, error) {
	var state atomic.Int32
	done := make(chan outcome[T], 1)
	go func() {
		var out outcome[T]
		out.value, out.err = guarded(ctx, c.es, f)
		if state.CompareAndSwap(wanted, answered) {
			n.giveBack(c, out.err)
			done <- out
			return
		}
		if out.err == nil && late != nil {
			late(out.value)
		}
		n.giveBack(c, out.err)
	}()
	select {
	case out := <-done:
		return out.value, out.err
	case <-ctx.Done():
	}
	if !state.CompareAndSwap(wanted, leftBehind) {
		out := <-done
		return out.value, out.err
	}
	n.overdue(c)
	var none T
	return none, fmt.Errorf("%w: %w", errLeft, context.Cause(ctx))
}

// guarded turns the client's panics into errors; it has several for answers
// it does not expect.
func guarded[T any](ctx context.Context, es *esdb.Client, f func(context.Context, *esdb.Client) (T, error)) (value T, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("%w: %v", errPanic, caught)
		}
	}()
	return f(ctx, es)
}
