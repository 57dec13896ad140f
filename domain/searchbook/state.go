package searchbook

import (
	"maps"
	"slices"
	"strings"

	"github.com/clawoffice/ledger/domain"
)

// Limits of a book.
const (
	MaxOfMember = 100  // searches one member saved
	MaxSearches = 5000 // of all members
	maxName     = 200  // bytes
	maxQuery    = 4096 // bytes
	maxDays     = 36_500
)

// State is a workspace's book. The zero State is empty. Fields are exported for
// snapshots; it is changed only by Evolve.
type State struct {
	Searches domain.Map[domain.SearchID, Saved] `json:"searches"`
	Version  int                                `json:"version,omitempty"` // of Days
	Days     map[string]int                     `json:"days,omitempty"`    // never changed once it stands
}

var _ domain.State[State, Command, Event] = State{}

// SavedBy lists what an actor saved, in order of names.
func (s State) SavedBy(actor domain.Actor) []Saved {
	var some []Saved
	for _, saved := range s.Searches.All() {
		if saved.By == actor {
			some = append(some, saved)
		}
	}
	slices.SortFunc(some, func(a, b Saved) int { return strings.Compare(a.Name+string(a.Search), b.Name+string(b.Search)) })
	return some
}

// Evolve folds one event.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Saved:
		s.Searches = s.Searches.Set(e.Search, e)
	case Deleted:
		s.Searches = s.Searches.Delete(e.Search)
	case RetentionSet:
		s.Version, s.Days = e.Version, maps.Clone(e.Days)
	}
	return s
}
