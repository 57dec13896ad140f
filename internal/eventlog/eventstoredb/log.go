package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

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
	// discoverAttempts keeps the client looking for a server for more than a
	// day. It gives up for good otherwise, and calls would block for ever.
	discoverAttempts = 1_000_000
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
// waits until a server answers or ctx ends, which is [eventlog.ErrUnavailable].
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
	config, err := configure(connectionString, l.logger)
	if err != nil {
		return nil, err
	}
	dial := func() (*esdb.Client, error) {
		own := *config // the client keeps a pointer
		return esdb.NewClient(&own)
	}
	l.writes = newLane("appends", callsPerClient, dial, l.logger)
	l.reads = newLane("reads", callsPerClient, dial, l.logger)
	l.subscriptions = &lanes{limit: subscriptionsPerClient, dial: dial, logger: l.logger}
	l.closing, l.close = context.WithCancelCause(context.Background())
	if err := l.greet(ctx); err != nil {
		_ = l.Close() // never fails
		return nil, err
	}
	return l, nil
}

// configure reads a connection string. Its errors never quote the string,
// which may hold a password.
func configure(connectionString string, logger *slog.Logger) (*esdb.Configuration, error) {
	config, err := esdb.ParseConnectionString(connectionString)
	var quoted *url.Error
	if errors.As(err, &quoted) {
		err = quoted.Err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: EventStoreDB connection string: %w", eventlog.ErrInvalid, err)
	}
	if config.DisableTLS && config.Username != "" {
		return nil, fmt.Errorf("%w: EventStoreDB connection string: the client sends credentials only over TLS; remove tls=false or the credentials", eventlog.ErrInvalid)
	}
	config.MaxDiscoverAttempts = discoverAttempts
	config.Logger = bridge(logger)
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("%w: EventStoreDB connection string: %w", eventlog.ErrInvalid, err)
	}
	return config, nil
}

// bridge passes the client's words on as debug output: it reports every
// attempt of a search, ten times a second. What matters the lanes report.
func bridge(logger *slog.Logger) esdb.LoggingFunc {
	if !logger.Enabled(context.Background(), slog.LevelDebug) {
		return esdb.NoopLogging()
	}
	return func(level esdb.LogLevel, format string, args ...any) {
		logger.Debug("eventstoredb client: "+fmt.Sprintf(format, args...), "client_level", level)
	}
}

// greet waits for a server and checks its version.
func (l *Log) greet(ctx context.Context) error {
	ctx, cancel := l.bind(ctx)
	defer cancel()
	v, err := call(ctx, l.writes, func(_ context.Context, es *esdb.Client) (*esdb.ServerVersion, error) {
		return es.GetServerVersion()
	}, nil)
	if err != nil {
		return l.failed(ctx, "connecting", err, nil)
	}
	if !l.opts.AnyServer && !soundVersion(*v) {
		return fmt.Errorf("%w: EventStoreDB %d.%d.%d can skip events in filtered subscriptions; run 24.10.5, 25.0.1 or newer",
			eventlog.ErrInvalid, v.Major, v.Minor, v.Patch)
	}
	return nil
}

// soundVersion says whether a server has the fixes to checkpoints of filtered
// subscriptions that came with 24.10.5 and 25.0.1.
func soundVersion(v esdb.ServerVersion) bool {
	switch {
	case v.Major == 24:
		return v.Minor > 10 || v.Minor == 10 && v.Patch >= 5
	case v.Major == 25 && v.Minor == 0:
		return v.Patch >= 1
	default:
		return v.Major >= 25
	}
}

// bind makes a context that also ends when the log closes.
func (l *Log) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.closing, func() { cancel(eventlog.ErrClosed) })
	return ctx, func() { stop(); cancel(context.Canceled) }
}

// bound is bind for calls that must not take for ever.
func (l *Log) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancelTimeout := context.WithTimeout(ctx, l.opts.Timeout)
	ctx, cancel := l.bind(ctx)
	return ctx, func() { cancel(); cancelTimeout() }
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
