package policy

import (
	"encoding/json"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// Mode says whether a policy binds or only records what it would have decided.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Shadow  Mode = "shadow"
)

// Policy is what somebody wrote: rules for one workflow, or for all ("*").
type Policy struct {
	Workflow domain.Workflow `json:"workflow"`
	Mode     Mode            `json:"mode"`
	Rules    []Rule          `json:"rules"`
	Default  gate.Effect     `json:"default"`
	Sandbox  json.RawMessage `json:"sandbox,omitempty"`
}

// Rule applies to the actions it names when its condition holds. No condition
// always holds.
type Rule struct {
	ID       domain.RuleID       `json:"id"`
	Actions  []domain.ActionKind `json:"actions"` // "*" is all kinds, and does not name one
	When     string              `json:"when,omitempty"`
	Effect   gate.Effect         `json:"effect"`
	Approval *gate.Approval      `json:"approval,omitempty"`
	Reason   string              `json:"reason,omitempty"`
}

// Input is everything a decision looks at. It is recorded with the decision.
type Input struct {
	Workflow domain.Workflow   `json:"workflow"`
	Kind     domain.ActionKind `json:"kind"`
	Params   json.RawMessage   `json:"params"`
	Actor    domain.Actor      `json:"actor"`
	Roles    []domain.RoleName `json:"roles"`
	Context  json.RawMessage   `json:"context,omitempty"` // the agent's claim
	Now      time.Time         `json:"now"`
}

// Event is something that happened to the policies.
//
//sumtype:decl
type Event interface {
	domain.Event
	policyEvent()
}

// Written is a new version of a policy. In a State an old one may be a summary,
// whose Policy is empty: see [Written.Whole].
type Written struct {
	ID      domain.PolicyID `json:"id"`
	Version int             `json:"version"` // from 1
	Digest  domain.Digest   `json:"digest"`  // of the policy's canonical JSON
	Policy  Policy          `json:"policy"`
	By      domain.Actor    `json:"by"`
	At      time.Time       `json:"at"`
}

// EventType is the stored name.
func (Written) EventType() string { return "policy.written.v1" }

func (Written) policyEvent() {}

// Command asks something of the policies.
//
//sumtype:decl
type Command interface{ policyCommand() }

// Write stores a new version. IfVersion, where given, must be the version that
// stands (0: none).
type Write struct {
	ID        domain.PolicyID
	Policy    Policy
	IfVersion *int
	By        domain.Actor
	At        time.Time
}

func (Write) policyCommand() {}
