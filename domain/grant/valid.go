package grant

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/clawoffice/ledger/domain"
)

// Limits of what one grant says.
const (
	maxKinds     = 50
	maxWorkflows = 100
	maxAgents    = 100
	maxCondition = 4096 // bytes, as in policies
	maxReason    = 500  // bytes
)

// wrong refuses terms, pointing (as JSON Pointers do) at what is wrong.
func wrong(pointer, format string, args ...any) *domain.Error {
	return domain.Refuse(domain.Invalid, "grant_invalid", format, args...).With("pointer", pointer)
}

// valid checks terms, as somebody wrote them, at the time at which they are
// given.
func (t Terms) valid(at time.Time) error {
	if err := t.validScope(); err != nil {
		return err
	}
	last := at.AddDate(MaxYears, 0, 0)
	switch {
	case t.MaxUses < 1 || t.MaxUses > MaxUses:
		return wrong("/max_uses", "A grant may be used 1 to %d times.", MaxUses)
	case !t.Until.After(at):
		return wrong("/until", "A grant ends in the future; this one would be over already.")
	case t.Until.After(last):
		return wrong("/until", "A grant lasts at most a year, so until %s.", last.UTC().Format(time.RFC3339))
	case len(t.When) > maxCondition:
		return wrong("/when", "The condition has %d bytes; at most %d are allowed.", len(t.When), maxCondition)
	case !validText(t.Reason):
		return wrong("/reason", "A reason is UTF-8 of at most %d bytes.", maxReason)
	}
	return nil
}

// validScope checks which actions the terms speak of. "*" is no kind here: an
// approval in advance is for named kinds.
func (t Terms) validScope() error {
	const characters = "has 1 to 128 of the characters A-Z a-z 0-9 . _ : -"
	switch {
	case len(t.Kinds) == 0 || len(t.Kinds) > maxKinds:
		return wrong("/kinds", "A grant names 1 to %d kinds of action.", maxKinds)
	case len(t.Workflows) > maxWorkflows:
		return wrong("/workflows", "A grant names at most %d workflows; \"*\" stands for all.", maxWorkflows)
	case len(t.Agents) > maxAgents:
		return wrong("/agents", "A grant names at most %d agents; none stands for all.", maxAgents)
	}
	for i, kind := range t.Kinds {
		if !domain.ValidName(string(kind)) {
			return wrong(fmt.Sprintf("/kinds/%d", i), "A kind of action %s; a grant can't be for all kinds.", characters)
		}
	}
	for i, workflow := range t.Workflows {
		if workflow != "*" && !domain.ValidName(string(workflow)) {
			return wrong(fmt.Sprintf("/workflows/%d", i), "A workflow's name %s, or is \"*\".", characters)
		}
	}
	for i, agent := range t.Agents {
		if !domain.ValidName(string(agent)) {
			return wrong(fmt.Sprintf("/agents/%d", i), "An agent's id %s.", characters)
		}
	}
	return nil
}

func validText(s string) bool { return len(s) <= maxReason && utf8.ValidString(s) }
