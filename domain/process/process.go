// Package process is what the ledger owes itself: the steps that follow from
// events across aggregates, and the timers. It is a pure fold. [React] says what
// an event calls for; [State] remembers what was called for and is not known to
// be done, so that whoever looks at it after a crash, on any replica, finds
// every step that still has to be taken.
//
//	execution.requested  ▸ seek approval  ▸ grant.used, or approval.requested
//	grant.used           ▸ bring grant    ▸ execution.action_authorized
//	approval.requested   ▸ escalate, expire, when it is time
//	approval.<outcome>   ▸ bring outcome  ▸ execution.action_authorized, or …denied
//	execution.<end>      ▸ withdraw       ▸ approval.withdrawn
//	completion           ▸ settle         ▸ budget.settled
//	failure of a prompt  ▸ release        ▸ budget.released
//	budget.reserved      ▸ expire, when it is time
//	approval.*, alerts   ▸ notify         ▸ webhook.delivered, or …abandoned
//	erasure ordered      ▸ erase          ▸ workspace.subject_erased
//
// A step names ids only. Whoever takes it reads what it rests on from the
// streams, which decide whether it happens; taking it twice does no harm.
package process

import (
	"strings"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/webhook"
)

// Step is a kind of step.
type Step string

// The steps. They are durable in read models only.
const (
	SeekApproval      Step = "seek"
	BringGrant        Step = "bring-grant"
	BringOutcome      Step = "bring-outcome"
	Withdraw          Step = "withdraw"
	Escalate          Step = "escalate"
	ExpireApproval    Step = "expire-approval"
	Settle            Step = "settle"
	Release           Step = "release"
	ExpireReservation Step = "expire-reservation"
	Notify            Step = "notify"
	Erase             Step = "erase"
)

// Command is a step to be taken. Which ids are set follows from the step.
type Command struct {
	Step        Step                 `json:"step"`
	Execution   domain.ExecutionID   `json:"execution,omitempty"`
	Action      domain.ActionID      `json:"action,omitempty"`
	Approval    domain.ApprovalID    `json:"approval,omitempty"`
	Prompt      domain.PromptID      `json:"prompt,omitempty"`
	Reservation domain.ReservationID `json:"reservation,omitempty"`
	Webhook     domain.WebhookID     `json:"webhook,omitempty"`
	Notice      *webhook.Notice      `json:"notice,omitempty"`
	Erasure     domain.ErasureID     `json:"erasure,omitempty"`
}

// Owed is a command and when it is due.
type Owed struct {
	Command Command   `json:"command"`
	Due     time.Time `json:"due"`
}

// Key names one thing that is remembered of a workspace.
type Key string

// Key is the same for the same step on the same thing.
func (c Command) Key() Key {
	id := ""
	switch c.Step {
	case SeekApproval, BringGrant, BringOutcome, Withdraw, Escalate, ExpireApproval:
		id = string(c.Approval)
	case Settle, Release, ExpireReservation:
		id = string(c.Reservation)
	case Notify:
		id = string(c.Notice.Delivery)
	case Erase:
		id = string(c.Erasure)
	}
	return owedKey(c.Step, id)
}

func owedKey(step Step, id string) Key       { return Key(string(step) + "/" + id) }
func promptKey(id domain.PromptID) Key       { return Key("prompt/" + string(id)) }
func waitKey(id domain.ApprovalID) Key       { return Key("wait/" + string(id)) }
func executionKey(id domain.ExecutionID) Key { return Key("execution/" + string(id)) }
func hookKey(id domain.WebhookID) Key        { return Key(hookPrefix + string(id)) }
func openKey(id domain.ReservationID) Key    { return owedKey(ExpireReservation, string(id)) }

const hookPrefix = "hook/"

// Entry is what is remembered under a key: one of these.
type Entry struct {
	Owed   *Owed               `json:"owed,omitempty"`
	Prompt *Prompt             `json:"prompt,omitempty"`
	Wait   *Wait               `json:"wait,omitempty"`
	Waits  []domain.ApprovalID `json:"waits,omitempty"` // of an execution
	Hook   *Hook               `json:"hook,omitempty"`
}

// Prompt is a prompt that has no outcome.
type Prompt struct {
	Execution   domain.ExecutionID   `json:"execution"`
	Reservation domain.ReservationID `json:"reservation"`
}

// Wait is an approval whose action has not heard of an outcome. Pending says
// that people can see it and have not decided.
type Wait struct {
	Execution domain.ExecutionID `json:"execution"`
	Action    domain.ActionID    `json:"action"`
	Pending   bool               `json:"pending,omitempty"`
}

// Hook is a receiver of notifications. No types are all.
type Hook struct {
	Types    []webhook.Type `json:"types,omitempty"`
	Disabled bool           `json:"disabled,omitempty"`
}

// State is what is remembered of one workspace. It is changed only by Evolve
// and Restore. Hooks holds the entries of receivers once more.
type State struct {
	Entries domain.Map[Key, *Entry] // never changed once they are there
	Hooks   domain.Map[domain.WebhookID, Hook]
}

// Waits reports whether an execution has an action that waits for an approval.
func (s State) Waits(ex domain.ExecutionID) bool { return s.Entries.Has(executionKey(ex)) }

// Restore puts back an entry that Evolve reported and somebody kept.
func (s State) Restore(key Key, e Entry) State {
	if e.Hook != nil {
		s.Hooks = s.Hooks.Set(domain.WebhookID(strings.TrimPrefix(string(key), hookPrefix)), *e.Hook)
	}
	s.Entries = s.Entries.Set(key, &e)
	return s
}

// Happened is an event with what its record says of it.
type Happened struct {
	Workspace domain.WorkspaceID
	Stream    string // its id without the aggregate, such as ex_… of execution-ex_…
	Record    string // the record's id
	Time      time.Time
	Event     domain.Event
}
