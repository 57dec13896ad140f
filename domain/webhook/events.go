package webhook

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Type is the type of a notification.
type Type string

// The types. A notification carries a reference to what it is about, never
// content.
const (
	ApprovalRequested Type = "approval.requested"
	ApprovalEscalated Type = "approval.escalated"
	ApprovalApproved  Type = "approval.approved"
	ApprovalDenied    Type = "approval.denied"
	ApprovalExpired   Type = "approval.expired"
	ApprovalWithdrawn Type = "approval.withdrawn"
	BudgetAlerted     Type = "budget.alerted"
	Test              Type = "webhook.test"
)

// Notice is one notification to one receiver. Its id follows from the record
// it tells of, so that whoever works it out means the same one.
type Notice struct {
	Delivery domain.DeliveryID `json:"delivery"`
	Type     Type              `json:"type"`
	About    string            `json:"about"` // the approval's or budget's id
	Happened time.Time         `json:"happened"`
}

// Event is something that happened to a receiver of notifications.
//
//sumtype:decl
type Event interface {
	domain.Event
	webhookEvent()
}

// Registered makes a receiver. The secret that signs is derived from the
// service's own, the webhook's id and the number, and never stored.
type Registered struct {
	Webhook     domain.WebhookID `json:"webhook"`
	URL         string           `json:"url"`
	Types       []Type           `json:"types"` // none: all
	Description string           `json:"description,omitempty"`
	Secret      int              `json:"secret"` // 1
	By          domain.Actor     `json:"by"`
	At          time.Time        `json:"at"`
}

// Changed replaces a receiver's settings.
type Changed struct {
	Version     int          `json:"version"` // Registered is 1
	URL         string       `json:"url"`
	Types       []Type       `json:"types"`
	Description string       `json:"description,omitempty"`
	Disabled    bool         `json:"disabled,omitempty"`
	By          domain.Actor `json:"by"`
	At          time.Time    `json:"at"`
}

// SecretRotated makes another secret. Until OldUntil notifications are signed
// with the one before too.
type SecretRotated struct {
	Secret   int          `json:"secret"`
	OldUntil time.Time    `json:"old_until"`
	By       domain.Actor `json:"by"`
	At       time.Time    `json:"at"`
}

// Removed ends a receiver, and with it what was still to be delivered.
type Removed struct {
	By domain.Actor `json:"by"`
	At time.Time    `json:"at"`
}

// TestRequested asks for a notification that tells of nothing.
type TestRequested struct {
	Notice Notice       `json:"notice"`
	By     domain.Actor `json:"by"`
	At     time.Time    `json:"at"`
}

// Failure says why an attempt failed. It holds nothing that the receiver sent.
type Failure string

// The failures.
const (
	FailedStatus  Failure = "status"  // an answer other than 2xx
	FailedConnect Failure = "connect" // no connection, or it broke
	FailedTLS     Failure = "tls"     // no trusted connection
	FailedTimeout Failure = "timeout"
	FailedAddress Failure = "address" // an address that notifications may not be sent to
)

// Delivered is an attempt that the receiver answered with a 2xx.
type Delivered struct {
	Notice  Notice    `json:"notice"`
	Attempt int       `json:"attempt"` // the first is 1
	Status  int       `json:"status"`
	Millis  int64     `json:"millis"`
	At      time.Time `json:"at"`
}

// AttemptFailed is an attempt after which another comes, at Next.
type AttemptFailed struct {
	Notice  Notice    `json:"notice"`
	Attempt int       `json:"attempt"`
	Failure Failure   `json:"failure"`
	Status  int       `json:"status,omitempty"`
	Millis  int64     `json:"millis"`
	Next    time.Time `json:"next"`
	At      time.Time `json:"at"`
}

// Abandoned is the last attempt, which failed too.
type Abandoned struct {
	Notice  Notice    `json:"notice"`
	Attempt int       `json:"attempt"`
	Failure Failure   `json:"failure"`
	Status  int       `json:"status,omitempty"`
	Millis  int64     `json:"millis"`
	At      time.Time `json:"at"`
}

// EventType answers the stored names. They are durable.
func (Registered) EventType() string    { return "webhook.registered.v1" }
func (Changed) EventType() string       { return "webhook.changed.v1" }
func (SecretRotated) EventType() string { return "webhook.secret_rotated.v1" }
func (Removed) EventType() string       { return "webhook.removed.v1" }
func (TestRequested) EventType() string { return "webhook.test_requested.v1" }
func (Delivered) EventType() string     { return "webhook.delivered.v1" }
func (AttemptFailed) EventType() string { return "webhook.attempt_failed.v1" }
func (Abandoned) EventType() string     { return "webhook.abandoned.v1" }

func (Registered) webhookEvent()    {}
func (Changed) webhookEvent()       {}
func (SecretRotated) webhookEvent() {}
func (Removed) webhookEvent()       {}
func (TestRequested) webhookEvent() {}
func (Delivered) webhookEvent()     {}
func (AttemptFailed) webhookEvent() {}
func (Abandoned) webhookEvent()     {}
