package commands

import (
	"context"
	"encoding/json"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/policy"
)

// permitLife is how long an authorized action may wait for its start.
const permitLife = 15 * time.Minute

// permitClaims is the payload of a permit, for executors that check it
// offline: this actor may do this action once, until exp.
type permitClaims struct {
	V         int                `json:"v"`
	Workspace domain.WorkspaceID `json:"ws"`
	Execution domain.ExecutionID `json:"execution"`
	Action    domain.ActionID    `json:"action"`
	Kind      domain.ActionKind  `json:"kind"`
	Actor     domain.Actor       `json:"actor"`
	Digest    domain.Digest      `json:"digest"`
	ID        domain.PermitID    `json:"jti"`
	IssuedAt  int64              `json:"iat"` // seconds
	ExpiresAt int64              `json:"exp"` // seconds
}

// signPermit makes the signed form of an action's permit. The same permit
// under the same signing key is the same bytes.
func (s *Service) signPermit(ws domain.WorkspaceID, ex domain.ExecutionID, actor domain.Actor, act execution.Act) string {
	p := *act.Permit
	payload, err := json.Marshal(permitClaims{V: 1, Workspace: ws, Execution: ex, Action: act.ID, Kind: act.Kind, Actor: actor,
		Digest: act.Digest, ID: p.ID, IssuedAt: p.ExpiresAt.Add(-permitLife).Unix(), ExpiresAt: p.ExpiresAt.Unix()})
	if err != nil { // strings and numbers can always be written
		panic(err)
	}
	return string(s.permits.SignPermit(payload))
}

// Permit answers the signed permit of an action that is authorized and not
// started, for its requester; "" for anybody else and anything else.
func (s *Service) Permit(ws domain.WorkspaceID, state execution.State, id domain.ActionID, actor domain.Actor) string {
	act, ok := state.Action(id)
	if !ok || act.Status != execution.StatusAuthorized || act.Permit == nil || actor != state.By || !s.now().Before(act.Permit.ExpiresAt) {
		return ""
	}
	return s.signPermit(ws, state.Execution, actor, act)
}

// Start consumes a permit: the action may now take effect, exactly as in says,
// once. The policies are asked again. An empty id is the first action.
func (s *Service) Start(ctx context.Context, c Call, ex domain.ExecutionID, id domain.ActionID, permit string, in Action) (execution.State, Receipt, error) {
	state, err := s.Execution(ctx, c.Workspace, ex)
	if err != nil {
		return state, Receipt{}, err
	}
	claims, err := s.checkPermit(c, ex, permit)
	if err != nil {
		return state, Receipt{}, err
	}
	act, ok := state.Action(id)
	if !ok {
		return state, Receipt{}, notFound()
	}
	if claims.Action != act.ID {
		return state, Receipt{}, invalidPermit("It is for another action.")
	}
	a, err := s.asking(c, state.Workflow, act.Context)
	if err != nil {
		return state, Receipt{}, err
	}
	// The policy named here is the one that decided when the action was
	// requested: it stays until the action starts, and then the permit is used.
	digest, err := ledgercrypto.ActionDigest(c.Workspace, ex, in.Kind, in.Params, act.Decision.Policy, act.Decision.Version)
	if err != nil {
		return state, Receipt{}, invalidAction()
	}
	r, err := s.onExecution(ctx, c, ex, func(at time.Time) execution.Command {
		// Asked about the action as it was recorded: whoever sends another one
		// is refused for that.
		decision := a.rules.Evaluate(policy.Input{Workflow: a.flow, Kind: act.Kind, Params: act.Params, Actor: c.Actor,
			Roles: a.roles, Context: act.Context, Now: at})
		return execution.Start{Action: act.ID, Permit: claims.ID, Digest: digest, Decision: decision, By: c.Actor, Roles: a.roles, At: at}
	})
	return r.State, r.Receipt, err
}

// checkPermit checks a permit's signature and that it was issued to c's actor
// for this execution. Whether it is used or expired the execution decides.
func (s *Service) checkPermit(c Call, ex domain.ExecutionID, permit string) (permitClaims, error) {
	var claims permitClaims
	payload, err := s.permits.VerifyPermit([]byte(permit))
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	switch {
	case err != nil || claims.V != 1:
		return claims, invalidPermit("It is not a permit that this ledger signed.")
	case claims.Workspace != c.Workspace || claims.Execution != ex:
		return claims, invalidPermit("It is for another execution.")
	case claims.Actor != c.Actor:
		return claims, domain.Refuse(domain.Forbidden, "not_requester", "Only the actor who asked for the action may start it.")
	}
	return claims, nil
}

func invalidPermit(why string) *domain.Error {
	return domain.Refuse(domain.Conflict, "permit_invalid", "The permit can't be used here. %s", why)
}
