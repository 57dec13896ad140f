package workspace

import (
	"slices"

	"github.com/clawoffice/ledger/domain"
)

func unknownAgent() error {
	return domain.Refuse(domain.NotFound, "agent_unknown", "there is no such agent in this workspace")
}

func (s State) registerAgent(c RegisterAgent) ([]Event, error) {
	if err := first(s.mayAdd(c.By, c.At), given("agent", string(c.Agent)), text("name", c.Name, maxName, true)); err != nil {
		return nil, err
	}
	if a, ok := s.Agents.Get(c.Agent); ok {
		return repeated(a.Name == c.Name, "agent_exists", "another agent has this id")
	}
	workflows, err := validWorkflows(c.Workflows)
	if err != nil {
		return nil, err
	}
	roles := distinct(c.Roles)
	if err := first(s.validRoles(roles), s.mayGrant(c.By, c.At, roles, domain.KindAgent), s.room()); err != nil {
		return nil, err
	}
	return []Event{AgentRegistered{c.Agent, c.Name, roles, workflows, c.By, c.At}}, nil
}

// validWorkflows answers the workflows sorted, or all of them for none.
func validWorkflows(workflows []domain.Workflow) ([]domain.Workflow, error) {
	if len(workflows) == 0 || slices.Contains(workflows, "*") {
		return []domain.Workflow{"*"}, nil
	}
	if len(workflows) > MaxWorkflows {
		return nil, domain.Refuse(domain.Invalid, "too_many_workflows", "an agent names at most %d workflows; \"*\" stands for all", MaxWorkflows)
	}
	for _, w := range workflows {
		if !domain.ValidName(string(w)) {
			return nil, domain.Refuse(domain.Invalid, "invalid_workflow",
				"a workflow's name has 1 to 128 of the characters A-Z a-z 0-9 . _ : -, or is \"*\"")
		}
	}
	return distinct(workflows), nil
}

func (s State) removeAgent(c RemoveAgent) ([]Event, error) {
	if err := s.mayAct(c.By, c.At); err != nil {
		return nil, err
	}
	a, ok := s.Agents.Get(c.Agent)
	switch {
	case !ok:
		return nil, unknownAgent()
	case a.Removed:
		return nil, nil
	}
	return []Event{AgentRemoved{c.Agent, c.By}}, nil
}
