// Package domain is the vocabulary of the ledger: typed identities, money,
// actors, permissions and error kinds, and the shape every aggregate has.
//
// It is pure. Nothing below this folder reads a clock, draws a random number,
// or touches a disk or a socket: time, ids, the actor and facts from elsewhere
// arrive inside commands. An auditor can therefore replay any decision from
// its recorded inputs.
package domain

// State is an aggregate as a decider. The zero State is the empty stream.
//
// Decide looks at the state and a command and answers the events that follow,
// or an [*Error] saying why not; it changes nothing. Evolve folds one event
// and never fails; it copies what it changes, so an older State stays valid.
type State[S, C, E any] interface {
	Decide(C) ([]E, error)
	Evolve(E) S
}

// Event is anything that can be stored: it knows its stored name, a literal
// with a version such as "budget.reserved.v1".
type Event interface {
	EventType() string
}

// Fold evolves s by each event in order.
func Fold[S State[S, C, E], C, E any](s S, events ...E) S {
	for _, e := range events {
		s = s.Evolve(e)
	}
	return s
}
