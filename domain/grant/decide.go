package grant

import (
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Decide answers the events that follow from a command, or a [*domain.Error].
//
// A Use that covers nothing answers no events and no error: the action needs
// its approval. One that repeats a use answers none either, and
// [State.Covered] says by which grant.
func (s State) Decide(command Command) ([]Event, error) {
	switch c := command.(type) {
	case Give:
		return s.give(c)
	case Use:
		return s.use(c), nil
	case Revoke:
		return s.revoke(c)
	}
	return nil, domain.Refuse(domain.Invalid, "command_unknown", "The standing grants do not know this command.")
}

func (s State) give(c Give) ([]Event, error) {
	if _, repeated := s.Grant(c.Grant); repeated {
		return nil, nil
	}
	if c.By.Kind != domain.KindMember {
		return nil, domain.Refuse(domain.Forbidden, "human_required", "Only a member, a human, may approve in advance.")
	}
	if !domain.ValidName(string(c.Grant)) {
		return nil, wrong("", "A grant needs an id.")
	}
	if err := c.Terms.valid(c.At); err != nil {
		return nil, err
	}
	terms := c.Terms.normal()
	if err := s.room(terms.MaxUses, c.At); err != nil {
		return nil, err
	}
	return []Event{Given{Grant: c.Grant, Terms: terms, By: c.By, Roles: c.Roles, At: c.At}}, nil
}

// room refuses what would make too many grants live at once.
func (s State) room(uses int, at time.Time) error {
	live, promised := 0, uses
	for _, g := range s.Live.All() {
		if g.Status(at) == StatusActive {
			live++
			promised += g.Terms.MaxUses
		}
	}
	switch {
	case live >= MaxLive:
		return domain.Refuse(domain.Conflict, "too_many_grants",
			"A workspace has at most %d standing grants at once. Revoke one that is not needed.", MaxLive).With("limit", MaxLive)
	case promised > MaxPromised:
		return domain.Refuse(domain.Conflict, "too_many_grants",
			"All standing grants of a workspace cover at most %d actions together. Give fewer uses, or revoke a grant that is not needed.",
			MaxPromised).With("limit", MaxPromised)
	}
	return nil
}

// use takes the first candidate that can still cover the action. What the
// candidates say of it is looked at again, since one may have been used up,
// revoked or ended since they were picked.
func (s State) use(c Use) []Event {
	if _, _, covered := s.Covered(c.Execution, c.Action); covered {
		return nil
	}
	for _, id := range c.Candidates {
		g, ok := s.Live.Get(id)
		if !ok || !g.mayCover(c) {
			continue
		}
		return []Event{Used{Grant: id, Execution: c.Execution, Action: c.Action, Kind: c.Kind, Digest: c.Digest,
			Approval: c.Approval, Requester: c.Requester, Use: g.Used + 1, At: c.At}}
	}
	return nil
}

func (g *Grant) mayCover(c Use) bool {
	return g.Status(c.At) == StatusActive && g.By != c.Requester && !g.Covers.Has(c.Execution) &&
		g.Terms.Concerns(c.Kind, c.Workflow, c.Requester)
}

// revoke changes nothing for a grant that covers nothing any more.
func (s State) revoke(c Revoke) ([]Event, error) {
	g, ok := s.Grant(c.Grant)
	switch {
	case !ok:
		return nil, domain.Refuse(domain.NotFound, "grant_unknown", "There is no such standing grant in this workspace.")
	case !validText(c.Reason):
		return nil, domain.Refuse(domain.Invalid, "invalid_reason", "A reason is UTF-8 of at most %d bytes.", maxReason)
	case g.Status(c.At) != StatusActive:
		return nil, nil
	}
	return []Event{Revoked{Grant: c.Grant, Reason: c.Reason, By: c.By, At: c.At}}, nil
}

// normal answers the terms with their lists sorted, without repeats, and "*"
// for no workflows.
func (t Terms) normal() Terms {
	t.Kinds, t.Workflows, t.Agents = distinct(t.Kinds), distinct(t.Workflows), distinct(t.Agents)
	if len(t.Workflows) == 0 || slices.Contains(t.Workflows, "*") {
		t.Workflows = []domain.Workflow{"*"}
	}
	t.Until = t.Until.UTC()
	return t
}

// distinct answers the list sorted, without repeats; nil for none.
func distinct[T ~string](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
