// Package gate is the vocabulary of decisions about actions, shared by the
// policies that make them, the executions that record them and the approvals
// that follow from them.
package gate

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Effect is what a rule does to an action.
type Effect string

// The effects. Deny wins over require_approval, which wins over allow.
const (
	Allow           Effect = "allow"
	RequireApproval Effect = "require_approval"
	Deny            Effect = "deny"
)

// Stricter reports whether e leaves less freedom than o.
func (e Effect) Stricter(o Effect) bool { return e.rank() > o.rank() }

func (e Effect) rank() int {
	switch e {
	case Allow:
		return 0
	case RequireApproval:
		return 1
	}
	return 2
}

// Approval says who must agree, how many, and how long they have.
type Approval struct {
	Roles              []domain.RoleName `json:"roles"`
	Count              int               `json:"count"`
	ExpiresIn          string            `json:"expires_in,omitempty"` // Go duration; "" is DefaultExpiry
	SeparationOfDuties bool              `json:"separation_of_duties,omitempty"`
	Risk               string            `json:"risk,omitempty"` // low, medium, high, critical
	Escalate           *Escalation       `json:"escalate,omitempty"`
}

// Escalation widens who may decide after a time.
type Escalation struct {
	After string            `json:"after"` // Go duration
	Roles []domain.RoleName `json:"roles,omitempty"`
}

// DefaultExpiry is how long an approval waits when its rule does not say.
const DefaultExpiry = 24 * time.Hour

// Expiry is how long an approval under a waits.
func (a Approval) Expiry() time.Duration {
	if d, err := time.ParseDuration(a.ExpiresIn); err == nil && d > 0 {
		return d
	}
	return DefaultExpiry
}

// Decision is what the policies say about one action, and why.
type Decision struct {
	Effect   Effect          `json:"effect"`
	Policy   domain.PolicyID `json:"policy"`  // "" for a built-in gate
	Version  int             `json:"version"` // 0 for a built-in gate
	Digest   domain.Digest   `json:"digest,omitempty"`
	Rule     domain.RuleID   `json:"rule"` // or "default", "builtin"
	Reason   string          `json:"reason"`
	Approval *Approval       `json:"approval,omitempty"` // with require_approval
	Author   domain.Actor    `json:"author,omitzero"`    // who wrote the deciding version
	Of       []PolicyRef     `json:"of,omitempty"`       // every policy version that was asked, so that the decision can be made again
	Errors   []RuleError     `json:"errors,omitempty"`   // conditions that could not be evaluated
	Shadow   []Shadowed      `json:"shadow,omitempty"`   // what shadow policies would have said
}

// PolicyRef names one version of a policy.
type PolicyRef struct {
	Policy  domain.PolicyID `json:"policy"`
	Version int             `json:"version"`
}

// RuleError says that a condition errored; it counted as matched for deny and
// require_approval and as unmatched for allow. Detail holds no content.
type RuleError struct {
	Policy domain.PolicyID `json:"policy"`
	Rule   domain.RuleID   `json:"rule"`
	Detail string          `json:"detail"`
}

// Shadowed is what a policy in shadow mode would have decided.
type Shadowed struct {
	Policy  domain.PolicyID `json:"policy"`
	Version int             `json:"version"`
	Rule    domain.RuleID   `json:"rule"`
	Effect  Effect          `json:"effect"`
}
