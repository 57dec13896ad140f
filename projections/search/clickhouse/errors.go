package clickhouse

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/clawoffice/ledger/projections/search"
)

// explain is explain, where a closed engine explains everything.
func (e *Engine) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if gone := e.alive(ctx); gone != nil {
		return gone
	}
	return explain(ctx, err)
}

// explain makes an error what callers branch on. It is the only place that knows
// ClickHouse's codes.
func explain(ctx context.Context, err error) error {
	if deadline, ok := ctx.Deadline(); ok && errors.Is(err, os.ErrDeadlineExceeded) && time.Until(deadline) < time.Second {
		return context.DeadlineExceeded // the connection has the context's deadline, and may be first to notice
	}
	for _, ours := range []error{search.ErrGap, search.ErrQuery, search.ErrDamaged} {
		if errors.Is(err, ours) {
			return err
		}
	}
	if exception, ok := errors.AsType[*clickhouse.Exception](err); ok {
		switch {
		case slices.Contains(passing, exception.Code):
			return fmt.Errorf("%w: %w", search.ErrUnavailable, err)
		case slices.Contains(damage, exception.Code):
			return fmt.Errorf("%w: %w", search.ErrDamaged, err)
		}
		return err
	}
	if unreachable(err) {
		return fmt.Errorf("%w: %w", search.ErrUnavailable, err)
	}
	return err
}

// unreachable reports whether the server was not reached, or did not answer to
// the end.
func unreachable(err error) bool {
	_, network := errors.AsType[net.Error](err)
	_, status := errors.AsType[*clickhouse.HTTPError](err) // a proxy's; the server's own are exceptions
	if network || status {
		return true
	}
	for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, driver.ErrBadConn, context.DeadlineExceeded,
		clickhouse.ErrAcquireConnTimeout, clickhouse.ErrConnectionClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// passing are the codes of what may pass.
var passing = []int32{
	3,   // UNEXPECTED_END_OF_FILE
	159, // TIMEOUT_EXCEEDED
	164, // READONLY
	198, // DNS_ERROR
	202, // TOO_MANY_SIMULTANEOUS_QUERIES
	203, // NO_FREE_CONNECTION
	209, // SOCKET_TIMEOUT
	210, // NETWORK_ERROR
	225, // NO_ZOOKEEPER
	236, // ABORTED
	241, // MEMORY_LIMIT_EXCEEDED
	242, // TABLE_IS_READ_ONLY
	243, // NOT_ENOUGH_SPACE
	252, // TOO_MANY_PARTS
	279, // ALL_CONNECTION_TRIES_FAILED
	285, // TOO_FEW_LIVE_REPLICAS
	286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
	289, // REPLICA_IS_NOT_IN_QUORUM
	319, // UNKNOWN_STATUS_OF_INSERT
	394, // QUERY_WAS_CANCELLED
	425, // SYSTEM_ERROR
	439, // CANNOT_SCHEDULE_TASK
	999, // KEEPER_EXCEPTION
}

// damage are the codes of files or tables that are not what was written.
var damage = []int32{
	16,  // NO_SUCH_COLUMN_IN_TABLE
	40,  // CHECKSUM_DOESNT_MATCH
	60,  // UNKNOWN_TABLE
	81,  // UNKNOWN_DATABASE
	228, // UNKNOWN_CODEC of a part
	246, // CORRUPTED_DATA
	271, // CANNOT_DECOMPRESS
}
