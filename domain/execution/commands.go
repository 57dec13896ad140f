package execution

import (
	"encoding/json"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// Command asks something of an execution. By is who asks; At is stream time.
//
//sumtype:decl
type Command interface{ executionCommand() }

// Request opens an execution. Decision is what the policies say now; Permit is
// issued if it allows, Approval is the id of the approval to come if it needs
// one.
type Request struct {
	Execution domain.ExecutionID
	Workflow  domain.Workflow
	Subject   domain.SubjectTag
	Context   json.RawMessage
	Action    Action
	Decision  gate.Decision
	Permit    Permit
	Approval  domain.ApprovalID
	By        domain.Actor
	Roles     []domain.RoleName
	Involved  []domain.Actor
	At        time.Time
}

// RequestAction asks for a further action of a running execution.
type RequestAction struct {
	Action   Action
	Context  json.RawMessage
	Decision gate.Decision
	Permit   Permit
	Approval domain.ApprovalID
	By       domain.Actor
	Roles    []domain.RoleName
	Involved []domain.Actor
	At       time.Time
}

// Authorize and DenyAction bring the outcome of an approval. With Grant, a
// standing grant was used and nobody was asked.
type Authorize struct {
	Action   domain.ActionID
	Approval domain.ApprovalID
	Grant    domain.GrantID
	Permit   Permit
	At       time.Time
}

// DenyAction brings a refusal: denied, expired or withdrawn.
type DenyAction struct {
	Action   domain.ActionID
	Approval domain.ApprovalID
	Reason   string
	At       time.Time
}

// Start consumes a permit. Permit is the single-use id out of a permit whose
// signature was checked; Digest is that of the action as the caller is about
// to run it; Decision is what the policies say now.
type Start struct {
	Action   domain.ActionID // "" is the first action
	Permit   domain.PermitID
	Digest   domain.Digest
	Decision gate.Decision
	By       domain.Actor
	Roles    []domain.RoleName
	At       time.Time
}

// RecordPrompt says that a prompt is about to be sent.
type RecordPrompt struct {
	Prompt PromptRecorded // At is ignored
	By     domain.Actor
	At     time.Time
}

// RecordCompletion closes a prompt with its answer.
type RecordCompletion struct {
	Completion CompletionRecorded // At is ignored
	By         domain.Actor
	At         time.Time
}

// FailPrompt closes a prompt that got no answer.
type FailPrompt struct {
	Prompt domain.PromptID
	Reason string
	By     domain.Actor
	At     time.Time
}

// Complete ends a started execution well.
type Complete struct {
	Result *Content
	Reason string
	By     domain.Actor
	At     time.Time
}

// Fail ends a started execution badly.
type Fail struct {
	Result *Content
	Reason string
	By     domain.Actor
	At     time.Time
}

// Cancel ends an execution that is not over. Control says that By may close
// what somebody else requested.
type Cancel struct {
	Result  *Content
	Reason  string
	Control bool
	By      domain.Actor
	At      time.Time
}

// ResolvePrompt closes an open prompt for somebody who controls executions.
// Who may is checked above.
type ResolvePrompt struct {
	Prompt     domain.PromptID
	Usage      *Usage
	CostMicros *domain.Micros
	Reason     string
	By         domain.Actor
	At         time.Time
}

// Resolve ends a started execution, and closes its open prompts as given back,
// for somebody who controls executions. Who may is checked above.
type Resolve struct {
	Outcome Outcome
	Reason  string
	By      domain.Actor
	At      time.Time
}

func (ResolvePrompt) executionCommand()    {}
func (Resolve) executionCommand()          {}
func (Request) executionCommand()          {}
func (RequestAction) executionCommand()    {}
func (Authorize) executionCommand()        {}
func (DenyAction) executionCommand()       {}
func (Start) executionCommand()            {}
func (RecordPrompt) executionCommand()     {}
func (RecordCompletion) executionCommand() {}
func (FailPrompt) executionCommand()       {}
func (Complete) executionCommand()         {}
func (Fail) executionCommand()             {}
func (Cancel) executionCommand()           {}
