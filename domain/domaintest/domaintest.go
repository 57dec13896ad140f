// Package domaintest tells decisions as stories: given these events, when
// this is asked, then those events follow, or it is refused with that code.
//
// Every story also holds the promises all aggregates make: Decide changes
// nothing, Evolve leaves the older State valid, and a State survives being
// written as JSON and read back, which is what snapshots do.
package domaintest

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clawoffice/ledger/domain"
)

// Story is a stream so far.
type Story[S domain.State[S, C, E], C, E any] struct {
	state S
}

// Given begins a story after these events. Name the State; the rest follows
// from it: domaintest.Given[workspace.State](created, joined).
func Given[S domain.State[S, C, E], C, E any](events ...E) Story[S, C, E] {
	var zero S
	return Story[S, C, E]{domain.Fold(zero, events...)}
}

// State is the folded state.
func (s Story[S, C, E]) State() S { return s.state }

// And goes on with more events.
func (s Story[S, C, E]) And(events ...E) Story[S, C, E] {
	return Story[S, C, E]{domain.Fold(s.state, events...)}
}

// When asks for a decision.
func (s Story[S, C, E]) When(command C) Outcome[S, C, E] {
	before, errBefore := json.Marshal(s.state)
	events, err := s.state.Decide(command)
	after, errAfter := json.Marshal(s.state)
	return Outcome[S, C, E]{s.state, events, err, before, after, errors.Join(errBefore, errAfter)}
}

// Outcome is what was decided.
type Outcome[S domain.State[S, C, E], C, E any] struct {
	state         S
	events        []E
	err           error
	before, after []byte
	marshalling   error
}

// Then demands exactly these events, none for a command that changes nothing,
// and answers the story that goes on from them.
func (o Outcome[S, C, E]) Then(t testing.TB, want ...E) Story[S, C, E] {
	t.Helper()
	o.pure(t)
	if o.err != nil {
		t.Fatalf("refused: %v; want %d events", o.err, len(want))
	}
	if diff := cmp.Diff(want, o.events, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	return o.Accepted(t)
}

// Accepted demands success, whatever the events are.
func (o Outcome[S, C, E]) Accepted(t testing.TB) Story[S, C, E] {
	t.Helper()
	o.pure(t)
	if o.err != nil {
		t.Fatalf("refused: %v; want success", o.err)
	}
	next := domain.Fold(o.state, o.events...)
	Unchanged(t, o.state, o.before)
	again := domain.Fold(o.state, o.events...)
	if diff := diff(next, again); diff != "" {
		t.Fatalf("evolving twice from one state differs (-first +second):\n%s", diff)
	}
	RoundTrip(t, next)
	return Story[S, C, E]{next}
}

// Refused demands a refusal with this code and answers it.
func (o Outcome[S, C, E]) Refused(t testing.TB, kind domain.Kind, code string) *domain.Error {
	t.Helper()
	o.pure(t)
	if o.err == nil {
		t.Fatalf("accepted with %d events; want the refusal %s", len(o.events), code)
	}
	var refusal *domain.Error
	if !errors.As(o.err, &refusal) {
		t.Fatalf("error %v is not a refusal; want %s", o.err, code)
	}
	if refusal.Code != code || refusal.Kind != kind {
		t.Fatalf("refused with kind %d, %v; want kind %d, %s", refusal.Kind, refusal, kind, code)
	}
	if refusal.Detail == "" {
		t.Fatalf("refusal %s says nothing about what is wrong", code)
	}
	if len(o.events) != 0 {
		t.Fatalf("refusal %s came with %d events", code, len(o.events))
	}
	return refusal
}

func (o Outcome[S, C, E]) pure(t testing.TB) {
	t.Helper()
	if o.marshalling != nil {
		t.Fatalf("the state can't be written as JSON: %v", o.marshalling)
	}
	if diff := diff(string(o.before), string(o.after)); diff != "" {
		t.Fatalf("Decide changed the state (-before +after):\n%s", diff)
	}
}

// Unchanged demands that s still marshals to before.
func Unchanged[S any](t testing.TB, s S, before []byte) {
	t.Helper()
	after, err := json.Marshal(s)
	if err != nil {
		t.Fatalf("the state can't be written as JSON: %v", err)
	}
	if diff := diff(string(before), string(after)); diff != "" {
		t.Fatalf("Evolve changed the older state (-before +after):\n%s", diff)
	}
}

// RoundTrip demands that s survives being written as JSON and read back.
func RoundTrip[S any](t testing.TB, s S) {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatalf("the state can't be written as JSON: %v", err)
	}
	var back S
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatalf("the state can't be read back from JSON: %v", err)
	}
	if diff := diff(s, back); diff != "" {
		t.Fatalf("the state changed on its way through JSON (-before +after):\n%s", diff)
	}
}

// diff says how two values differ. What is the same in every field needs no
// report, and large states get theirs much sooner so.
func diff[T any](x, y T) string {
	if reflect.DeepEqual(x, y) {
		return ""
	}
	return cmp.Diff(x, y)
}
