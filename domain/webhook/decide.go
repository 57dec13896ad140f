package webhook

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Bounds of what is set and kept.
const (
	maxURL         = 2000
	maxDescription = 500
	mostEnded      = 1000 // deliveries that ended and are remembered
	mostWaiting    = 5000 // deliveries that wait; beyond, a failed one is not tried again
	mostTests      = 10   // tests that wait

	// overlap is how long the secret before signs beside the new one.
	overlap = 24 * time.Hour

	// mostRetryAfter bounds what a receiver may ask for.
	mostRetryAfter = 24 * time.Hour

	// gone is the HTTP status by which a receiver says that it wants no more.
	gone = 410
)

// Pause is how long a delivery waits after that many failed attempts, without
// what is added to spread attempts; 0 once there is no further one.
func Pause(failed int) time.Duration {
	pauses := [...]time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}
	if failed < 1 || failed > len(pauses) {
		return 0
	}
	return pauses[failed-1]
}

// spread is what is added to a pause: at most a tenth, by a hash of the
// delivery's id, so that what failed together is not tried again together and
// a fold needs no randomness.
func spread(pause time.Duration, id domain.DeliveryID, failed int) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(string(id) + "/" + strconv.Itoa(failed))) // a hash never fails to write
	return pause / 10_000 * time.Duration(h.Sum64()%1001)
}

// Types lists the types that a receiver may choose from.
func Types() []Type {
	return []Type{ApprovalRequested, ApprovalEscalated, ApprovalApproved, ApprovalDenied, ApprovalExpired, ApprovalWithdrawn, BudgetAlerted}
}

// Decide answers the events that follow from a command, or a [*domain.Error].
func (s State) Decide(command Command) ([]Event, error) {
	if c, ok := command.(Register); ok {
		return s.register(c)
	}
	if !s.Exists() {
		if _, ok := command.(Remove); ok && s.Removed {
			return nil, nil
		}
		return nil, domain.Refuse(domain.NotFound, "not_found", "There is no such webhook here. Check the ids in the path.")
	}
	switch c := command.(type) {
	case Change:
		return s.change(c)
	case RotateSecret:
		return []Event{SecretRotated{Secret: s.Secret + 1, OldUntil: c.At.Add(overlap), By: c.By, At: c.At}}, nil
	case Remove:
		return []Event{Removed(c)}, nil
	case RequestTest:
		return s.test(c)
	case RecordAttempt:
		return s.record(c)
	}
	return nil, domain.Refuse(domain.Invalid, "command_unknown", "A webhook does not know this command.")
}

// register makes the receiver once. Its id follows from the command's, so that
// another registration is the same one, repeated.
func (s State) register(c Register) ([]Event, error) {
	if s.Webhook != "" {
		return nil, nil
	}
	types, err := checked(c.URL, c.Types, c.Description)
	if err != nil {
		return nil, err
	}
	events := []Event{Registered{Webhook: c.Webhook, URL: c.URL, Types: types, Description: c.Description, Secret: 1, By: c.By, At: c.At}}
	if c.Disabled {
		events = append(events, Changed{Version: 2, URL: c.URL, Types: types, Description: c.Description, Disabled: true, By: c.By, At: c.At})
	}
	return events, nil
}

// change replaces the settings. Those that stand change nothing.
func (s State) change(c Change) ([]Event, error) {
	if c.IfVersion != nil && *c.IfVersion != s.Version {
		return nil, domain.Refuse(domain.Stale, "version_mismatch",
			"Somebody wrote another version since you read it. Read it again and repeat the change.").With("version", s.Version)
	}
	types, err := checked(c.URL, c.Types, c.Description)
	if err != nil {
		return nil, err
	}
	if c.URL == s.URL && slices.Equal(types, s.Types) && c.Description == s.Description && c.Disabled == s.Disabled {
		return nil, nil
	}
	return []Event{Changed{Version: s.Version + 1, URL: c.URL, Types: types, Description: c.Description, Disabled: c.Disabled, By: c.By, At: c.At}}, nil
}

