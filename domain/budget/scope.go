package budget

import (
	"slices"

	"github.com/clawoffice/ledger/domain"
)

// Covers reports whether a call counts under the scope.
func (s Scope) Covers(c Call) bool {
	return (s.Agent == "" || s.Agent == c.Agent) &&
		(s.Member == "" || s.Member == c.Member) &&
		(s.Workflow == "" || s.Workflow == c.Workflow) &&
		(s.Model == "" || s.Model == c.Model) &&
		(s.Role == "" || slices.Contains(c.Roles, s.Role))
}

// key names the scope's place in the index: the field that tends to match the
// fewest calls.
func (s Scope) key() string {
	switch {
	case s.Agent != "":
		return "agent:" + string(s.Agent)
	case s.Member != "":
		return "member:" + string(s.Member)
	case s.Workflow != "":
		return "workflow:" + string(s.Workflow)
	case s.Model != "":
		return "model:" + string(s.Model)
	case s.Role != "":
		return "role:" + string(s.Role)
	}
	return "workspace"
}

// Matches lists the budgets that a call counts in, in order of their ids.
func (s State) Matches(c Call) []domain.BudgetID {
	ids := s.covering(make([]domain.BudgetID, 0, 16), Scope{Workspace: true}, c)
	ids = s.covering(ids, Scope{Agent: c.Agent}, c)
	ids = s.covering(ids, Scope{Member: c.Member}, c)
	ids = s.covering(ids, Scope{Workflow: c.Workflow}, c)
	ids = s.covering(ids, Scope{Model: c.Model}, c)
	for i, role := range c.Roles {
		if !slices.Contains(c.Roles[:i], role) {
			ids = s.covering(ids, Scope{Role: role}, c)
		}
	}
	slices.Sort(ids)
	return ids
}

// covering appends the budgets that are indexed under one field and cover the
// call. A call without that field has none: its key is another's.
func (s State) covering(ids []domain.BudgetID, field Scope, c Call) []domain.BudgetID {
	if !field.Workspace && field == (Scope{}) {
		return ids
	}
	found, _ := s.Index.Get(field.key())
	for _, id := range found {
		if b, ok := s.Budgets.Get(id); ok && b.Spec.Scope.Covers(c) {
			ids = append(ids, id)
		}
	}
	return ids
}

type index = domain.Map[string, []domain.BudgetID]

func indexed(m index, key string, id domain.BudgetID) index {
	ids, _ := m.Get(key)
	at, found := slices.BinarySearch(ids, id)
	if found {
		return m
	}
	return m.Set(key, slices.Insert(slices.Clone(ids), at, id))
}

func unindexed(m index, key string, id domain.BudgetID) index {
	ids, _ := m.Get(key)
	at, found := slices.BinarySearch(ids, id)
	switch {
	case !found:
		return m
	case len(ids) == 1:
		return m.Delete(key)
	}
	return m.Set(key, slices.Delete(slices.Clone(ids), at, at+1))
}
