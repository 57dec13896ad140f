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
	var ids []domain.BudgetID
	collect := func(key string) {
		found, _ := s.Index.Get(key)
		for _, id := range found {
			if b, ok := s.Budgets.Get(id); ok && b.Spec.Scope.Covers(c) {
				ids = append(ids, id)
			}
		}
	}
	collect("workspace")
	collect("agent:" + string(c.Agent))
	collect("member:" + string(c.Member))
	collect("workflow:" + string(c.Workflow))
	collect("model:" + string(c.Model))
	for _, role := range c.Roles {
		collect("role:" + string(role))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
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
