package workspace

import (
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// permissionSet is a set of permissions, one bit each, in the order of
// [domain.Permissions]. It is never stored.
type permissionSet uint64

// permissionBits and builtinSets are tables worked out once and only read.
var (
	permissionBits = bitsOfPermissions()
	builtinSets    = setsOfBuiltins()
)

func bitsOfPermissions() map[domain.Permission]permissionSet {
	bits := map[domain.Permission]permissionSet{}
	for i, info := range domain.Permissions() {
		bits[info.Permission] = 1 << i
	}
	return bits
}

func setsOfBuiltins() map[domain.RoleName]permissionSet {
	sets := map[domain.RoleName]permissionSet{}
	for _, role := range domain.BuiltinRoles() {
		permissions, _ := domain.BuiltinRole(role)
		sets[role] = setOf(permissions)
	}
	return sets
}

func setOf(permissions []domain.Permission) permissionSet {
	var set permissionSet
	for _, p := range permissions {
		set |= permissionBits[p]
	}
	return set
}

func (set permissionSet) has(p domain.Permission) bool {
	bit := permissionBits[p]
	return bit != 0 && set&bit == bit
}

func (set permissionSet) list() []domain.Permission {
	var list []domain.Permission
	for _, info := range domain.Permissions() {
		if set.has(info.Permission) {
			list = append(list, info.Permission)
		}
	}
	return list
}

// HumanOnly reports whether p never reaches an agent, whatever its roles say:
// an approval is a human's decision.
func HumanOnly(p domain.Permission) bool { return p == domain.ApprovalDecide }

// Active reports whether an actor may act here at all: a member who joined and
// was not removed, or an agent that was not removed. The service always may;
// the operator, who stands outside every workspace, never.
func (s State) Active(actor domain.Actor, _ time.Time) bool {
	switch actor.Kind {
	case domain.KindMember:
		m, ok := s.Members.Get(domain.MemberID(actor.ID))
		return ok && m.Status == Joined
	case domain.KindAgent:
		a, ok := s.Agents.Get(domain.AgentID(actor.ID))
		return ok && !a.Removed
	case domain.KindService:
		return s.Exists()
	}
	return false
}

// rolesOf answers the roles in force without copying them.
func (s State) rolesOf(actor domain.Actor, at time.Time) []domain.RoleName {
	switch actor.Kind {
	case domain.KindMember:
		if m, ok := s.Members.Get(domain.MemberID(actor.ID)); ok && m.Status == Joined {
			return m.Holding.At(at)
		}
	case domain.KindAgent:
		if a, ok := s.Agents.Get(domain.AgentID(actor.ID)); ok && !a.Removed {
			return a.Holding.At(at)
		}
	}
	return nil
}

// RolesOf lists the roles in force for an actor; none for one that is not
// active or whose roles ended.
func (s State) RolesOf(actor domain.Actor, at time.Time) []domain.RoleName {
	return slices.Clone(s.rolesOf(actor, at))
}

// Allows reports whether an actor holds a permission. It allocates nothing. A
// suspension does not show here: what may be read stays readable, and Decide
// refuses the rest.
func (s State) Allows(actor domain.Actor, p domain.Permission, at time.Time) bool {
	if actor.Kind == domain.KindService {
		return s.Exists()
	}
	_, ok := s.Why(actor, p, at)
	return ok
}

// Why answers the first of an actor's roles that carries a permission.
func (s State) Why(actor domain.Actor, p domain.Permission, at time.Time) (domain.RoleName, bool) {
	if actor.Kind == domain.KindAgent && HumanOnly(p) {
		return "", false
	}
	for _, role := range s.rolesOf(actor, at) {
		if s.carries(role, p) {
			return role, true
		}
	}
	return "", false
}

// Permissions lists what an actor may do, in the order of [domain.Permissions].
func (s State) Permissions(actor domain.Actor, at time.Time) []domain.Permission {
	return s.held(actor, at).list()
}

// WhoMay lists the members and agents that hold a permission, in order of ids.
func (s State) WhoMay(p domain.Permission, at time.Time) []domain.Actor {
	var who []domain.Actor
	for id := range s.Members.All() {
		if actor := domain.MemberActor(id); s.Allows(actor, p, at) {
			who = append(who, actor)
		}
	}
	for id := range s.Agents.All() {
		if actor := domain.AgentActor(id); s.Allows(actor, p, at) {
			who = append(who, actor)
		}
	}
	return who
}

// AgentAllowsWorkflow reports whether an agent may act in a workflow.
func (s State) AgentAllowsWorkflow(agent domain.AgentID, workflow domain.Workflow) bool {
	a, ok := s.Agents.Get(agent)
	if !ok || a.Removed {
		return false
	}
	return slices.Contains(a.Workflows, "*") || slices.Contains(a.Workflows, workflow)
}

// RolePermissions answers what a role carries, built in or custom.
func (s State) RolePermissions(role domain.RoleName) ([]domain.Permission, bool) {
	if permissions, ok := domain.BuiltinRole(role); ok {
		return permissions, true
	}
	custom, ok := s.Roles.Get(role)
	return slices.Clone(custom.Permissions), ok
}

func (s State) carries(role domain.RoleName, p domain.Permission) bool {
	if set, ok := builtinSets[role]; ok {
		return set.has(p)
	}
	custom, ok := s.Roles.Get(role)
	return ok && slices.Contains(custom.Permissions, p)
}

func (s State) setOfRole(role domain.RoleName) permissionSet {
	if set, ok := builtinSets[role]; ok {
		return set
	}
	custom, _ := s.Roles.Get(role)
	return setOf(custom.Permissions)
}

// held is everything an actor may do, as a set.
func (s State) held(actor domain.Actor, at time.Time) permissionSet {
	if actor.Kind == domain.KindService && s.Exists() {
		return ^permissionSet(0)
	}
	var set permissionSet
	for _, role := range s.rolesOf(actor, at) {
		set |= s.setOfRole(role)
	}
	if actor.Kind == domain.KindAgent {
		set &^= permissionBits[domain.ApprovalDecide]
	}
	return set
}
