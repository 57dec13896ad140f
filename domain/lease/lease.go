// Package lease says which replica does the work that one alone should do, as
// one aggregate, the stream "_system/lease". The log's expected revision makes
// sure that one of several takes it. Whether a holder is gone is not decided
// here: an observer that saw no renewal for long enough, by its own monotonic
// clock, names the tenure that it saw and takes over.
//
// A former holder may believe for a moment that it still holds the lease. All
// work done under it is therefore decided by the streams it touches, and
// doing it twice does no harm.
package lease

import (
	"errors"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// State is the lease. Tenure grows with every change of holder.
type State struct {
	Holder   string    `json:"holder,omitempty"` // "" for nobody
	Tenure   int64     `json:"tenure,omitempty"`
	Renewals int64     `json:"renewals,omitempty"` // in this tenure
	At       time.Time `json:"at,omitzero"`        // of the newest event
}

// Event is something that happened to the lease.
//
//sumtype:decl
type Event interface {
	domain.Event
	leaseEvent()
}

// Acquired begins a tenure.
type Acquired struct {
	Holder string    `json:"holder"`
	Tenure int64     `json:"tenure"`
	At     time.Time `json:"at"`
}

// Renewed says that the holder lives.
type Renewed struct {
	Tenure int64     `json:"tenure"`
	At     time.Time `json:"at"`
}

// Released ends a tenure.
type Released struct {
	Tenure int64     `json:"tenure"`
	At     time.Time `json:"at"`
}

// EventType answers the stored names. They are durable.
func (Acquired) EventType() string { return "lease.acquired.v1" }
func (Renewed) EventType() string  { return "lease.renewed.v1" }
func (Released) EventType() string { return "lease.released.v1" }

func (Acquired) leaseEvent() {}
func (Renewed) leaseEvent()  {}
func (Released) leaseEvent() {}

// Command asks something of the lease.
//
//sumtype:decl
type Command interface{ leaseCommand() }

// Acquire takes the lease if nobody holds it, or from the holder of the tenure
// Over, of whom the observer heard nothing for too long.
type Acquire struct {
	Holder   string
	Over     int64
	Renewals int64 // that the observer saw in that tenure
	At       time.Time
}

// Renew says that the holder of a tenure lives.
type Renew struct {
	Tenure int64
	At     time.Time
}

// Release gives the lease back.
type Release struct {
	Tenure int64
	At     time.Time
}

func (Acquire) leaseCommand() {}
func (Renew) leaseCommand()   {}
func (Release) leaseCommand() {}

var _ domain.State[State, Command, Event] = State{}

// Evolve folds one event. It never fails.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Acquired:
		return State{Holder: e.Holder, Tenure: e.Tenure, At: e.At}
	case Renewed:
		s.Renewals, s.At = s.Renewals+1, e.At
	case Released:
		s.Holder, s.At = "", e.At
	}
	return s
}

// Decide answers the events that follow from a command, or a [*domain.Error].
func (s State) Decide(command Command) ([]Event, error) {
	switch c := command.(type) {
	case Acquire:
		if s.Holder != "" && (s.Tenure != c.Over || s.Renewals != c.Renewals) {
			return nil, domain.Refuse(domain.Conflict, "lease_held", "Another replica holds the lease.")
		}
		return []Event{Acquired{Holder: c.Holder, Tenure: s.Tenure + 1, At: c.At}}, nil
	case Renew:
		if s.Holder == "" || s.Tenure != c.Tenure {
			return nil, lost()
		}
		return []Event{Renewed(c)}, nil
	case Release:
		if s.Holder == "" || s.Tenure != c.Tenure {
			return nil, lost()
		}
		return []Event{Released(c)}, nil
	}
	return nil, domain.Refuse(domain.Invalid, "command_unknown", "The lease does not know this command.")
}

func lost() error {
	return domain.Refuse(domain.Conflict, "lease_lost", "Another replica has taken the lease over.")
}

// ErrUnknownEvent says that a stored name is not one of this package's.
var ErrUnknownEvent = errors.New("lease: unknown event")

// Decode reads a stored event. It never panics, whatever the data.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "lease.acquired.v1":
		return domain.DecodeEvent[Acquired](data)
	case "lease.renewed.v1":
		return domain.DecodeEvent[Renewed](data)
	case "lease.released.v1":
		return domain.DecodeEvent[Released](data)
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, name)
}
