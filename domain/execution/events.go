package execution

import (
	"encoding/json"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// Action is one thing an execution wants to do, exactly.
type Action struct {
	ID     domain.ActionID   `json:"id"`
	Kind   domain.ActionKind `json:"kind"`
	Params json.RawMessage   `json:"params"`
	Digest domain.Digest     `json:"digest"` // the action digest of the API
}

// Permit lets the requester start one action once, until it expires. The
// signed form is made from this; it is not stored.
type Permit struct {
	ID        domain.PermitID `json:"id"`
	ExpiresAt time.Time       `json:"expires_at"`
}

// Usage is what a model call used.
type Usage struct {
	PromptTokens domain.Tokens `json:"prompt_tokens"`
	OutputTokens domain.Tokens `json:"output_tokens"`
}

// Event is something that happened to an execution.
//
//sumtype:decl
type Event interface {
	domain.Event
	executionEvent()
}

// Requested opens the stream with the execution's first action and what the
// policies said of it. Exactly one of Permit (allowed) and Approval (a human
// must agree) is set, or neither (denied).
type Requested struct {
	Execution domain.ExecutionID `json:"execution"`
	Workflow  domain.Workflow    `json:"workflow"`
	Subject   domain.SubjectTag  `json:"subject,omitempty"`
	Context   json.RawMessage    `json:"context,omitempty"` // the agent's claim
	Action    Action             `json:"action"`
	Decision  gate.Decision      `json:"decision"`
	Permit    *Permit            `json:"permit,omitempty"`
	Approval  domain.ApprovalID  `json:"approval,omitempty"`
	By        domain.Actor       `json:"by"`
	Roles     []domain.RoleName  `json:"roles,omitempty"`    // held by By at the time
	Involved  []domain.Actor     `json:"involved,omitempty"` // who made By and its credential: shut out by separation of duties
	At        time.Time          `json:"at"`
}

// ActionRequested adds a further action to a running execution.
type ActionRequested struct {
	Action   Action            `json:"action"`
	Context  json.RawMessage   `json:"context,omitempty"`
	Decision gate.Decision     `json:"decision"`
	Permit   *Permit           `json:"permit,omitempty"`
	Approval domain.ApprovalID `json:"approval,omitempty"`
	Roles    []domain.RoleName `json:"roles,omitempty"` // held by the requester at the time
	Involved []domain.Actor    `json:"involved,omitempty"`
	At       time.Time         `json:"at"`
}

// ActionAuthorized follows an approval, or a use of a standing grant in its
// place: the action may start.
type ActionAuthorized struct {
	Action   domain.ActionID   `json:"action"`
	Approval domain.ApprovalID `json:"approval"`
	Grant    domain.GrantID    `json:"grant,omitempty"` // the approval was not needed then
	Permit   Permit            `json:"permit"`
	At       time.Time         `json:"at"`
}

// ActionDenied follows a denied, expired or withdrawn approval.
type ActionDenied struct {
	Action   domain.ActionID   `json:"action"`
	Approval domain.ApprovalID `json:"approval"`
	Reason   string            `json:"reason"` // denied, expired, withdrawn
	At       time.Time         `json:"at"`
}

// ActionStarted consumes the action's permit. Decision is what the policies
// said at that moment.
type ActionStarted struct {
	Action   domain.ActionID   `json:"action"`
	Permit   domain.PermitID   `json:"permit"`
	Decision gate.Decision     `json:"decision"`
	Roles    []domain.RoleName `json:"roles,omitempty"` // held by the requester at the time
	At       time.Time         `json:"at"`
}

// PromptRecorded says that a prompt is about to be sent. Its text is one or
// more content records, named by digest.
type PromptRecorded struct {
	Prompt          domain.PromptID      `json:"prompt"`
	Model           domain.Model         `json:"model"`
	Provider        string               `json:"provider,omitempty"`
	Subject         domain.SubjectTag    `json:"subject"`
	Content         Content              `json:"content"`
	PromptTokens    domain.Tokens        `json:"prompt_tokens"`
	MaxOutputTokens domain.Tokens        `json:"max_output_tokens"`
	Reservation     domain.ReservationID `json:"reservation"`
	CostMicros      domain.Micros        `json:"cost_micros"` // reserved
	ExpiresAt       time.Time            `json:"expires_at"`  // of the reservation
	At              time.Time            `json:"at"`
}

// Content names content records. Stream is "" when the record stands beside
// the fact in its own stream. Subject is under whose key they are, where the
// fact does not say so itself.
type Content struct {
	Digest  domain.Digest     `json:"digest"` // of the whole plaintext
	Size    int               `json:"size"`   // bytes of the whole plaintext
	Stream  string            `json:"stream,omitempty"`
	Parts   int               `json:"parts,omitempty"`
	Subject domain.SubjectTag `json:"subject,omitempty"`
}

// CompletionRecorded closes a prompt with the model's answer.
type CompletionRecorded struct {
	Prompt       domain.PromptID `json:"prompt"`
	Content      Content         `json:"content"`
	Usage        Usage           `json:"usage"`
	CostMicros   *domain.Micros  `json:"cost_micros,omitempty"` // as the caller reported it
	FinishReason string          `json:"finish_reason,omitempty"`
	At           time.Time       `json:"at"`
}

// PromptFailed closes a prompt that got no answer.
type PromptFailed struct {
	Prompt domain.PromptID `json:"prompt"`
	Reason string          `json:"reason,omitempty"`
	At     time.Time       `json:"at"`
}

// Completed, Failed and Cancelled end an execution. Result is a content record.
type Completed struct {
	Result *Content  `json:"result,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Failed ends an execution that did not do what it was for.
type Failed struct {
	Result *Content  `json:"result,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Cancelled ends an execution before it was done. It also withdraws what was
// not started yet.
type Cancelled struct {
	Result *Content     `json:"result,omitempty"`
	Reason string       `json:"reason,omitempty"`
	By     domain.Actor `json:"by"`
	At     time.Time    `json:"at"`
}

// PromptResolved closes a prompt whose outcome nobody recorded: a human says
// what is known of it. With Usage, that is settled; else the reservation is
// given back.
type PromptResolved struct {
	Prompt     domain.PromptID `json:"prompt"`
	Usage      *Usage          `json:"usage,omitempty"`
	CostMicros *domain.Micros  `json:"cost_micros,omitempty"`
	Reason     string          `json:"reason"`
	By         domain.Actor    `json:"by"`
	At         time.Time       `json:"at"`
}

// Resolved ends an execution whose outcome nobody recorded: a human says what
// is known of it. Outcome is completed, failed, or unknown.
type Resolved struct {
	Outcome Outcome      `json:"outcome"`
	Reason  string       `json:"reason"`
	By      domain.Actor `json:"by"`
	At      time.Time    `json:"at"`
}

// Outcome is what a human found out about an execution.
type Outcome string

// The outcomes.
const (
	OutcomeCompleted Outcome = "completed"
	OutcomeFailed    Outcome = "failed"
	OutcomeUnknown   Outcome = "unknown"
)

// EventType answers the stored names. They are durable.
func (Requested) EventType() string          { return "execution.requested.v1" }
func (ActionRequested) EventType() string    { return "execution.action_requested.v1" }
func (ActionAuthorized) EventType() string   { return "execution.action_authorized.v1" }
func (ActionDenied) EventType() string       { return "execution.action_denied.v1" }
func (ActionStarted) EventType() string      { return "execution.action_started.v1" }
func (PromptRecorded) EventType() string     { return "execution.prompt_recorded.v1" }
func (CompletionRecorded) EventType() string { return "execution.completion_recorded.v1" }
func (PromptFailed) EventType() string       { return "execution.prompt_failed.v1" }
func (Completed) EventType() string          { return "execution.completed.v1" }
func (Failed) EventType() string             { return "execution.failed.v1" }
func (Cancelled) EventType() string          { return "execution.cancelled.v1" }
func (PromptResolved) EventType() string     { return "execution.prompt_resolved.v1" }
func (Resolved) EventType() string           { return "execution.resolved.v1" }

func (Requested) executionEvent()          {}
func (ActionRequested) executionEvent()    {}
func (ActionAuthorized) executionEvent()   {}
func (ActionDenied) executionEvent()       {}
func (ActionStarted) executionEvent()      {}
func (PromptRecorded) executionEvent()     {}
func (CompletionRecorded) executionEvent() {}
func (PromptFailed) executionEvent()       {}
func (Completed) executionEvent()          {}
func (Failed) executionEvent()             {}
func (Cancelled) executionEvent()          {}
func (PromptResolved) executionEvent()     {}
func (Resolved) executionEvent()           {}