// checked answers types sorted and each once. Of the address it looks at what
// shows without taking it apart, which whoever sends does.
func checked(address string, types []Type, description string) ([]Type, error) {
	_, rest, ok := strings.Cut(address, "://")
	switch {
	case len(address) > maxURL || !ok || rest == "" || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, domain.Refuse(domain.Invalid, "webhook_url",
			"The url is not an address such as https://hooks.example.com/claw, of at most %d printable ASCII characters.", maxURL)
	case len(description) > maxDescription:
		return nil, domain.Refuse(domain.Invalid, "invalid_description",
			"The description has %d bytes. Use at most %d.", len(description), maxDescription)
	}
	for _, t := range types {
		if !slices.Contains(Types(), t) {
			return nil, domain.Refuse(domain.Invalid, "invalid_type", "One of the types is not a type of notification.").With("types", Types())
		}
	}
	types = slices.Clone(types)
	slices.Sort(types)
	return some(slices.Compact(types)), nil
}

func (s State) test(c RequestTest) ([]Event, error) {
	if s.Deliveries.Has(c.Delivery) {
		return nil, nil
	}
	if s.Disabled {
		return nil, domain.Refuse(domain.Conflict, "webhook_disabled", "The webhook is disabled, so nothing is sent there. Enable it first.")
	}
	tests := 0
	for _, d := range s.Deliveries.All() {
		if d.Status == StatusWaiting && d.Notice.Type == Test {
			tests++
		}
	}
	if tests >= mostTests {
		return nil, domain.Refuse(domain.Throttled, "rate_limited",
			"%d tests wait for this receiver already. See the list of deliveries for how they went.", tests)
	}
	notice := Notice{Delivery: c.Delivery, Type: Test, About: string(s.Webhook), Happened: c.At}
	return []Event{TestRequested{Notice: notice, By: c.By, At: c.At}}, nil
}

// record enters how an attempt went, once. There is no further attempt at what
// the receiver wants no more by now. A receiver that says that it is gone is
// disabled, as the format's specification asks.
func (s State) record(c RecordAttempt) ([]Event, error) {
	d, _ := s.Deliveries.Get(c.Notice.Delivery)
	o := c.Outcome
	switch {
	case c.Notice.Delivery == "" || c.Attempt < 1:
		return nil, domain.Refuse(domain.Invalid, "invalid_attempt", "An attempt names its delivery, and the first is 1.")
	case c.Attempt <= len(d.Attempts) || d.Status == StatusDelivered || d.Status == StatusAbandoned:
		return nil, nil
	case c.Attempt > len(d.Attempts)+1:
		return nil, domain.Refuse(domain.Conflict, "attempt_out_of_turn", "The attempt before this one is not recorded.")
	case o.Failure == "":
		return []Event{Delivered{Notice: c.Notice, Attempt: c.Attempt, Status: o.Status, Millis: o.Millis, At: c.At}}, nil
	}
	abandoned := Abandoned{Notice: c.Notice, Attempt: c.Attempt, Failure: o.Failure, Status: o.Status, Millis: o.Millis, At: c.At}
	pause := Pause(c.Attempt)
	switch {
	case o.Status == gone && s.Wants(c.Notice.Type):
		return []Event{abandoned, Changed{Version: s.Version + 1, URL: s.URL, Types: s.Types, Description: s.Description, Disabled: true,
			By: domain.Service("webhooks"), At: c.At}}, nil
	case !s.Wants(c.Notice.Type), pause == 0, d.Status == "" && s.Waiting() >= mostWaiting:
		return []Event{abandoned}, nil
	}
	pause = max(pause+spread(pause, c.Notice.Delivery, c.Attempt), min(o.RetryAfter, mostRetryAfter))
	return []Event{AttemptFailed{Notice: c.Notice, Attempt: c.Attempt, Failure: o.Failure, Status: o.Status, Millis: o.Millis,
		Next: c.At.Add(pause), At: c.At}}, nil
}
