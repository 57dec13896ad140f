package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
)

// lowRisk is the only tier of risk that standing grants reach, and useStep the
// step that uses one.
const (
	lowRisk              = "low"
	useStep process.Step = "use-grant"
)

// GiveGrant approves actions in advance. That the caller holds approval.decide
// was checked above; that it still does is looked at with each use.
func (s *Service) GiveGrant(ctx context.Context, c Call, terms grant.Terms) (grant.Grant, Receipt, error) {
	state, _, err := s.rules(c.Workspace)
	if err != nil {
		return grant.Grant{}, Receipt{}, err
	}
	if _, err := s.conditions.Condition(terms.When); err != nil {
		return grant.Grant{}, Receipt{}, at("/when", err)
	}
	id := domain.GrantID(s.secret.DeriveID("gr_", c.ID, 0))
	r, err := s.grants.Do(ctx, ledger.GrantStream(c.Workspace), c, func(at time.Time) grant.Command {
		return grant.Give{Grant: id, Terms: terms, By: c.Actor, Roles: state.RolesOf(c.Actor, at), At: at}
	})
	if err != nil {
		return grant.Grant{}, r.Receipt, err
	}
	g, ok := r.State.Grant(id)
	if e, repeated := first[grant.Given](r.Events); !ok && repeated { // over, and forgotten since
		g, ok = grant.State{}.Evolve(e).Grant(id)
	}
	if !ok {
		err = errNoEvent
	}
	return g, r.Receipt, err
}

// at says where in the body a refusal points.
func at(pointer string, err error) error {
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		return refusal.With("pointer", pointer)
	}
	return err
}

// RevokeGrant ends a grant. What it covered stays covered.
func (s *Service) RevokeGrant(ctx context.Context, c Call, id domain.GrantID, reason string) (Receipt, error) {
	if _, _, err := s.rules(c.Workspace); err != nil {
		return Receipt{}, err
	}
	r, err := s.grants.Do(ctx, ledger.GrantStream(c.Workspace), c, func(at time.Time) grant.Command {
		return grant.Revoke{Grant: id, Reason: reason, By: c.Actor, At: at}
	})
	return r.Receipt, err
}

// Grants answers a workspace's standing grants as the log has them now.
func (s *Service) Grants(ctx context.Context, ws domain.WorkspaceID) (grant.State, error) {
	state, _, err := s.grants.Load(ctx, ledger.GrantStream(ws))
	return state, err
}

// useGrant covers an action by a standing grant in the place of the approval
// that would be opened, if there is one that may: of low risk, to be decided on
// by one person, who has decided in advance and still may. in is what the
// policies looked at. The same action is used for once, whoever asks and
// however often; c's actor is recorded.
func (s *Service) useGrant(ctx context.Context, c Call, request approval.Requested, in policy.Input) (grant.Used, bool, Receipt, error) {
	if request.Requirement.Risk != lowRisk || request.Requirement.Count != 1 {
		return grant.Used{}, false, Receipt{}, nil
	}
	stream := ledger.GrantStream(c.Workspace)
	book, _, err := s.grants.Load(ctx, stream)
	if err != nil || book.Given == 0 {
		return grant.Used{}, false, Receipt{}, err
	}
	people, _, known, err := s.access.Rules(c.Workspace)
	if err != nil || !known {
		return grant.Used{}, false, Receipt{}, fmt.Errorf("%w: whether the givers of grants still may decide is not known: %w",
			ErrUnavailable, errors.Join(err, errNoRights))
	}
	some := s.candidates(book, people, request, in)
	r, err := s.grants.Do(ctx, stream, s.step(c, useStep, string(request.Action)), func(at time.Time) grant.Command {
		use := grant.Use{Execution: request.Execution, Action: request.Action, Workflow: request.Workflow, Kind: request.Kind,
			Digest: request.Digest, Approval: request.Approval, Requester: request.Requester, At: at}
		for _, g := range some {
			if mayDecide(people, g, request, at) {
				use.Candidates = append(use.Candidates, g.ID)
			}
		}
		return use
	})
	if err != nil {
		return grant.Used{}, false, r.Receipt, err
	}
	used, ok := usedFor(r, request)
	return used, ok, r.Receipt, nil
}

var errNoRights = errors.New("the model of rights has no such workspace")

// usedFor answers the use that covers the action: made or repeated by this
// command, or made so long ago that only the state knows of it.
func usedFor(r Result[grant.State, grant.Event], request approval.Requested) (grant.Used, bool) {
	if used, ok := first[grant.Used](r.Events); ok {
		return used, true
	}
	id, cover, ok := r.State.Covered(request.Execution, request.Action)
	if !ok {
		return grant.Used{}, false
	}
	return grant.Used{Grant: id, Execution: request.Execution, Action: request.Action, Kind: request.Kind, Digest: request.Digest,
		Approval: request.Approval, Requester: request.Requester, Use: cover.Use, At: cover.At}, true
}

// candidates picks the grants that may cover an action, oldest first. Whether
// they still can is for the book to say. A suspended workspace has none.
func (s *Service) candidates(book grant.State, people workspace.State, request approval.Requested, in policy.Input) []grant.Grant {
	if people.Suspended {
		return nil
	}
	now, trial := s.now(), policy.NewTrial(in)
	some := book.Candidates(request.Kind, request.Workflow, request.Requester, now)
	return slices.DeleteFunc(some, func(g grant.Grant) bool {
		if g.Covers.Has(request.Execution) || !mayDecide(people, g, request, now) {
			return true
		}
		condition, err := s.conditions.Condition(g.Terms.When)
		if err != nil {
			return true // it was a condition to an older version of the ledger
		}
		held, _ := trial.Holds(condition) // one that can't be evaluated does not hold
		return !held
	})
}

// mayDecide reports whether the giver of a grant might decide on the approval
// itself now, by virtue of a role that it held when it gave the grant already.
func mayDecide(people workspace.State, g grant.Grant, request approval.Requested, at time.Time) bool {
	if g.By == request.Requester || slices.Contains(request.Excluded, g.By) || !people.Allows(g.By, domain.ApprovalDecide, at) {
		return false
	}
	need := request.Requirement.Roles
	if len(need) == 0 {
		return true
	}
	return slices.ContainsFunc(people.RolesOf(g.By, at), func(role domain.RoleName) bool {
		return slices.Contains(need, role) && slices.Contains(g.Roles, role)
	})
}
