package workspace

import (
	"cmp"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Delegation is one member's standing in for another, who is absent.
type Delegation struct {
	From   domain.MemberID   `json:"from"` // the absent member
	To     domain.MemberID   `json:"to"`
	Roles  []domain.RoleName `json:"roles"`
	Start  time.Time         `json:"start"`
	Until  time.Time         `json:"until"`
	Reason string            `json:"reason,omitempty"`
}

// inForce reports whether a moment lies in the delegation's time.
func (d Delegation) inForce(at time.Time) bool { return !at.Before(d.Start) && at.Before(d.Until) }

// overlaps reports whether two times of absence have a moment in common.
func (d Delegation) overlaps(start, until time.Time) bool {
	return start.Before(d.Until) && d.Start.Before(until)
}

// live reports whether a delegation is in force or to come: its time is not
// over, and both are members still.
func (s State) live(d Delegation, at time.Time) bool {
	return at.Before(d.Until) && s.joinedMember(d.From) && s.joinedMember(d.To)
}

func (s State) joinedMember(id domain.MemberID) bool {
	m, ok := s.Members.Get(id)
	return ok && m.Status == Joined
}

// Delegated answers the delegation under which to may vote on approvals for
// from at a moment, and those of its roles that from holds then; "" if there is
// none, or if from may not decide on approvals then. It never chains: what
// somebody is delegated is not held by them, and so can't be delegated on.
func (s State) Delegated(to, from domain.MemberID, at time.Time) (domain.DelegationID, []domain.RoleName) {
	absent := domain.MemberActor(from)
	if !s.Allows(absent, domain.ApprovalDecide, at) {
		return "", nil
	}
	ids, _ := s.DelegationsOf.Get(from)
	for _, id := range ids {
		d, _ := s.Delegations.Get(id)
		if d.To != to || !d.inForce(at) || !s.live(d, at) {
			continue
		}
		var roles []domain.RoleName
		for _, role := range s.rolesOf(absent, at) {
			if slices.Contains(d.Roles, role) {
				roles = append(roles, role)
			}
		}
		if len(roles) > 0 {
			return id, roles
		}
	}
	return "", nil
}

// LiveDelegations lists the delegations in force or to come, by their start.
func (s State) LiveDelegations(at time.Time) []domain.DelegationID {
	type placed struct {
		id    domain.DelegationID
		start time.Time
	}
	var found []placed
	for id, d := range s.Delegations.All() {
		if s.live(d, at) {
			found = append(found, placed{id, d.Start})
		}
	}
	slices.SortFunc(found, func(a, b placed) int { return cmp.Or(a.start.Compare(b.start), cmp.Compare(a.id, b.id)) })
	ids := make([]domain.DelegationID, len(found))
	for i, p := range found {
		ids[i] = p.id
	}
	return ids
}

func (s State) delegate(c Delegate) ([]Event, error) {
	if err := first(s.mayAdd(c.By, c.At), given("delegation", string(c.Delegation)), text("reason", c.Reason, maxText, false)); err != nil {
		return nil, err
	}
	if c.By.Kind != domain.KindMember {
		return nil, domain.Refuse(domain.Forbidden, "human_required", "only a member, a human, has somebody stand in for itself")
	}
	from := domain.MemberID(c.By.ID)
	if d, ok := s.Delegations.Get(c.Delegation); ok {
		return repeated(d.From == from && d.To == c.To && d.Until.Equal(c.Until), "delegation_exists", "another delegation has this id")
	}
	start, err := s.absence(c)
	if err != nil {
		return nil, err
	}
	roles, err := s.delegable(c)
	if err != nil {
		return nil, err
	}
	if err := s.roomForDelegation(c, from, start); err != nil {
		return nil, err
	}
	return []Event{Delegated{Delegation: c.Delegation, From: from, To: c.To, Roles: roles, Start: start, Until: c.Until,
		Reason: c.Reason, At: c.At}}, nil
}

// absence checks who stands in and when, and answers the start. One that lies
// in the past is now, since nobody voted under it before it was given.
func (s State) absence(c Delegate) (time.Time, error) {
	start := c.Start
	if start.Before(c.At) {
		start = c.At
	}
	switch {
	case domain.MemberActor(c.To) == c.By:
		return start, invalidDelegation("nobody stands in for themselves; name another member")
	case !s.joinedMember(c.To):
		return start, invalidDelegation("to is no member who joined this workspace; name another member")
	case !c.Until.After(start):
		return start, invalidDelegation("until lies before the start or in the past; choose a later end")
	case c.Until.Sub(c.At) > MaxAbsence:
		return start, invalidDelegation("a delegation ends within 90 days; choose an earlier end and renew it in time")
	}
	return start, nil
}

// delegable answers the roles that c delegates: some of those that the absent
// member holds itself, or all.
func (s State) delegable(c Delegate) ([]domain.RoleName, error) {
	held, roles := s.rolesOf(c.By, c.At), distinct(c.Roles)
	if len(roles) == 0 {
		roles = distinct(held)
	}
	if len(roles) == 0 {
		return nil, invalidDelegation("you hold no roles, so there is nothing to stand in for")
	}
	for _, role := range roles {
		if !slices.Contains(held, role) {
			return nil, invalidDelegation("you do not hold one of the roles, and nobody delegates what they do not hold").With("role", role)
		}
	}
	return roles, nil
}

// roomForDelegation bounds how many a member gives, and demands that a vote in
// another's place stands under one delegation only.
func (s State) roomForDelegation(c Delegate, from domain.MemberID, start time.Time) error {
	live := 0
	ids, _ := s.DelegationsOf.Get(from)
	for _, id := range ids {
		d, _ := s.Delegations.Get(id)
		if !s.live(d, c.At) {
			continue
		}
		if live++; d.To == c.To && d.overlaps(start, c.Until) {
			return domain.Refuse(domain.Conflict, "delegation_exists",
				"this member stands in for you in that time already; end that delegation first").With("delegation", id)
		}
	}
	if live >= MaxDelegations {
		return domain.Refuse(domain.Conflict, "too_many_delegations",
			"at most %d delegations of one member are in force or to come; end some first", MaxDelegations).With("limit", MaxDelegations)
	}
	return nil
}

func invalidDelegation(why string) *domain.Error {
	return domain.Refuse(domain.Invalid, "delegation_invalid", "%s", why)
}

func (s State) endDelegation(c EndDelegation) ([]Event, error) {
	if err := s.mayAct(c.By, c.At); err != nil {
		return nil, err
	}
	d, ok := s.Delegations.Get(c.Delegation)
	switch {
	case !ok:
		return nil, domain.Refuse(domain.NotFound, "delegation_unknown", "there is no such delegation, or it ended before")
	case c.By != domain.MemberActor(d.From) && c.By != domain.MemberActor(d.To) && !s.Allows(c.By, domain.RoleWrite, c.At):
		return nil, domain.Refuse(domain.Forbidden, "permission_denied",
			"only the two members and whoever may write roles end a delegation").With("permission", string(domain.RoleWrite))
	case !s.live(d, c.At):
		return nil, nil
	}
	return []Event{DelegationEnded{Delegation: c.Delegation, By: c.By, At: c.At}}, nil
}

// delegated folds a delegation, and forgets those of the same member that are
// over, so that no more are kept than may be live.
func (s State) delegated(e Delegated) State {
	ids, _ := s.DelegationsOf.Get(e.From)
	kept := make([]domain.DelegationID, 0, len(ids)+1)
	for _, id := range ids {
		if d, _ := s.Delegations.Get(id); s.live(d, e.At) && id != e.Delegation {
			kept = append(kept, id)
		} else {
			s.Delegations = s.Delegations.Delete(id)
		}
	}
	s.Delegations = s.Delegations.Set(e.Delegation, Delegation{From: e.From, To: e.To, Roles: slices.Clone(e.Roles),
		Start: e.Start, Until: e.Until, Reason: e.Reason})
	s.DelegationsOf = s.DelegationsOf.Set(e.From, append(kept, e.Delegation))
	return s
}

func (s State) delegationEnded(id domain.DelegationID) State {
	d, ok := s.Delegations.Get(id)
	if !ok {
		return s
	}
	ids, _ := s.DelegationsOf.Get(d.From)
	kept := slices.DeleteFunc(slices.Clone(ids), func(other domain.DelegationID) bool { return other == id })
	s.Delegations = s.Delegations.Delete(id)
	if len(kept) == 0 {
		s.DelegationsOf = s.DelegationsOf.Delete(d.From)
		return s
	}
	s.DelegationsOf = s.DelegationsOf.Set(d.From, kept)
	return s
}

// endedAll forgets what a member who is gone had delegated. What was delegated
// to it is void with it, and forgotten when its giver delegates again.
func (s State) endedAll(from domain.MemberID) State {
	ids, _ := s.DelegationsOf.Get(from)
	for _, id := range ids {
		s.Delegations = s.Delegations.Delete(id)
	}
	s.DelegationsOf = s.DelegationsOf.Delete(from)
	return s
}
