package eventlogtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// guard bounds how long one test waits for something that must happen. It is
// no measurement: a sound engine never comes near it.
const guard = 2 * time.Minute

// Option declares how an engine differs where the contract lets engines differ.
type Option func(*features)

type features struct{ deferredErasure bool }

// DeferredErasure declares that records of a deleted stream may still show in
// whole-log reads until the engine's own clean-up ran, as on EventStoreDB
// before a scavenge. Reads of the stream itself are empty at once everywhere.
func DeferredErasure() Option { return func(f *features) { f.deferredErasure = true } }

// Run holds an engine against the contract of [eventlog.Log]. Each test calls
// open for a log of its own, or for another handle on a shared one; open must
// register Close with t.Cleanup, and a second Close must be harmless.
func Run(t *testing.T, open func(t *testing.T) eventlog.Log, options ...Option) {
	t.Helper()
	var f features
	for _, option := range options {
		option(&f)
	}
	for _, group := range [][]check{appendChecks(), idempotencyChecks(), readChecks(), subscribeChecks(), deleteChecks(), limitChecks()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) { c.run(newEnv(t, open(t), f)) })
		}
	}
}

type check struct {
	name string
	run  func(*env)
}

// env is one test's view of a log that others may use too.
type env struct {
	*testing.T
	ctx      context.Context
	log      eventlog.Log
	features features
	space    string // prefix of every stream of this test
	start    eventlog.Position
}

func newEnv(t *testing.T, log eventlog.Log, f features) *env {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	t.Cleanup(cancel)
	e := &env{T: t, ctx: ctx, log: log, features: f, space: "t" + random(8)}
	e.start = e.end()
	return e
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

// end is the position of the log's newest record, 0 if it has none.
func (e *env) end() eventlog.Position {
	e.Helper()
	for r, err := range e.log.Read(e.ctx, eventlog.Query{Backwards: true, Limit: 1}) {
		if err != nil {
			e.Fatalf("reading the newest record: %v", err)
		}
		return r.Position
	}
	return 0
}

func (e *env) stream(name string) string { return e.space + "/" + name }

// mine selects this test's records in a whole-log read.
func (e *env) mine() eventlog.Query {
	return eventlog.Query{After: e.start, StreamPrefixes: []string{e.space + "/"}}
}

func event(kind, data string) eventlog.Event {
	ev := eventlog.Event{Type: kind, Data: []byte(data), Meta: []byte(`{"n":` + fmt.Sprint(len(data)) + `}`)}
	_, _ = rand.Read(ev.ID[:])
	ev.ID[0] |= 1 // never zero
	return ev
}

// events makes n events of one type whose data tells them apart.
func events(kind string, n int) []eventlog.Event {
	out := make([]eventlog.Event, n)
	for i := range out {
		out[i] = event(kind, fmt.Sprintf("%s %d", kind, i))
	}
	return out
}

func (e *env) append(stream string, expected int64, evs ...eventlog.Event) eventlog.Appended {
	e.Helper()
	got, err := e.log.Append(e.ctx, stream, expected, evs)
	if err != nil {
		e.Fatalf("Append(%s, %d, %d events): %v", stream, expected, len(evs), err)
	}
	return got
}

func (e *env) read(q eventlog.Query) []eventlog.Recorded {
	e.Helper()
	var out []eventlog.Recorded
	for r, err := range e.log.Read(e.ctx, q) {
		if err != nil {
			e.Fatalf("Read(%+v) after %d records: %v", q, len(out), err)
		}
		out = append(out, r)
	}
	return out
}

func (e *env) wantError(err, want error, doing string) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%s: error %v, want %v", doing, err, want)
	}
}

// wantWrong checks a revision conflict. Actual may be -2, "could not say".
func (e *env) wantWrong(err error, stream string, expected, actual int64) {
	e.Helper()
	var wrong *eventlog.WrongRevision
	if !errors.As(err, &wrong) {
		e.Errorf("Append(%s, %d): error %v, want a WrongRevision", stream, expected, err)
		return
	}
	if wrong.Stream != stream || wrong.Expected != expected || (wrong.Actual != actual && wrong.Actual != -2) {
		e.Errorf("Append(%s, %d): %+v, want Actual %d or -2", stream, expected, *wrong, actual)
	}
}
