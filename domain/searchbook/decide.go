package searchbook

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clawoffice/ledger/domain"
)

// Classes lists the classes of events that a retention can be set for: the
// first words of stored names.
func Classes() []string {
	return []string{"access", "approval", "budget", "content", "execution", "grant", "policy", "search", "webhook", "workspace"}
}

// Decide answers the events that follow from a command, or a [*domain.Error].
// Saving what is saved, and deleting what is not there, answers none.
func (s State) Decide(command Command) ([]Event, error) {
	switch c := command.(type) {
	case Save:
		return s.save(c)
	case Delete:
		return s.delete(c)
	case SetRetention:
		return s.setRetention(c)
	}
	return nil, domain.Refuse(domain.Invalid, "command_unknown", "A search book does not know this command.")
}

func (s State) save(c Save) ([]Event, error) {
	name := strings.TrimSpace(c.Name)
	switch {
	case s.Searches.Has(c.Search):
		return nil, nil
	case name == "" || len(name) > maxName || !utf8.ValidString(name):
		return nil, domain.Refuse(domain.Invalid, "invalid_name", "A saved search has a name of at most %d bytes.", maxName)
	case len(c.Query) > maxQuery || !utf8.ValidString(c.Query):
		return nil, domain.Refuse(domain.Invalid, "query_invalid", "A query has at most %d bytes.", maxQuery)
	case len(s.SavedBy(c.By)) >= MaxOfMember, s.Searches.Len() >= MaxSearches:
		return nil, domain.Refuse(domain.Conflict, "too_many_searches",
			"A member keeps at most %d saved searches, a workspace %d. Delete one that is not needed.", MaxOfMember, MaxSearches).With("limit", MaxOfMember)
	}
	return []Event{Saved{Search: c.Search, Name: name, Query: c.Query, Oldest: c.Oldest, By: c.By, At: c.At}}, nil
}

func (s State) delete(c Delete) ([]Event, error) {
	saved, ok := s.Searches.Get(c.Search)
	switch {
	case !ok:
		return nil, domain.Refuse(domain.NotFound, "not_found", "There is no such saved search in this workspace.")
	case saved.By != c.By:
		return nil, domain.Refuse(domain.Forbidden, "not_owner", "Only who saved a search may delete it.")
	}
	return []Event{Deleted{Search: c.Search, By: c.By, At: c.At}}, nil
}

func (s State) setRetention(c SetRetention) ([]Event, error) {
	if c.IfVersion != nil && *c.IfVersion != s.Version {
		return nil, domain.Refuse(domain.Stale, "version_mismatch", "The retention is at version %d now. Read it again and change that.", s.Version).
			With("version", s.Version)
	}
	for class, days := range c.Days {
		if !slices.Contains(Classes(), class) {
			return nil, domain.Refuse(domain.Invalid, "invalid_retention", "There is no class of events %q; the classes are %s.", class, strings.Join(Classes(), ", "))
		}
		if days < 1 || days > maxDays {
			return nil, domain.Refuse(domain.Invalid, "invalid_retention", "Events are kept for 1 to %d days.", maxDays)
		}
	}
	if maps.Equal(c.Days, s.Days) {
		return nil, nil
	}
	return []Event{RetentionSet{Version: s.Version + 1, Days: maps.Clone(c.Days), By: c.By, At: c.At}}, nil
}
