package webhook

import (
	"fmt"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// State is one receiver. Its fields are exported because it is kept as a JSON
// snapshot; it is changed only by Evolve.
type State struct {
	Webhook     domain.WebhookID `json:"webhook,omitempty"`
	Version     int              `json:"version,omitempty"`
	URL         string           `json:"url,omitempty"`
	Types       []Type           `json:"types,omitempty"` // none: all
	Description string           `json:"description,omitempty"`
	Disabled    bool             `json:"disabled,omitempty"`
	Removed     bool             `json:"removed,omitempty"`
	By          domain.Actor     `json:"by,omitzero"`
	At          time.Time        `json:"at,omitzero"`

	Secret   int       `json:"secret,omitempty"`   // number of the newest
	OldUntil time.Time `json:"old_until,omitzero"` // until then the one before signs too

	FailingSince time.Time `json:"failing_since,omitzero"` // the first failure after which nothing was taken

	// Deliveries are those that wait, and the newest of those that ended. Ended
	// has the latter, in the order in which they ended. One that the receiver
	// wants no more, because it was disabled or chose other types, is forgotten.
	Deliveries domain.Map[domain.DeliveryID, Delivery] `json:"deliveries"`
	Ended      domain.Map[turn, domain.DeliveryID]     `json:"ended"`
	Begun      int64                                   `json:"begun,omitempty"` // how many deliveries there ever were
	Over       int64                                   `json:"over,omitempty"`  // how many of them ended
}

// turn is a place in an order, as text that sorts like the number.
type turn string

func turnOf(n int64) turn { return turn(fmt.Sprintf("%019d", n)) }

// Status is where a delivery stands.
type Status string

// The statuses. Every one but StatusWaiting is final.
const (
	StatusWaiting   Status = "waiting"
	StatusDelivered Status = "delivered"
	StatusAbandoned Status = "abandoned"
)

// Delivery is one notification and what became of it.
type Delivery struct {
	Notice   Notice    `json:"notice"`
	Number   int64     `json:"number"` // the receiver's first is 1
	Status   Status    `json:"status"`
	Attempts []Attempt `json:"attempts,omitempty"`
	Next     time.Time `json:"next,omitzero"` // when it may be tried; zero once it ended
}

// Attempt is one try to deliver.
type Attempt struct {
	At      time.Time `json:"at"`
	Millis  int64     `json:"millis"`
	Status  int       `json:"status,omitempty"`
	Failure Failure   `json:"failure,omitempty"` // "" if the receiver took it
}

var _ domain.State[State, Command, Event] = State{}

// Evolve folds one event. It never fails and leaves s as it was.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Registered:
		return State{Webhook: e.Webhook, Version: 1, URL: e.URL, Types: some(e.Types), Description: e.Description,
			Secret: e.Secret, By: e.By, At: e.At}
	case Changed:
		s.Version, s.URL, s.Types, s.Description, s.Disabled = e.Version, e.URL, some(e.Types), e.Description, e.Disabled
		s = s.unwanted()
	case SecretRotated:
		s.Secret, s.OldUntil = e.Secret, e.OldUntil
	case Removed:
		s.Removed = true
		s.Deliveries, s.Ended = domain.Map[domain.DeliveryID, Delivery]{}, domain.Map[turn, domain.DeliveryID]{}
	case TestRequested:
		s, _ = s.begun(e.Notice, e.At)
	case Delivered:
		s.FailingSince = time.Time{}
		s = s.tried(e.Notice, e.Attempt, Attempt{At: e.At, Millis: e.Millis, Status: e.Status}, StatusDelivered, time.Time{})
	case AttemptFailed:
		s = s.failing(e.At)
		s = s.tried(e.Notice, e.Attempt, Attempt{At: e.At, Millis: e.Millis, Status: e.Status, Failure: e.Failure}, StatusWaiting, e.Next)
	case Abandoned:
		s = s.failing(e.At)
		s = s.tried(e.Notice, e.Attempt, Attempt{At: e.At, Millis: e.Millis, Status: e.Status, Failure: e.Failure}, StatusAbandoned, time.Time{})
	}
	return s
}

