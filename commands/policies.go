package commands

import (
	"context"
	"encoding/json"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/internal/ledger"
)

// WritePolicy stores a new version of a policy; writing what stands already
// changes nothing.
func (s *Service) WritePolicy(ctx context.Context, c Call, id domain.PolicyID, p policy.Policy, ifVersion *int) (policy.State, Receipt, error) {
	if _, _, err := s.rules(c.Workspace); err != nil {
		return policy.State{}, Receipt{}, err
	}
	r, err := s.policies.Do(ctx, ledger.PolicyStream(c.Workspace), c, func(at time.Time) policy.Command {
		return policy.Write{ID: id, Policy: p, IfVersion: ifVersion, By: c.Actor, At: at}
	})
	return r.State, r.Receipt, err
}

// Policies answers a workspace's policies as the log has them now.
func (s *Service) Policies(ctx context.Context, ws domain.WorkspaceID) (policy.State, error) {
	state, _, err := s.policies.Load(ctx, ledger.PolicyStream(ws))
	return state, err
}

// PolicyVersions answers all versions of a policy, oldest first, from the log:
// the state keeps only the newest ones whole.
func (s *Service) PolicyVersions(ctx context.Context, ws domain.WorkspaceID, id domain.PolicyID) ([]policy.Written, error) {
	var versions []policy.Written
	for r, err := range s.log.ReadStream(ctx, ledger.PolicyStream(ws), ledger.NoTail()) {
		if err != nil {
			return nil, translate(err)
		}
		_, event, err := s.policies.open(&r)
		if err != nil {
			return nil, err
		}
		if w, ok := event.(policy.Written); ok && w.ID == id {
			versions = append(versions, w)
		}
	}
	if len(versions) == 0 {
		return nil, notFound()
	}
	return versions, nil
}

// EvaluatePolicy says what the policies (or one of them) would decide about an
// action of the caller's now. Nothing is recorded.
func (s *Service) EvaluatePolicy(ws domain.WorkspaceID, actor domain.Actor, id domain.PolicyID, workflow domain.Workflow, kind domain.ActionKind, params, agentContext json.RawMessage) (gate.Decision, error) {
	state, evaluator, err := s.rules(ws)
	if err != nil {
		return gate.Decision{}, err
	}
	now := s.now().UTC()
	in := policy.Input{Workflow: workflow, Kind: kind, Params: params, Actor: actor, Roles: state.RolesOf(actor, now), Context: agentContext, Now: now}
	if id == "" {
		return evaluator.Evaluate(in), nil
	}
	return evaluator.EvaluatePolicy(id, in)
}
