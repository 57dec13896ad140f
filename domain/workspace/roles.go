package workspace

import (
	"fmt"
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// validRoles demands roles that exist.
func (s State) validRoles(roles []domain.RoleName) error {
	if len(roles) > MaxRolesPerActor {
		return domain.Refuse(domain.Invalid, "too_many_roles", "an actor holds at most %d roles", MaxRolesPerActor)
	}
	for _, role := range roles {
		if _, builtin := builtinSets[role]; !builtin && !s.Roles.Has(role) {
			return domain.Refuse(domain.Invalid, "role_unknown",
				"one of the roles does not exist; define it first or choose a built-in one").With("role", role)
		}
	}
	return nil
}

// mayGrant demands that by holds everything the roles carry, and that nothing
// human goes to an agent.
func (s State) mayGrant(by domain.Actor, at time.Time, roles []domain.RoleName, to domain.ActorKind) error {
	for _, role := range roles {
		carried := s.setOfRole(role)
		if to == domain.KindAgent && carried.has(domain.ApprovalDecide) {
			return domain.Refuse(domain.Invalid, "human_only", "role %s decides approvals, which only humans may; give the agent another role",
				role).With("role", role).With("permission", domain.ApprovalDecide)
		}
		if role == domain.RoleOwner {
			if err := s.ownersBusiness(by, at); err != nil {
				return err
			}
		}
		if err := covers(s.grantable(by, at, to, domain.AgentManage), carried, "role "+string(role)+" carries"); err != nil {
			return err.With("role", role)
		}
	}
	return nil
}

// grantable is what by may hand on: what it holds, and to agents their
// purpose, execution.request, where by holds the permission that looks after
// agents.
func (s State) grantable(by domain.Actor, at time.Time, to domain.ActorKind, through domain.Permission) permissionSet {
	held := s.held(by, at)
	if to == domain.KindAgent && held.has(through) {
		held |= permissionBits[domain.ExecutionRequest]
	}
	return held
}

// covers demands that held has all that is given.
func covers(held, granted permissionSet, what string) *domain.Error {
	missing := (granted &^ held).list()
	if len(missing) == 0 {
		return nil
	}
	return domain.Refuse(domain.Forbidden, "cannot_grant",
		"%s %s, which you do not hold, and nobody grants what they do not hold", what, missing[0]).With("permission", missing[0])
}

func (s State) setRoles(c SetRoles) ([]Event, error) {
	if err := s.mayAct(c.By, c.At); err != nil {
		return nil, err
	}
	had, stands, err := s.holding(c.Actor)
	if err != nil {
		return nil, err
	}
	if err := version(c.IfVersion, stands); err != nil {
		return nil, err
	}
	wanted := Holding{distinct(c.Roles), c.Until}
	if err := s.validRoles(wanted.Roles); err != nil {
		return nil, err
	}
	if same(had, wanted) {
		return nil, nil
	}
	if c.Until != nil && !c.Until.After(c.At) {
		return nil, domain.Refuse(domain.Invalid, "invalid_until", "until lies in the past; choose a later end, or set no roles")
	}
	if err := s.mayChange(c, had, wanted); err != nil {
		return nil, err
	}
	return []Event{RolesSet{c.Actor, wanted.Roles, clonePointer(c.Until), c.By, c.At}}, nil
}

// mayChange checks what is given against what by holds, and what is taken
// against who must keep it.
func (s State) mayChange(c SetRoles, had, wanted Holding) error {
	added := additions(had, wanted, c.At)
	if len(added) > 0 {
		if err := s.notSuspended(); err != nil {
			return err
		}
	}
	if err := s.mayGrant(c.By, c.At, added, c.Actor.Kind); err != nil {
		return err
	}
	if !slices.Contains(had.At(c.At), domain.RoleOwner) {
		return nil
	}
	stays := slices.Contains(wanted.Roles, domain.RoleOwner)
	if stays && sameEnd(had.Until, wanted.Until) {
		return nil
	}
	if err := s.ownersBusiness(c.By, c.At); err != nil {
		return err
	}
	if stays && wanted.Until == nil {
		return nil
	}
	m, _ := s.Members.Get(domain.MemberID(c.Actor.ID))
	return s.notLastOwner(domain.MemberID(c.Actor.ID), m)
}

// additions lists the roles that wanted gives beyond had: new ones, and all of
// them when they would last longer.
func additions(had, wanted Holding, at time.Time) []domain.RoleName {
	if had.Until != nil && (wanted.Until == nil || wanted.Until.After(*had.Until)) {
		return wanted.Roles
	}
	var given []domain.RoleName
	for _, role := range wanted.Roles {
		if !slices.Contains(had.At(at), role) {
			given = append(given, role)
		}
	}
	return given
}

// holding answers what an actor who may hold roles has, and its version.
func (s State) holding(actor domain.Actor) (Holding, int, error) {
	switch actor.Kind {
	case domain.KindMember:
		if m, ok := s.Members.Get(domain.MemberID(actor.ID)); ok && m.Status != Removed {
			return m.Holding, m.RolesVersion, nil
		}
		return Holding{}, 0, unknownMember()
	case domain.KindAgent:
		if a, ok := s.Agents.Get(domain.AgentID(actor.ID)); ok && !a.Removed {
			return a.Holding, a.RolesVersion, nil
		}
		return Holding{}, 0, unknownAgent()
	}
	return Holding{}, 0, domain.Refuse(domain.Invalid, "invalid_actor", "only members and agents hold roles")
}

func same(a, b Holding) bool { return slices.Equal(a.Roles, b.Roles) && sameEnd(a.Until, b.Until) }

func sameEnd(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

func (s State) defineRole(c DefineRole) ([]Event, error) {
	if err := first(s.mayAct(c.By, c.At), validRoleName(c.Role), text("description", c.Description, maxText, false)); err != nil {
		return nil, err
	}
	had, exists := s.Roles.Get(c.Role)
	if err := version(c.IfVersion, had.Version); err != nil {
		return nil, err
	}
	permissions := distinct(c.Permissions)
	for _, p := range permissions {
		if !domain.ValidPermission(p) {
			return nil, domain.Refuse(domain.Invalid, "permission_unknown",
				"one of the permissions does not exist; the list of permissions names them all").With("permission", p)
		}
	}
	if exists && slices.Equal(had.Permissions, permissions) && had.Description == c.Description {
		return nil, nil
	}
	added := setOf(permissions) &^ setOf(had.Permissions)
	if added != 0 || !exists {
		if err := s.notSuspended(); err != nil {
			return nil, err
		}
	}
	if err := covers(s.held(c.By, c.At), added, "the role would carry"); err != nil {
		return nil, err.With("role", c.Role)
	}
	if !exists && s.Roles.Len() >= MaxRoles {
		return nil, domain.Refuse(domain.Conflict, "too_many_roles", "a workspace has at most %d roles of its own; delete some first", MaxRoles)
	}
	retired, _ := s.Retired.Get(c.Role)
	return []Event{RoleDefined{c.Role, permissions, c.Description, max(had.Version, retired) + 1, c.By}}, nil
}

func validRoleName(role domain.RoleName) error {
	if _, builtin := builtinSets[role]; builtin {
		return domain.Refuse(domain.Conflict, "builtin_role",
			"%s is built in and can't be changed; define a role of another name", role).With("role", role)
	}
	if !domain.ValidName(string(role)) {
		return domain.Refuse(domain.Invalid, "invalid_role", "a role's name has 1 to 128 of the characters A-Z a-z 0-9 . _ : -")
	}
	return nil
}

func (s State) deleteRole(c DeleteRole) ([]Event, error) {
	if err := first(s.mayAct(c.By, c.At), validRoleName(c.Role)); err != nil {
		return nil, err
	}
	if !s.Roles.Has(c.Role) {
		if s.Retired.Has(c.Role) {
			return nil, nil
		}
		return nil, domain.Refuse(domain.NotFound, "role_unknown", "there is no such role in this workspace")
	}
	if holder, ok := s.holderOf(c.Role); ok {
		return nil, domain.Refuse(domain.Conflict, "role_in_use",
			"somebody holds this role; give them other roles first").With("holder", fmt.Sprint(holder))
	}
	return []Event{RoleDeleted{c.Role, c.By}}, nil
}

// holderOf finds somebody who holds a role, also one whose roles have ended or
// who was only invited: an end can be moved, an invitation accepted.
func (s State) holderOf(role domain.RoleName) (domain.Actor, bool) {
	for id, m := range s.Members.All() {
		if slices.Contains(m.Roles, role) {
			return domain.MemberActor(id), true
		}
	}
	for id, a := range s.Agents.All() {
		if slices.Contains(a.Roles, role) {
			return domain.AgentActor(id), true
		}
	}
	return domain.Actor{}, false
}
