package webhook

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Command asks something of a receiver. At is stream time.
//
//sumtype:decl
type Command interface{ webhookCommand() }

// Register makes a receiver. Whether its address can be sent to at all is
// looked at by whoever sends.
type Register struct {
	Webhook     domain.WebhookID
	URL         string
	Types       []Type
	Description string
	Disabled    bool // from the start; Change ends it
	By          domain.Actor
	At          time.Time
}

// Change replaces its settings. IfVersion, where given, must be the version
// that stands.
type Change struct {
	URL         string
	Types       []Type
	Description string
	Disabled    bool
	IfVersion   *int
	By          domain.Actor
	At          time.Time
}

// RotateSecret makes another secret.
type RotateSecret struct {
	By domain.Actor
	At time.Time
}

// Remove ends it.
type Remove struct {
	By domain.Actor
	At time.Time
}

// RequestTest asks for a test notification.
type RequestTest struct {
	Delivery domain.DeliveryID
	By       domain.Actor
	At       time.Time
}

// RecordAttempt says how an attempt to deliver went: Failure is "" if the
// receiver took it. An attempt that was recorded before changes nothing.
type RecordAttempt struct {
	Notice  Notice
	Attempt int // the first is 1
	Outcome Outcome
	At      time.Time
}

// Outcome is how an attempt to deliver went. It holds nothing that the receiver
// sent but a status and a wish to be left alone for a while.
type Outcome struct {
	Failure    Failure // "" if the receiver took it
	Status     int     // of HTTP; 0 if there was no answer
	Millis     int64
	RetryAfter time.Duration // as the receiver asked; 0 if it did not
}

func (Register) webhookCommand()      {}
func (Change) webhookCommand()        {}
func (RotateSecret) webhookCommand()  {}
func (Remove) webhookCommand()        {}
func (RequestTest) webhookCommand()   {}
func (RecordAttempt) webhookCommand() {}
