package approval

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Command asks something of an approval. At is stream time.
//
//sumtype:decl
type Command interface{ approvalCommand() }

// Open asks for a human's decision.
type Open struct {
	Request Requested // At and ExpiresAt are ignored; the requirement's expiry counts
	At      time.Time
}

// Vote is one person's word on the action with this digest. Roles are those
// held now: By's own, or, with OnBehalf, the absent member's that were
// delegated to By and that the absent member still holds.
type Vote struct {
	By         domain.Actor
	OnBehalf   domain.Actor // zero: By votes for itself
	Delegation domain.DelegationID
	Roles      []domain.RoleName
	Choice     Choice
	Reason     string
	Digest     domain.Digest
	At         time.Time
}

// Withdraw gives up, for the requester or whoever controls executions.
type Withdraw struct {
	By      domain.Actor
	Control bool
	Reason  string
	At      time.Time
}

// Expire writes the expiry if it is due.
type Expire struct{ At time.Time }

// Escalate writes the escalation if it is due.
type Escalate struct{ At time.Time }

func (Open) approvalCommand()     {}
func (Vote) approvalCommand()     {}
func (Withdraw) approvalCommand() {}
func (Expire) approvalCommand()   {}
func (Escalate) approvalCommand() {}
