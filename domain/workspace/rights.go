package workspace

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Right is a permission that an actor holds through a role. An actor with two
// roles that carry a permission has it twice: taking one away is not enough.
type Right struct {
	Actor      domain.Actor
	Permission domain.Permission
	Role       domain.RoleName
	Until      *time.Time   // nil: without end
	By         domain.Actor // who gave the actor its roles
}

// Rights lists who may do what at a moment, through which role: what one actor
// may, who holds one permission, or both; the zero value of either stands for
// all. Actors come in order of ids with members first, permissions in the order
// of [domain.Permissions], roles as they are held.
func (s State) Rights(actor domain.Actor, p domain.Permission, at time.Time) []Right {
	permissions := []domain.Permission{p}
	if p == "" {
		permissions = permissions[:0]
		for _, info := range domain.Permissions() {
			permissions = append(permissions, info.Permission)
		}
	}
	if actor != (domain.Actor{}) {
		return s.rightsOf(nil, actor, permissions, at)
	}
	var all []Right
	for id := range s.Members.All() {
		all = s.rightsOf(all, domain.MemberActor(id), permissions, at)
	}
	for id := range s.Agents.All() {
		all = s.rightsOf(all, domain.AgentActor(id), permissions, at)
	}
	return all
}

// rightsOf appends an actor's rights.
func (s State) rightsOf(all []Right, actor domain.Actor, permissions []domain.Permission, at time.Time) []Right {
	roles := s.rolesOf(actor, at)
	if len(roles) == 0 {
		return all
	}
	until, by := s.granted(actor)
	for _, p := range permissions {
		if actor.Kind == domain.KindAgent && HumanOnly(p) {
			continue
		}
		for _, role := range roles {
			if s.carries(role, p) {
				all = append(all, Right{actor, p, role, clonePointer(until), by})
			}
		}
	}
	return all
}

// granted answers until when an actor's roles hold, and who gave them.
func (s State) granted(actor domain.Actor) (*time.Time, domain.Actor) {
	if actor.Kind == domain.KindAgent {
		a, _ := s.Agents.Get(domain.AgentID(actor.ID))
		return a.Until, a.RolesBy
	}
	m, _ := s.Members.Get(domain.MemberID(actor.ID))
	return m.Until, m.RolesBy
}
