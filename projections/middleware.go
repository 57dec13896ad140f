package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// loud is the outermost middleware of a projection: an error that can't pass
// ends the projection. Others leave the message refused, and it is sent again.
func (r *runner) loud(h message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) ([]*message.Message, error) {
		out, err := h(m)
		if err == nil {
			return out, nil
		}
		var p middleware.RecoveredPanicError
		if errors.As(err, &p) {
			run := runOf(m.Context())
			record := run.records[run.at]
			r.log.Error("projection panicked", "projection", r.spec.Name, "stack", p.Stacktrace)
			err = fmt.Errorf("applying the record %s@%d at position %d %w", record.Stream, record.Revision, record.Position, errPanicked)
		}
		if !passing(err) {
			r.stop(err)
		}
		return out, err
	}
}

// errPanicked stands for a panic without its value, which may hold content.
var errPanicked = errors.New("panicked; the stack is in the log")

// passing reports whether the same record may be applied later.
func passing(err error) bool {
	return errors.Is(err, ErrTransient) || errors.Is(err, eventlog.ErrUnavailable) || errors.Is(err, errEnded) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// retrying calls Watermill's retry with back-off, but only once something
// failed: its preparations would cost more than applying a record does.
func retrying(h message.HandlerFunc) message.HandlerFunc {
	slow := middleware.Retry{MaxRetries: 5, InitialInterval: 5 * time.Millisecond, MaxInterval: 200 * time.Millisecond,
		Multiplier: 2, ShouldRetry: func(p middleware.RetryParams) bool { return transient(p.Err) }}.Middleware(h)
	return func(m *message.Message) ([]*message.Message, error) {
		out, err := h(m)
		if err == nil || !transient(err) {
			return out, err
		}
		return slow(m)
	}
}

func transient(err error) bool {
	return errors.Is(err, ErrTransient) || errors.Is(err, eventlog.ErrUnavailable)
}

func recovering(h message.HandlerFunc) message.HandlerFunc { return middleware.Recoverer(h) }

func correlating(h message.HandlerFunc) message.HandlerFunc { return middleware.CorrelationID(h) }

// quiet gives Watermill's errors to the service's logger and drops its account
// of each message and handler.
type quiet struct{ log *slog.Logger }

func (q quiet) Error(msg string, err error, fields watermill.LogFields) {
	args := make([]any, 0, 2*len(fields)+2)
	for name, value := range fields {
		args = append(args, name, value)
	}
	q.log.Error("projections: "+msg, append(args, "error", err)...)
}

func (quiet) Info(string, watermill.LogFields)  {}
func (quiet) Debug(string, watermill.LogFields) {}
func (quiet) Trace(string, watermill.LogFields) {}

func (q quiet) With(fields watermill.LogFields) watermill.LoggerAdapter {
	args := make([]any, 0, 2*len(fields))
	for name, value := range fields {
		args = append(args, name, value)
	}
	return quiet{q.log.With(args...)}
}
