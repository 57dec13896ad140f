package grant

import (
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// given adds a grant. Grants whose time is over leave the live ones here, where
// their number counts; until then Status tells them apart.
func (s State) given(e Given) State {
	s = s.tidied(e.At)
	s.Given++
	s.Live = s.Live.Set(e.Grant, &Grant{ID: e.Grant, Number: s.Given, Terms: e.Terms, By: e.By, Roles: e.Roles, At: e.At})
	return s
}

func (s State) used(e Used) State {
	old, ok := s.Live.Get(e.Grant)
	if !ok {
		return s
	}
	g := *old
	g.Used = e.Use
	g.Covers = g.Covers.Set(e.Execution, Cover{Action: e.Action, Use: e.Use, At: e.At})
	g.Uses = append(slices.Clip(g.Uses[max(0, len(g.Uses)+1-keptUses):]), e)
	if g.Used >= g.Terms.MaxUses {
		return s.over(g)
	}
	s.Live = s.Live.Set(e.Grant, &g)
	return s
}

func (s State) revoked(e Revoked) State {
	old, ok := s.Live.Get(e.Grant)
	if !ok {
		return s
	}
	g := *old
	g.RevokedAt, g.RevokedBy, g.Reason = e.At, e.By, e.Reason
	return s.over(g)
}

// tidied puts the live grants whose time is over among the past ones.
func (s State) tidied(at time.Time) State {
	next := s
	for _, g := range s.Live.All() {
		if g.Status(at) != StatusActive {
			next = next.over(*g)
		}
	}
	return next
}

// over puts a grant among the past ones, with its newest uses only, and forgets
// the one that is over longest where there are too many.
func (s State) over(g Grant) State {
	s.Over++
	g.Over = s.Over
	kept := domain.Map[domain.ExecutionID, Cover]{}
	for _, u := range g.Uses {
		kept = kept.Set(u.Execution, Cover{Action: u.Action, Use: u.Use, At: u.At})
	}
	g.Covers = kept
	s.Live, s.Past = s.Live.Delete(g.ID), s.Past.Set(g.ID, &g)
	if s.Past.Len() > keptPast {
		s.Past = s.Past.Delete(oldest(s.Past))
	}
	return s
}

// oldest answers which grant has been over longest.
func oldest(past domain.Map[domain.GrantID, *Grant]) domain.GrantID {
	_, first, _ := past.Min()
	for _, g := range past.All() {
		if g.Over < first.Over {
			first = g
		}
	}
	return first.ID
}
