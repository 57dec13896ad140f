package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/eventstoredb"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
)

// storage says where a log is, for commands that only look at it.
type storage struct {
	Data     string `help:"Data directory of a server with an embedded log." placeholder:"DIR" type:"path" group:"storage"`
	Eventlog string `help:"Connection string of EventStoreDB, instead of an embedded log." placeholder:"esdb://…" group:"storage"`
}

var errNoStorage = errors.New("say where the log is: --data DIR for an embedded log, or --eventlog esdb://… for EventStoreDB")

// openReading opens the log beside whoever writes to it.
func (s storage) openReading(p *program) (eventlog.Log, error) {
	switch {
	case s.Eventlog != "":
		return openEventStoreDB(p, s.Eventlog)
	case s.Data != "":
		return sqlite.OpenReadOnly(p.ctx, s.Data)
	}
	return nil, errNoStorage
}

// openWriting opens the log to write to it; of an embedded one this is then the
// only process that does.
func (s storage) openWriting(p *program) (eventlog.Log, error) {
	switch {
	case s.Eventlog != "":
		return openEventStoreDB(p, s.Eventlog)
	case s.Data != "":
		return sqlite.Open(p.ctx, s.Data, sqlite.Options{Logger: p.log})
	}
	return nil, errNoStorage
}

// connectTime is how long a command waits for a server to answer.
const connectTime = 20 * time.Second

func openEventStoreDB(p *program, connection string) (*eventstoredb.Log, error) {
	ctx, cancel := context.WithTimeout(p.ctx, connectTime)
	defer cancel()
	log, err := eventstoredb.Open(ctx, connection, eventstoredb.Options{Logger: p.log})
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", withoutSecrets(connection), err)
	}
	return log, nil
}

// withoutSecrets is a connection string that may be shown.
func withoutSecrets(connection string) string {
	u, err := url.Parse(connection)
	if err != nil {
		return "EventStoreDB"
	}
	return u.Scheme + "://" + u.Host
}

// keysOr answers the key directory: the one named, or the data directory's.
func keysOr(keys, data string) string {
	if keys != "" || data == "" {
		return keys
	}
	return filepath.Join(data, "keys")
}
