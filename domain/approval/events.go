package approval

import (
	"encoding/json"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// Choice is how somebody voted.
type Choice string

// The choices. One denial decides; approvals must reach the count.
const (
	Approve Choice = "approve"
	Deny    Choice = "deny"
)

// Event is something that happened to an approval.
//
//sumtype:decl
type Event interface {
	domain.Event
	approvalEvent()
}

// Requested opens the stream: exactly this action waits for a human.
type Requested struct {
	Approval    domain.ApprovalID  `json:"approval"`
	Execution   domain.ExecutionID `json:"execution"`
	Action      domain.ActionID    `json:"action"`
	Workflow    domain.Workflow    `json:"workflow"`
	Kind        domain.ActionKind  `json:"kind"`
	Params      json.RawMessage    `json:"params"`
	Digest      domain.Digest      `json:"digest"`
	Policy      domain.PolicyID    `json:"policy"`
	Version     int                `json:"version"`
	Rule        domain.RuleID      `json:"rule"`
	Reason      string             `json:"reason,omitempty"`
	Requirement gate.Approval      `json:"requirement"`
	Requester   domain.Actor       `json:"requester"`
	Excluded    []domain.Actor     `json:"excluded,omitempty"` // by separation of duties, beside the requester
	ExpiresAt   time.Time          `json:"expires_at"`
	At          time.Time          `json:"at"`
}

// VoteCast is one person's word. With OnBehalf it counts as that member's, who
// is absent and delegated it to By.
type VoteCast struct {
	By         domain.Actor        `json:"by"`
	OnBehalf   domain.Actor        `json:"on_behalf,omitzero"`
	Delegation domain.DelegationID `json:"delegation,omitempty"` // under which By stands in for OnBehalf
	Roles      []domain.RoleName   `json:"roles"`                // held at the time, by whom the vote counts for
	Choice     Choice              `json:"choice"`
	Reason     string              `json:"reason,omitempty"`
	Digest     domain.Digest       `json:"digest"` // of the action the person saw
	At         time.Time           `json:"at"`
}

// Escalated says that nobody decided in the time the rule gives its first
// voters: from here on holders of Roles may decide too.
type Escalated struct {
	Roles []domain.RoleName `json:"roles"`
	At    time.Time         `json:"at"`
}

// Approved, Denied, Expired and Withdrawn are the outcomes; exactly one comes.
type Approved struct {
	At time.Time `json:"at"`
}

// Denied is the outcome of one denial.
type Denied struct {
	At time.Time `json:"at"`
}

// Expired is the outcome when nobody decided in time. It counts as a denial.
type Expired struct {
	At time.Time `json:"at"`
}

// Withdrawn is the outcome when the requester or the execution gave up.
type Withdrawn struct {
	By     domain.Actor `json:"by"`
	Reason string       `json:"reason,omitempty"`
	At     time.Time    `json:"at"`
}

// EventType answers the stored names. They are durable.
func (Requested) EventType() string { return "approval.requested.v1" }
func (VoteCast) EventType() string  { return "approval.vote_cast.v1" }
func (Escalated) EventType() string { return "approval.escalated.v1" }
func (Approved) EventType() string  { return "approval.approved.v1" }
func (Denied) EventType() string    { return "approval.denied.v1" }
func (Expired) EventType() string   { return "approval.expired.v1" }
func (Withdrawn) EventType() string { return "approval.withdrawn.v1" }

func (Requested) approvalEvent() {}
func (VoteCast) approvalEvent()  {}
func (Escalated) approvalEvent() {}
func (Approved) approvalEvent()  {}
func (Denied) approvalEvent()    {}
func (Expired) approvalEvent()   {}
func (Withdrawn) approvalEvent() {}