// unwanted forgets the deliveries that wait and are not wanted any more.
func (s State) unwanted() State {
	for id, d := range s.Deliveries.All() {
		if d.Status == StatusWaiting && !s.Wants(d.Notice.Type) {
			s.Deliveries = s.Deliveries.Delete(id) // All goes on over the map as it was
		}
	}
	return s
}

// some is types, and nil for none, as JSON reads it back.
func some(types []Type) []Type {
	if len(types) == 0 {
		return nil
	}
	return types
}

// begun answers the delivery of a notice, made if it is new.
func (s State) begun(n Notice, at time.Time) (State, Delivery) {
	if d, ok := s.Deliveries.Get(n.Delivery); ok {
		return s, d
	}
	s.Begun++
	d := Delivery{Notice: n, Number: s.Begun, Status: StatusWaiting, Next: at}
	s.Deliveries = s.Deliveries.Set(n.Delivery, d)
	return s, d
}

// tried enters an attempt. Of those that ended only the newest are kept.
func (s State) tried(n Notice, attempt int, a Attempt, status Status, next time.Time) State {
	before := s
	s, d := s.begun(n, a.At)
	if d.Status != StatusWaiting || attempt != len(d.Attempts)+1 {
		return before // Decide never lets it be; a fold must not fail
	}
	d.Attempts = append(slices.Clip(d.Attempts), a)
	d.Status, d.Next = status, next
	s.Deliveries = s.Deliveries.Set(n.Delivery, d)
	if status == StatusWaiting {
		return s
	}
	s.Over++
	s.Ended = s.Ended.Set(turnOf(s.Over), n.Delivery)
	if s.Ended.Len() > mostEnded {
		oldest, id, _ := s.Ended.Min()
		s.Ended, s.Deliveries = s.Ended.Delete(oldest), s.Deliveries.Delete(id)
	}
	return s
}

func (s State) failing(at time.Time) State {
	if s.FailingSince.IsZero() {
		s.FailingSince = at
	}
	return s
}

// Exists reports whether the receiver was registered and not removed.
func (s State) Exists() bool { return s.Webhook != "" && !s.Removed }

// Waiting is how many deliveries wait for another attempt.
func (s State) Waiting() int { return s.Deliveries.Len() - s.Ended.Len() }

// Wants reports whether notifications of a type are to be sent there. Tests are
// sent whatever types were chosen.
func (s State) Wants(t Type) bool {
	return s.Exists() && !s.Disabled && (t == Test || len(s.Types) == 0 || slices.Contains(s.Types, t))
}

// Due answers as which attempt a notification is to be sent at that time; ok is
// false if it is not, because it ended, waits for its next attempt, or is not
// wanted.
func (s State) Due(n Notice, at time.Time) (attempt int, ok bool) {
	d, known := s.Deliveries.Get(n.Delivery)
	switch {
	case !s.Wants(n.Type):
		return 0, false
	case !known:
		return 1, true
	}
	return len(d.Attempts) + 1, d.Status == StatusWaiting && !at.Before(d.Next)
}

// Secrets lists the numbers of the secrets that sign at that time, the newest
// first.
func (s State) Secrets(at time.Time) []int {
	if s.Secret > 1 && at.Before(s.OldUntil) {
		return []int{s.Secret, s.Secret - 1}
	}
	return []int{s.Secret}
}

// Newest lists the deliveries that are kept, those that began last first, at
// most limit.
func (s State) Newest(limit int) []Delivery {
	list := make([]Delivery, 0, s.Deliveries.Len())
	for _, d := range s.Deliveries.All() {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Delivery) int { return int(b.Number - a.Number) })
	return list[:min(limit, len(list))]
}
