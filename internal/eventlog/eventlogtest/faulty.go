package eventlogtest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Fault says how one append goes wrong.
type Fault int

// The faults. Lost and After look the same to the caller and differ in what
// the log holds afterwards: a caller that guesses is wrong half the time.
const (
	None   Fault = iota
	Before       // nothing was stored, and the caller is told: ErrUnavailable
	Lost         // nothing was stored, the caller can't know: ErrUnknownOutcome
	After        // it was stored, the caller can't know: ErrUnknownOutcome
)

// Faulty is a log whose appends fail as a script says. Everything else goes to
// the log it wraps.
type Faulty struct {
	eventlog.Log
	script func(call int, stream string) Fault
	calls  atomic.Int64
}

// NewFaulty wraps log. The script is asked once for each append, with the
// number of the call from 0 and the stream, possibly by several goroutines at
// once; a nil script never fails.
func NewFaulty(log eventlog.Log, script func(call int, stream string) Fault) *Faulty {
	if script == nil {
		script = func(int, string) Fault { return None }
	}
	return &Faulty{Log: log, script: script}
}

// Calls is how many appends were asked for so far, failed ones included.
func (f *Faulty) Calls() int { return int(f.calls.Load()) }

// Append implements [eventlog.Log]. An append that fails by itself keeps its
// own error, whatever the script says.
func (f *Faulty) Append(ctx context.Context, stream string, expected int64, events []eventlog.Event) (eventlog.Appended, error) {
	call := int(f.calls.Add(1) - 1)
	switch f.script(call, stream) {
	case Before:
		return eventlog.Appended{}, fmt.Errorf("scripted fault before append %d to %s: %w", call, stream, eventlog.ErrUnavailable)
	case Lost:
		return eventlog.Appended{}, fmt.Errorf("scripted loss of append %d to %s: %w", call, stream, eventlog.ErrUnknownOutcome)
	case After:
		if _, err := f.Log.Append(ctx, stream, expected, events); err != nil {
			return eventlog.Appended{}, err
		}
		return eventlog.Appended{}, fmt.Errorf("scripted fault after append %d to %s: %w", call, stream, eventlog.ErrUnknownOutcome)
	default:
		return f.Log.Append(ctx, stream, expected, events)
	}
}
