package http

import (
	"context"
	"slices"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
)

func apiAgent(id domain.AgentID, a workspace.Agent) api.Agent {
	status := api.AgentStatusActive
	if a.Removed {
		status = api.AgentStatusRemoved
	}
	return api.Agent{ID: string(id), Name: a.Name, Roles: texts[api.RoleName](a.Roles), Workflows: texts[api.Workflow](a.Workflows),
		Status: status, CreatedAt: a.At.UTC(), CreatedBy: a.By.String()}
}

// ListAgents answers the machine identities that are or were in the workspace.
func (h *handlers) ListAgents(ctx context.Context, r api.ListAgentsRequestObject) (api.ListAgentsResponseObject, error) {
	s, err := h.service.Workspace(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	ids := s.Agents.Keys()
	slices.Sort(ids)
	ids, next := page(ids, func(id domain.AgentID) string { return string(id) }, given(r.Params.Cursor), pageSize(given(r.Params.Limit)))
	out := api.ListAgents200JSONResponse{Items: []api.Agent{}, Next: next}
	for _, id := range ids {
		a, _ := s.Agents.Get(id)
		out.Items = append(out.Items, apiAgent(id, a))
	}
	return out, nil
}

func (h *handlers) agent(ctx context.Context, ws domain.WorkspaceID, id domain.AgentID) (api.Agent, error) {
	s, err := h.service.Workspace(ctx, ws)
	if err != nil {
		return api.Agent{}, err
	}
	a, ok := s.Agents.Get(id)
	if !ok {
		return api.Agent{}, errNotFound
	}
	return apiAgent(id, a), nil
}

// CreateAgent makes a machine identity. Without roles it is given the role
// agent, without workflows it may act in all.
func (h *handlers) CreateAgent(ctx context.Context, r api.CreateAgentRequestObject) (api.CreateAgentResponseObject, error) {
	roles, workflows := texts[domain.RoleName](r.Body.Roles), texts[domain.Workflow](r.Body.Workflows)
	if r.Body.Roles == nil {
		roles = []domain.RoleName{domain.RoleAgent}
	}
	if r.Body.Workflows == nil {
		workflows = []domain.Workflow{"*"}
	}
	id, receipt, err := h.service.RegisterAgent(ctx, h.call(ctx), r.Body.Name, roles, workflows)
	if err != nil {
		return nil, err
	}
	if err := h.inForce(ctx, receipt); err != nil {
		return nil, err
	}
	body, err := h.agent(ctx, domain.WorkspaceID(r.Ws), id)
	return api.CreateAgent201JSONResponse{Body: body, Headers: api.CreateAgent201ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}

// GetAgent answers one agent.
func (h *handlers) GetAgent(ctx context.Context, r api.GetAgentRequestObject) (api.GetAgentResponseObject, error) {
	body, err := h.agent(ctx, domain.WorkspaceID(r.Ws), domain.AgentID(r.ID))
	return api.GetAgent200JSONResponse(body), err
}

// RemoveAgent ends an agent, and answers once none of its tokens works any more.
func (h *handlers) RemoveAgent(ctx context.Context, r api.RemoveAgentRequestObject) (api.RemoveAgentResponseObject, error) {
	id := domain.AgentID(r.ID)
	receipt, err := h.service.RemoveAgent(ctx, h.call(ctx), id)
	if err != nil {
		return nil, err
	}
	err = h.gone(ctx, receipt, domain.WorkspaceID(r.Ws), func(s workspace.State) bool {
		a, ok := s.Agents.Get(id)
		return !ok || a.Removed
	})
	return api.RemoveAgent204Response{Headers: api.RemoveAgent204ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}
