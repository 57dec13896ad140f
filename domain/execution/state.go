// Package execution is one run of a workflow by an agent, as one aggregate,
// the stream "<workspace>/execution-<id>": what it wants to do, what the
// policies said of it, when it started, which prompts it sent, how it ended.
//
// An execution begins with one action. Once that has started, it may ask for
// further ones, each gated like the first. An action starts at most once, by
// the actor who asked for it, with a permit that names it exactly.
package execution

import (
	"encoding/json"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// Status is where an execution stands. The zero Status is that of one that was
// never requested.
type Status string

// The statuses. Denied, completed, failed, cancelled and resolved are final.
const (
	StatusAuthorized Status = "authorized"
	StatusAwaiting   Status = "awaiting_approval"
	StatusDenied     Status = "denied"
	StatusStarted    Status = "started"
	StatusCompleted  Status = "completed"
	StatusFailed     Status = "failed"
	StatusCancelled  Status = "cancelled"
	StatusResolved   Status = "resolved" // a human ended it; see Outcome
)

// Ended reports whether nothing can follow but what is still owed: the
// outcomes of prompts that were sent.
func (s Status) Ended() bool {
	return s == StatusDenied || s == StatusCompleted || s == StatusFailed || s == StatusCancelled || s == StatusResolved
}

// Act is an action and where it stands: authorized, awaiting_approval, denied,
// started or cancelled. Params, Context, Roles and Involved are kept until the
// action started or can't start any more, except for the first action, which
// keeps them.
type Act struct {
	ID       domain.ActionID   `json:"id"`
	Kind     domain.ActionKind `json:"kind"`
	Params   json.RawMessage   `json:"params,omitempty"`
	Digest   domain.Digest     `json:"digest"`
	Context  json.RawMessage   `json:"context,omitempty"` // the agent's claim
	Status   Status            `json:"status"`
	Decision gate.Decision     `json:"decision"` // when it was requested, then when it started
	Permit   *Permit           `json:"permit,omitempty"`
	Approval domain.ApprovalID `json:"approval,omitempty"`
	Grant    domain.GrantID    `json:"grant,omitempty"` // used in the approval's place
	Roles    []domain.RoleName `json:"roles,omitempty"` // held by the requester when asked
	Involved []domain.Actor    `json:"involved,omitempty"`
	At       time.Time         `json:"at"` // when it was requested
}

// PromptStatus says whether a prompt has its outcome.
type PromptStatus string

// The statuses of a prompt.
const (
	PromptOpen      PromptStatus = "open"
	PromptCompleted PromptStatus = "completed"
	PromptFailure   PromptStatus = "failed"
	PromptSettled   PromptStatus = "resolved" // by a human
)

// Prompt is a prompt that was recorded. Recorded is kept while it is open.
type Prompt struct {
	Status      PromptStatus         `json:"status"`
	Reservation domain.ReservationID `json:"reservation"`
	Recorded    *PromptRecorded      `json:"recorded,omitempty"`
}

// State is one execution. Its fields are exported because it is kept as a JSON
// snapshot; it is changed only by Evolve, and what its pointers show is never
// changed. Ask Action for an action: the entries of Actions do not say that
// the end of the execution cancelled them.
type State struct {
	Execution domain.ExecutionID                  `json:"execution,omitempty"`
	Workflow  domain.Workflow                     `json:"workflow,omitempty"`
	Subject   domain.SubjectTag                   `json:"subject,omitempty"`
	Status    Status                              `json:"status,omitempty"`
	By        domain.Actor                        `json:"by,omitzero"` // the requester
	Roles     []domain.RoleName                   `json:"roles,omitempty"`
	At        time.Time                           `json:"at,omitzero"` // when it was requested
	First     domain.ActionID                     `json:"first,omitempty"`
	Actions   domain.Map[domain.ActionID, *Act]   `json:"actions"`
	Prompts   domain.Map[domain.PromptID, Prompt] `json:"prompts"`
	Open      int                                 `json:"open,omitempty"` // prompts without an outcome
	EndedAt   time.Time                           `json:"ended_at,omitzero"`
	Outcome   Outcome                             `json:"outcome,omitempty"` // what a human found out, if resolved
}

var _ domain.State[State, Command, Event] = State{}

// Exists reports whether the execution was requested.
func (s State) Exists() bool { return s.Status != "" }

// Unresolved reports whether something may have happened in the world of which
// no outcome is recorded: the execution started and did not end, or a prompt
// was sent and not closed.
func (s State) Unresolved() bool { return s.Status == StatusStarted || s.Open > 0 }

// Action answers an action; "" is the first one. An action that had not
// started when the execution ended is cancelled.
func (s State) Action(id domain.ActionID) (Act, bool) {
	if id == "" {
		id = s.First
	}
	act, ok := s.Actions.Get(id)
	if !ok {
		return Act{}, false
	}
	a := *act
	if s.Status.Ended() && (a.Status == StatusAuthorized || a.Status == StatusAwaiting) {
		a.Status = StatusCancelled
	}
	return a, true
}

// FirstAction answers the action the execution was requested with.
func (s State) FirstAction() (Act, bool) { return s.Action(s.First) }

// Prompt answers a prompt.
func (s State) Prompt(id domain.PromptID) (Prompt, bool) { return s.Prompts.Get(id) }
