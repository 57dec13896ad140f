package grant

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Command asks something of the standing grants. At is stream time.
//
//sumtype:decl
type Command interface{ grantCommand() }

// Give approves in advance. That By may, and that the condition compiles, is
// checked above.
type Give struct {
	Grant domain.GrantID
	Terms Terms
	By    domain.Actor
	Roles []domain.RoleName // held by By
	At    time.Time
}

// Use covers an action by the first of Candidates that still can, or by none:
// then nothing happens. Candidates are the grants whose condition holds and
// whose giver may still decide, oldest first; that is worked out above.
type Use struct {
	Candidates []domain.GrantID
	Execution  domain.ExecutionID
	Action     domain.ActionID
	Workflow   domain.Workflow
	Kind       domain.ActionKind
	Digest     domain.Digest
	Approval   domain.ApprovalID
	Requester  domain.Actor
	At         time.Time
}

// Revoke ends a grant.
type Revoke struct {
	Grant  domain.GrantID
	Reason string
	By     domain.Actor
	At     time.Time
}

func (Give) grantCommand()   {}
func (Use) grantCommand()    {}
func (Revoke) grantCommand() {}
