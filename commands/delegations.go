package commands

import (
	"context"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Delegation is what a member who will be absent asks for.
type Delegation struct {
	To     domain.MemberID
	Roles  []domain.RoleName // none: all that the caller holds
	Start  time.Time         // zero: now
	Until  time.Time
	Reason string
}

// Delegate lets another member vote on approvals in the caller's place. The
// answer to a repeat is what was recorded.
func (s *Service) Delegate(ctx context.Context, c Call, in Delegation) (workspace.Delegated, Receipt, error) {
	id := domain.DelegationID(s.secret.DeriveID("dg_", c.ID, 0))
	r, err := s.workspaces.Do(ctx, ledger.WorkspaceStream(c.Workspace), c, func(at time.Time) workspace.Command {
		return workspace.Delegate{Delegation: id, To: in.To, Roles: in.Roles, Start: precise(in.Start), Until: precise(in.Until),
			Reason: in.Reason, By: c.Actor, At: at}
	})
	if err != nil {
		return workspace.Delegated{}, r.Receipt, err
	}
	if e, ok := first[workspace.Delegated](r.Events); ok {
		return e, r.Receipt, nil
	}
	d, ok := r.State.Delegations.Get(id) // the stream forgot the call, but not what it made
	if !ok {
		return workspace.Delegated{}, r.Receipt, errNoEvent
	}
	return workspace.Delegated{Delegation: id, From: d.From, To: d.To, Roles: d.Roles, Start: d.Start, Until: d.Until, Reason: d.Reason},
		r.Receipt, nil
}

// precise is a caller's time in the log's precision.
func precise(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// EndDelegation ends a delegation before its time.
func (s *Service) EndDelegation(ctx context.Context, c Call, id domain.DelegationID) (Receipt, error) {
	return s.onWorkspace(ctx, c, func(at time.Time) workspace.Command {
		return workspace.EndDelegation{Delegation: id, By: c.Actor, At: at}
	})
}
