package commands

import (
	"context"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/internal/ledger"
)

// DefineBudget makes or changes a budget.
func (s *Service) DefineBudget(ctx context.Context, c Call, id domain.BudgetID, spec budget.Spec, ifVersion *int) (budget.State, Receipt, error) {
	return s.onBook(ctx, c, func(at time.Time) budget.Command {
		return budget.Define{Budget: id, Spec: spec, IfVersion: ifVersion, By: c.Actor, At: at}
	})
}

// DeleteBudget ends a budget.
func (s *Service) DeleteBudget(ctx context.Context, c Call, id domain.BudgetID) (Receipt, error) {
	_, receipt, err := s.onBook(ctx, c, func(at time.Time) budget.Command {
		return budget.Delete{Budget: id, By: c.Actor, At: at}
	})
	return receipt, err
}

// SetPrices replaces the price table.
func (s *Service) SetPrices(ctx context.Context, c Call, prices map[domain.Model]budget.Price, ifVersion *int) (budget.State, Receipt, error) {
	return s.onBook(ctx, c, func(at time.Time) budget.Command {
		return budget.SetPrices{Prices: prices, IfVersion: ifVersion, By: c.Actor, At: at}
	})
}

// onBook does a command of a person on the workspace's spending book.
func (s *Service) onBook(ctx context.Context, c Call, build func(time.Time) budget.Command) (budget.State, Receipt, error) {
	if _, _, err := s.rules(c.Workspace); err != nil {
		return budget.State{}, Receipt{}, err
	}
	r, err := s.budgets.Do(ctx, ledger.BudgetStream(c.Workspace), c, build)
	return r.State, r.Receipt, err
}

// Book answers a workspace's spending book as the log has it now.
func (s *Service) Book(ctx context.Context, ws domain.WorkspaceID) (budget.State, error) {
	state, _, err := s.budgets.Load(ctx, ledger.BudgetStream(ws))
	return state, err
}
