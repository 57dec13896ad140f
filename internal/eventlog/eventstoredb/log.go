package eventstoredb

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Options tune an engine. The zero value is right for production.
type Options struct {
	// Timeout bounds every append, delete and page of a read, also when the
	// caller's context has no deadline. 0 means 10 s.
	Timeout time.Duration
	// AnyServer accepts servers older than 24.10.5 and 25.0.0, whose filtered
	// subscriptions may skip events.
	AnyServer bool
	Logger    *slog.Logger // nil discards
}

const (
	defaultTimeout = 10 * time.Second
	// callsPerClient and subscriptionsPerClient stay below the 100 concurrent
	// calls that a server allows on one connection.
	callsPerClient         = 90
	subscriptionsPerClient = 80
	// drainTime is how long Close waits for calls that were left behind.
	drainTime = 2 * time.Second
)

// Log is an event log in EventStoreDB.
type Log struct {
	opts          Options
	logger        *slog.Logger
	writes, reads *lane
	subscriptions *lanes

	closing context.Context // ends, with cause ErrClosed, when Close begins
	close   context.CancelCauseFunc
}

var _ eventlog.Log = (*Log)(nil)

// Open connects to the server or cluster that the connection string names
// ("esdb://user:password@host:2113?tlsCaFile=ca.pem", "esdb+discover://…"). It
// waits until a server answers or ctx ends, which is [eventlog.ErrUnavailable], as
// is a server that refuses the credentials.
// A malformed connection string, or a server older than Options allow, is
// [eventlog.ErrInvalid].
func Open(ctx context.Context, connectionString string, opts Options) (*Log, error) {
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTimeout
	}
	l := &Log{opts: opts, logger: opts.Logger}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	k, err := configure(connectionString, l.logger)
	if err != nil {
		return nil, err
	}
	l.closing, l.close = context.WithCancelCause(context.Background())
	newLane := func(name string, limit int) *lane {
		return &lane{name: name, limit: limit, connect: k.connect, closing: l.closing, logger: l.logger, patience: firstPatience, jobs: make(chan func())}
	}
	l.writes, l.reads = newLane("appends", callsPerClient), newLane("reads", callsPerClient)
	l.subscriptions = &lanes{limit: subscriptionsPerClient, make: func() *lane { return newLane("subscriptions", callsPerClient) }}
	if err := l.greet(ctx); err != nil {
		_ = l.Close() // never fails
		return nil, err
	}
	return l, nil
}

// greet waits for a server, and checks its version and what it lets us do.
func (l *Log) greet(ctx context.Context) error {
	ctx, cancel := l.bind(ctx)
	defer cancel()
	v, err := call(ctx, l.writes, serverVersion)
	if err != nil {
		return l.failed(ctx, "connecting", err, nil)
	}
	if !l.opts.AnyServer && !soundVersion(*v) {
		return fmt.Errorf("%w: EventStoreDB %d.%d.%d can skip events in filtered subscriptions; run 24.10.5, 25.0.1 or newer",
			eventlog.ErrInvalid, v.Major, v.Minor, v.Patch)
	}
	// Servers tell their version to anybody; a read shows whether the
	// credentials are right and may read $all.
	for _, err := range l.Read(ctx, eventlog.Query{Backwards: true, Limit: 1}) {
		return err
	}
	return nil
}

// bind makes a context that also ends when the log closes.
func (l *Log) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.closing, func() { cancel(eventlog.ErrClosed) })
	return ctx, func() { stop(); cancel(context.Canceled) }
}

// bound keeps a call from taking for ever. That the log closes, call sees by
// itself.
func (l *Log) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.opts.Timeout)
}

// Close ends subscriptions and waits a moment for calls under way; those of
// them that appended end as unknown. It never fails, and a second Close does
// nothing.
func (l *Log) Close() error {
	if l.closing.Err() != nil {
		return nil
	}
	l.close(eventlog.ErrClosed)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		l.writes.shut()
		l.reads.shut()
		l.subscriptions.shut()
	}()
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
		l.logger.Warn("eventstoredb: closed while calls still hang in the client")
	}
	return nil
}
