package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	// probeAttempts is how often a client that serves only to find out whether
	// there is a server looks for one. It ends by itself when there is none.
	probeAttempts = 1
	// workAttempts keeps a client that is in use looking for more than a day.
	// One that gives up blocks its callers for ever.
	workAttempts = 1_000_000
)

// connector makes clients that have a server.
type connector struct {
	config esdb.Configuration
}

// configure reads a connection string. Its errors never quote the string,
// which may hold a password.
func configure(connectionString string, logger *slog.Logger) (*connector, error) {
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
	if config.NodePreference != esdb.NodePreferenceLeader {
		return nil, fmt.Errorf("%w: EventStoreDB connection string: nodePreference=%s reads from servers that may lag behind what was written; remove it, the leader is used",
			eventlog.ErrInvalid, config.NodePreference)
	}
	config.Logger = bridge(logger)
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("%w: EventStoreDB connection string: %w", eventlog.ErrInvalid, err)
	}
	return &connector{config: *config}, nil
}

// bridge passes the client's words on as debug output: it reports every
// attempt of a search. What matters the lanes report.
func bridge(logger *slog.Logger) esdb.LoggingFunc {
	if !logger.Enabled(context.Background(), slog.LevelDebug) {
		return esdb.NoopLogging()
	}
	return func(level esdb.LogLevel, format string, args ...any) {
		logger.Debug("eventstoredb client: "+fmt.Sprintf(format, args...), "client_level", level)
	}
}

// connect makes a client and waits until it has a server. A client can't be
// stopped while it searches, so one that gives up at once goes ahead to look,
// and a lasting one follows only where it found a server.
func (k *connector) connect(ctx context.Context) (*esdb.Client, error) {
	probe, err := k.try(ctx, probeAttempts)
	if err != nil {
		return nil, err
	}
	_ = probe.Close() // never fails
	return k.try(ctx, workAttempts)
}

func (k *connector) try(ctx context.Context, attempts int) (*esdb.Client, error) {
	config := k.config
	config.MaxDiscoverAttempts = attempts
	es, err := esdb.NewClient(&config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	if _, err := guarded(ctx, es, serverVersion); err != nil {
		_ = es.Close()
		return nil, err
	}
	return es, nil
}

// serverVersion waits for a connection. It sends nothing once there is one.
func serverVersion(_ context.Context, es *esdb.Client) (*esdb.ServerVersion, error) {
	return es.GetServerVersion()
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
