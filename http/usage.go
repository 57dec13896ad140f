package http

import (
	"context"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/spending"
)

// GetBudgetUsage answers what a budget has used in its present window, which
// the spending book says, and by whom, and in the windows before, which only
// the read model knows.
func (h *handlers) GetBudgetUsage(ctx context.Context, r api.GetBudgetUsageRequestObject) (api.GetBudgetUsageResponseObject, error) {
	if err := h.reach(ctx, spending.Name, given(r.Params.MinPosition)); err != nil {
		return nil, err
	}
	ws, id := domain.WorkspaceID(r.Ws), domain.BudgetID(r.Budget)
	s, err := h.service.Book(ctx, ws)
	if err != nil {
		return nil, err
	}
	u, ok := s.Usage(id, h.now())
	if !ok {
		return nil, errNotFound
	}
	spent, err := h.spending.Usage(ctx, spending.Run{Workspace: ws, Budget: id, Epoch: u.Epoch}, u.Start)
	if err != nil {
		return nil, err
	}
	return api.GetBudgetUsage200JSONResponse(apiUsage(u, spent)), nil
}

func apiUsage(u budget.Usage, spent spending.Usage) api.BudgetUsage {
	out := api.BudgetUsage{Budget: string(u.Budget), Version: u.Version, WindowStart: u.Start.UTC(), WindowEnd: u.End.UTC(),
		Lines: []api.UsageLine{}, Overruns: spent.Overruns, Late: spent.Late}
	for _, l := range u.Lines {
		out.Lines = append(out.Lines, api.UsageLine{Amount: api.Amount(l.Limit), Used: l.Used, Reserved: l.Reserved,
			Limit: l.Max, Free: l.Free, Forecast: l.Forecast})
	}
	for _, a := range spent.Alerts {
		out.Alerts = append(out.Alerts, api.BudgetAlert{Amount: api.Amount(a.Limit), Threshold: a.Threshold, Used: a.Used, Limit: a.Max, At: a.At})
	}
	for _, b := range spent.By {
		out.By = append(out.By, api.Share{Actor: b.Actor.String(), Model: string(b.Model), Calls: b.Used.Calls,
			PromptTokens: int64(b.Used.PromptTokens), OutputTokens: int64(b.Used.OutputTokens), CostMicros: int64(b.Used.CostMicros)})
	}
	out.StepSeconds = int64(spending.StepOf(u.Start, u.End) / time.Second)
	for _, s := range spent.Steps {
		out.Steps = append(out.Steps, api.UsageStep{Start: s.Start.UTC(), Calls: s.Used.Calls, PromptTokens: int64(s.Used.PromptTokens),
			OutputTokens: int64(s.Used.OutputTokens), CostMicros: int64(s.Used.CostMicros)})
	}
	for _, w := range spent.Past {
		out.Windows = append(out.Windows, api.PastWindow{Start: w.Start, End: w.End, Calls: w.Settled.Calls,
			PromptTokens: int64(w.Settled.PromptTokens), OutputTokens: int64(w.Settled.OutputTokens), CostMicros: int64(w.Settled.CostMicros),
			ReservedCalls: w.Open.Calls, ReservedCostMicros: int64(w.Open.CostMicros), Overruns: w.Overruns, Late: w.Late})
	}
	return out
}
