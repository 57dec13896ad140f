package http

import (
	"context"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/http/api"
)

func apiBudget(id domain.BudgetID, version int, s budget.Spec) api.Budget {
	alerts := s.AlertAt
	if alerts == nil {
		alerts = []int{}
	}
	return api.Budget{ID: string(id), Version: version, Window: api.Window(s.Window), Timezone: s.Timezone, Mode: api.BudgetMode(s.Mode), AlertAt: alerts,
		Scope: api.Scope{Workspace: api.ScopeWorkspace(s.Scope.Workspace), Agent: string(s.Scope.Agent), Member: string(s.Scope.Member),
			Workflow: string(s.Scope.Workflow), Model: string(s.Scope.Model), Role: string(s.Scope.Role)},
		Limits: api.Limits{Calls: s.Limits.Calls, PromptTokens: (*int64)(s.Limits.PromptTokens), OutputTokens: (*int64)(s.Limits.OutputTokens),
			TotalTokens: (*int64)(s.Limits.TotalTokens), CostMicros: (*int64)(s.Limits.CostMicros)}}
}

func domainSpec(in api.BudgetInput) budget.Spec {
	l := in.Limits
	return budget.Spec{Window: budget.Window(in.Window), Timezone: in.Timezone, Mode: budget.Mode(in.Mode), AlertAt: in.AlertAt,
		Scope: budget.Scope{Workspace: bool(in.Scope.Workspace), Agent: domain.AgentID(in.Scope.Agent), Member: domain.MemberID(in.Scope.Member),
			Workflow: domain.Workflow(in.Scope.Workflow), Model: domain.Model(in.Scope.Model), Role: domain.RoleName(in.Scope.Role)},
		Limits: budget.Limits{Calls: l.Calls, PromptTokens: (*domain.Tokens)(l.PromptTokens), OutputTokens: (*domain.Tokens)(l.OutputTokens),
			TotalTokens: (*domain.Tokens)(l.TotalTokens), CostMicros: (*domain.Micros)(l.CostMicros)}}
}

// ListBudgets answers all budgets.
func (h *handlers) ListBudgets(ctx context.Context, r api.ListBudgetsRequestObject) (api.ListBudgetsResponseObject, error) {
	s, err := h.service.Book(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	out := api.ListBudgets200JSONResponse{Items: []api.Budget{}}
	for id, b := range s.Budgets.All() {
		out.Items = append(out.Items, apiBudget(id, b.Version, *b.Spec))
	}
	return out, nil
}

// GetBudget answers one budget.
func (h *handlers) GetBudget(ctx context.Context, r api.GetBudgetRequestObject) (api.GetBudgetResponseObject, error) {
	s, err := h.service.Book(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	b, ok := s.Budgets.Get(domain.BudgetID(r.Budget))
	if !ok {
		return nil, errNotFound
	}
	return api.GetBudget200JSONResponse{Body: apiBudget(domain.BudgetID(r.Budget), b.Version, *b.Spec),
		Headers: api.GetBudget200ResponseHeaders{ETag: etag(b.Version)}}, nil
}

// PutBudget makes or changes a budget.
func (h *handlers) PutBudget(ctx context.Context, r api.PutBudgetRequestObject) (api.PutBudgetResponseObject, error) {
	id := domain.BudgetID(r.Budget)
	s, receipt, err := h.service.DefineBudget(ctx, h.call(ctx), id, domainSpec(*r.Body), ifVersion(given(r.Params.IfMatch)))
	if err != nil {
		return nil, err
	}
	b, ok := s.Budgets.Get(id)
	if !ok {
		return nil, errNotFound
	}
	return api.PutBudget200JSONResponse{Body: apiBudget(id, b.Version, *b.Spec),
		Headers: api.PutBudget200ResponseHeaders{ETag: etag(b.Version), LedgerPosition: positionOf(receipt)}}, nil
}

// DeleteBudget ends a budget.
func (h *handlers) DeleteBudget(ctx context.Context, r api.DeleteBudgetRequestObject) (api.DeleteBudgetResponseObject, error) {
	receipt, err := h.service.DeleteBudget(ctx, h.call(ctx), domain.BudgetID(r.Budget))
	return api.DeleteBudget204Response{Headers: api.DeleteBudget204ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}

func apiPrices(s budget.State) api.PriceTable {
	out := api.PriceTable{Version: s.PriceVersion, Models: map[string]api.Price{}}
	for model, p := range s.Prices {
		out.Models[string(model)] = api.Price{PromptMicrosPerMillion: int64(p.PromptPerMillion), OutputMicrosPerMillion: int64(p.OutputPerMillion),
			MicrosPerCall: int64(p.PerCall)}
	}
	return out
}

// GetPrices answers the price table.
func (h *handlers) GetPrices(ctx context.Context, r api.GetPricesRequestObject) (api.GetPricesResponseObject, error) {
	s, err := h.service.Book(ctx, domain.WorkspaceID(r.Ws))
	return api.GetPrices200JSONResponse{Body: apiPrices(s), Headers: api.GetPrices200ResponseHeaders{ETag: etag(s.PriceVersion)}}, err
}

// PutPrices replaces the price table.
func (h *handlers) PutPrices(ctx context.Context, r api.PutPricesRequestObject) (api.PutPricesResponseObject, error) {
	prices := make(map[domain.Model]budget.Price, len(r.Body.Models))
	for model, p := range r.Body.Models {
		prices[domain.Model(model)] = budget.Price{PromptPerMillion: domain.Micros(p.PromptMicrosPerMillion),
			OutputPerMillion: domain.Micros(p.OutputMicrosPerMillion), PerCall: domain.Micros(p.MicrosPerCall)}
	}
	s, receipt, err := h.service.SetPrices(ctx, h.call(ctx), prices, ifVersion(given(r.Params.IfMatch)))
	return api.PutPrices200JSONResponse{Body: apiPrices(s),
		Headers: api.PutPrices200ResponseHeaders{ETag: etag(s.PriceVersion), LedgerPosition: positionOf(receipt)}}, err
}
