package budget

import (
	"maps"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Bounds of what is set.
const (
	maxBudgets    = 1000
	maxModels     = 2000
	maxThresholds = 10
	maxThreshold  = 1000 // per cent
)

// define makes or changes a budget. Writing the spec that stands changes
// nothing.
func (s State) define(c Define, at time.Time) ([]Event, error) {
	old, exists := s.Budgets.Get(c.Budget)
	version := 0
	if exists {
		version = old.Version
	}
	if err := checkVersion(c.IfVersion, version); err != nil {
		return nil, err
	}
	spec, err := checked(c.Budget, c.Spec)
	if err != nil {
		return nil, err
	}
	switch {
	case exists && sameSpec(*old.Spec, spec):
		return nil, nil
	case !exists && s.Budgets.Len() >= maxBudgets:
		return nil, domain.Refuse(domain.Conflict, "too_many_budgets",
			"The workspace has %d budgets, the most it can have. Delete one first.", maxBudgets)
	}
	return []Event{Defined{Budget: c.Budget, Version: version + 1, Spec: spec, By: c.By, At: at}}, nil
}

func checkVersion(want *int, stands int) error {
	if want != nil && *want != stands {
		return domain.Refuse(domain.Stale, "version_mismatch",
			"Somebody wrote another version since you read it. Read it again and repeat the change.").
			With("version", stands)
	}
	return nil
}

func sameSpec(a, b Spec) bool {
	return sameRun(a, b) && a.Mode == b.Mode && a.Limits.maxima() == b.Limits.maxima() && slices.Equal(a.AlertAt, b.AlertAt)
}

// checked answers the spec in its full form: no time zone is UTC, no mode is
// enforce.
func checked(id domain.BudgetID, spec Spec) (Spec, error) {
	if spec.Timezone == "" {
		spec.Timezone = "UTC"
	}
	if spec.Mode == "" {
		spec.Mode = Enforce
	}
	if !domain.ValidName(string(id)) {
		return spec, invalid("invalid_budget", "A budget's id has 1 to 128 letters, digits and . _ : -")
	}
	if err := checkScope(spec.Scope); err != nil {
		return spec, err
	}
	switch spec.Window {
	case Hour, Day, Week, Month, Total:
	default:
		return spec, invalid("invalid_window", "A window is hour, day, week, month or total.")
	}
	if spec.Mode != Enforce && spec.Mode != Observe {
		return spec, invalid("invalid_mode", "A mode is enforce or observe.")
	}
	if _, err := Zone(spec.Timezone); err != nil {
		return spec, invalid("invalid_timezone", "The time zone is not known. Use an IANA name such as Europe/Berlin.")
	}
	if err := checkLimits(spec); err != nil {
		return spec, err
	}
	return spec, checkAlerts(spec.AlertAt)
}

func invalid(code, detail string) error { return domain.Refuse(domain.Invalid, code, "%s", detail) }

// checkScope wants either the workspace or at least one field, each a name.
func checkScope(s Scope) error {
	fields := 0
	for _, field := range [...]string{string(s.Agent), string(s.Member), string(s.Workflow), string(s.Model), string(s.Role)} {
		if field == "" {
			continue
		}
		if !domain.ValidName(field) {
			return invalid("invalid_scope", "A scope names one agent, member, workflow, model and role, each by its id; there are no patterns.")
		}
		fields++
	}
	if s.Workspace == (fields > 0) {
		return invalid("invalid_scope", "A scope is either the workspace or at least one of agent, member, workflow, model and role.")
	}
	return nil
}

func checkLimits(spec Spec) error {
	limited := false
	for _, limit := range spec.Limits.maxima() {
		limited = limited || limit >= 0
	}
	if !withinBounds(spec.Limits) {
		return invalid("invalid_limits", "A limit is a whole number from 0 to 1000000000000000.")
	}
	if !limited && spec.Mode == Enforce {
		return invalid("invalid_limits", "A budget that is enforced needs at least one limit.")
	}
	return nil
}

func withinBounds(l Limits) bool {
	ok := func(n int64) bool { return n >= 0 && n <= maxAmount }
	return (l.Calls == nil || ok(*l.Calls)) && (l.PromptTokens == nil || ok(int64(*l.PromptTokens))) &&
		(l.OutputTokens == nil || ok(int64(*l.OutputTokens))) && (l.TotalTokens == nil || ok(int64(*l.TotalTokens))) &&
		(l.CostMicros == nil || ok(int64(*l.CostMicros)))
}

func checkAlerts(thresholds []int) error {
	last := 0
	for _, t := range thresholds {
		if t <= last || t > maxThreshold || len(thresholds) > maxThresholds {
			return invalid("invalid_alerts", "Alert thresholds are at most 10 whole per cents from 1 to 1000, each larger than the one before.")
		}
		last = t
	}
	return nil
}

// delete ends a budget. What is reserved in it can still be settled.
func (s State) delete(c Delete) ([]Event, error) {
	if !s.Budgets.Has(c.Budget) {
		return nil, domain.Refuse(domain.NotFound, "budget_unknown", "There is no such budget.")
	}
	return []Event{Deleted{Budget: c.Budget, By: c.By}}, nil
}

// setPrices replaces the price table. What was settled keeps its cost.
func (s State) setPrices(c SetPrices, at time.Time) ([]Event, error) {
	if err := checkVersion(c.IfVersion, s.PriceVersion); err != nil {
		return nil, err
	}
	if len(c.Prices) > maxModels {
		return nil, domain.Refuse(domain.Invalid, "invalid_prices",
			"The table has %d models. It can have at most %d.", len(c.Prices), maxModels)
	}
	for model, price := range c.Prices {
		if !domain.ValidName(string(model)) || !price.valid() {
			return nil, invalid("invalid_prices",
				"A price belongs to a model's name; each part of it is a whole number from 0 to 1000000000000000.")
		}
	}
	if s.PriceVersion > 0 && maps.Equal(s.Prices, c.Prices) {
		return nil, nil
	}
	return []Event{PricesSet{Version: s.PriceVersion + 1, Prices: c.Prices, By: c.By, At: at}}, nil
}

func (p Price) valid() bool {
	for _, n := range [...]domain.Micros{p.PromptPerMillion, p.OutputPerMillion, p.PerCall} {
		if n < 0 || n > maxAmount {
			return false
		}
	}
	return true
}
