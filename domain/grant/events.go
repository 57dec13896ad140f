package grant

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Terms are what a grant covers: actions of Kinds, in Workflows, asked for by
// Agents, for which the condition holds; MaxUses of them, until Until.
type Terms struct {
	Kinds     []domain.ActionKind `json:"kinds"`
	Workflows []domain.Workflow   `json:"workflows"`        // "*" is all
	Agents    []domain.AgentID    `json:"agents,omitempty"` // none: all
	When      string              `json:"when,omitempty"`   // CEL, as in policies; "" always holds
	MaxUses   int                 `json:"max_uses"`
	Until     time.Time           `json:"until"`
	Reason    string              `json:"reason,omitempty"`
}

// Event is something that happened to the standing grants.
//
//sumtype:decl
type Event interface {
	domain.Event
	grantEvent()
}

// Given approves in advance. Roles are those that By held.
type Given struct {
	Grant domain.GrantID    `json:"grant"`
	Terms Terms             `json:"terms"`
	By    domain.Actor      `json:"by"`
	Roles []domain.RoleName `json:"roles"`
	At    time.Time         `json:"at"`
}

// Used covers one action; of one execution a grant covers one at most.
type Used struct {
	Grant     domain.GrantID     `json:"grant"`
	Execution domain.ExecutionID `json:"execution"`
	Action    domain.ActionID    `json:"action"`
	Kind      domain.ActionKind  `json:"kind"`
	Digest    domain.Digest      `json:"digest"`
	Approval  domain.ApprovalID  `json:"approval"` // that is not needed now
	Requester domain.Actor       `json:"requester"`
	Use       int                `json:"use"` // the grant's first is 1
	At        time.Time          `json:"at"`
}

// Revoked ends a grant; what it covered before stays covered.
type Revoked struct {
	Grant  domain.GrantID `json:"grant"`
	Reason string         `json:"reason,omitempty"`
	By     domain.Actor   `json:"by"`
	At     time.Time      `json:"at"`
}

// EventType answers the stored names. They are durable.
func (Given) EventType() string   { return "grant.given.v1" }
func (Used) EventType() string    { return "grant.used.v1" }
func (Revoked) EventType() string { return "grant.revoked.v1" }

func (Given) grantEvent()   {}
func (Used) grantEvent()    {}
func (Revoked) grantEvent() {}
