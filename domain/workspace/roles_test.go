package workspace_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

func TestSetRoles(t *testing.T) {
	set := workspace.SetRoles{Actor: mia, Roles: roles("clerk", domain.RoleAuditor, "clerk"), Until: &later, By: olga, At: now}
	s := office().When(set).Then(t, workspace.RolesSet{Actor: mia, Roles: roles(domain.RoleAuditor, "clerk"), Until: &later, By: olga, At: now})
	if !s.State().Allows(mia, domain.AuditSearch, now) || s.State().Allows(mia, domain.AuditSearch, later) {
		t.Fatal("the roles hold until their end and no longer")
	}
	s.When(set).Then(t)
	s.When(workspace.SetRoles{Actor: mia, By: olga, At: now}).Then(t, workspace.RolesSet{Actor: mia, By: olga, At: now})
	office().When(workspace.SetRoles{Actor: ivan, Roles: roles("clerk"), By: olga, At: now}).Accepted(t)
	office().When(workspace.SetRoles{Actor: agent, Roles: roles("clerk"), By: olga, At: now}).Accepted(t)
}

// Of two who read the same roles and change them, one is refused.
func TestSetRolesIfVersion(t *testing.T) {
	for _, who := range []domain.Actor{mia, ivan, agent} {
		t.Run(who.String(), func(t *testing.T) {
			set := func(version int, names ...domain.RoleName) workspace.SetRoles {
				return workspace.SetRoles{Actor: who, Roles: roles(names...), IfVersion: &version, By: olga, At: now}
			}
			office().When(set(0, "clerk")).Refused(t, domain.Stale, "version_mismatch")
			changed := office().When(set(1, "clerk")).Accepted(t)
			refusal := changed.When(set(1, domain.RoleAgent)).Refused(t, domain.Stale, "version_mismatch")
			if refusal.Facts["version"] != 2 {
				t.Fatalf("the version that stands is told as %v", refusal.Facts["version"])
			}
			changed.When(set(1, "clerk")).Refused(t, domain.Stale, "version_mismatch")
			changed.When(set(2, "clerk")).Then(t) // as it is already: no new version
			// Going back to what was is a new version.
			changed.When(set(2)).Accepted(t).When(set(3, "clerk")).Accepted(t).When(set(2)).Refused(t, domain.Stale, "version_mismatch")
		})
	}
	joins := workspace.AcceptInvitation{InvitationHash: "invitation of mb_ivan", Token: token("tk_ivan"), At: now}
	if m, _ := office().When(joins).Accepted(t).State().Members.Get("mb_ivan"); m.RolesVersion != 1 {
		t.Fatalf("joining made version %d of the roles", m.RolesVersion)
	}
}

func TestSetRolesRefused(t *testing.T) {
	many := make([]domain.RoleName, 0, 21)
	for i := range 21 {
		many = append(many, domain.RoleName(fmt.Sprint("r", i)))
	}
	for _, row := range []struct {
		name    string
		command workspace.SetRoles
		kind    domain.Kind
		code    string
	}{
		{"end in the past", workspace.SetRoles{Actor: mia, Roles: roles("clerk"), Until: &now}, domain.Invalid, "invalid_until"},
		{"unknown role", workspace.SetRoles{Actor: mia, Roles: roles("none")}, domain.Invalid, "role_unknown"},
		{"too many", workspace.SetRoles{Actor: mia, Roles: many}, domain.Invalid, "too_many_roles"},
		{"unknown member", workspace.SetRoles{Actor: domain.MemberActor("mb_none")}, domain.NotFound, "member_unknown"},
		{"unknown agent", workspace.SetRoles{Actor: domain.AgentActor("ag_none")}, domain.NotFound, "agent_unknown"},
		{"the operator", workspace.SetRoles{Actor: operator}, domain.Invalid, "invalid_actor"},
		{"an owner that is an agent", workspace.SetRoles{Actor: agent, Roles: roles(domain.RoleOwner)}, domain.Invalid, "human_only"},
		{"an agent that decides", workspace.SetRoles{Actor: agent, Roles: roles(domain.RoleOperationsSupervisor)}, domain.Invalid, "human_only"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.command.By, row.command.At = olga, now
			office().When(row.command).Refused(t, row.kind, row.code)
		})
	}
	office(workspace.MemberRemoved{Member: "mb_mia"}).When(workspace.SetRoles{Actor: mia, By: olga, At: now}).Refused(t, domain.NotFound, "member_unknown")
	office(workspace.AgentRemoved{Agent: "ag_1"}).When(workspace.SetRoles{Actor: agent, By: olga, At: now}).Refused(t, domain.NotFound, "agent_unknown")
}

// Nobody grants what they do not hold, on any way a permission can travel.
func TestCannotGrant(t *testing.T) {
	writer := workspace.RoleDefined{Role: "writer", Permissions: []domain.Permission{domain.BudgetRead, domain.PolicyWrite}, Version: 1, By: olga}
	ending := []workspace.Event{writer, workspace.RolesSet{Actor: mia, Roles: roles("writer"), Until: &later, By: olga, At: earlier}}
	armed := []workspace.Event{writer, workspace.RolesSet{Actor: agent, Roles: roles("writer"), By: olga, At: earlier}}
	for _, row := range []struct {
		name    string
		before  []workspace.Event
		command func(by domain.Actor) workspace.Command
		missing domain.Permission
	}{
		{"invite", []workspace.Event{writer}, func(by domain.Actor) workspace.Command {
			return invite(func(c *workspace.InviteMember) { c.Roles, c.By = roles(domain.RoleMember, "writer"), by })
		}, domain.PolicyWrite},
		{"invite into a built-in role", nil, func(by domain.Actor) workspace.Command {
			return invite(func(c *workspace.InviteMember) { c.Roles, c.By = roles(domain.RoleAuditor), by })
		}, domain.AuditSearch},
		{"set roles", []workspace.Event{writer}, func(by domain.Actor) workspace.Command {
			return workspace.SetRoles{Actor: mia, Roles: roles("writer"), By: by, At: now}
		}, domain.PolicyWrite},
		{"set one's own roles", []workspace.Event{writer}, func(by domain.Actor) workspace.Command {
			return workspace.SetRoles{Actor: by, Roles: roles("writer", domain.RoleOwner)[:1], By: by, At: now}
		}, domain.PolicyWrite},
		{"set the roles of who was invited", []workspace.Event{writer}, func(by domain.Actor) workspace.Command {
			return workspace.SetRoles{Actor: ivan, Roles: roles("writer"), By: by, At: now}
		}, domain.PolicyWrite},
		{"move the end of roles", ending, func(by domain.Actor) workspace.Command {
			return workspace.SetRoles{Actor: mia, Roles: roles("writer"), Until: ptr(later.Add(1)), By: by, At: now}
		}, domain.PolicyWrite},
		{"take the end away", ending, func(by domain.Actor) workspace.Command {
			return workspace.SetRoles{Actor: mia, Roles: roles("writer"), By: by, At: now}
		}, domain.PolicyWrite},
		{"revive roles that ended", ending, func(by domain.Actor) workspace.Command {
			return workspace.SetRoles{Actor: mia, Roles: roles("writer"), Until: ptr(later.Add(2)), By: by, At: later.Add(1)}
		}, domain.PolicyWrite},
		{"define a role", nil, func(by domain.Actor) workspace.Command {
			return workspace.DefineRole{Role: "new", Permissions: []domain.Permission{domain.PolicyWrite}, By: by, At: now}
		}, domain.PolicyWrite},
		{"widen a role that others hold", []workspace.Event{workspace.RolesSet{Actor: mia, Roles: roles("clerk"), By: olga, At: earlier}},
			func(by domain.Actor) workspace.Command {
				return workspace.DefineRole{Role: "clerk", Permissions: []domain.Permission{domain.BudgetRead, domain.KeyManage, domain.SubjectErase}, By: by, At: now}
			}, domain.SubjectErase},
		{"register an agent", []workspace.Event{writer}, func(by domain.Actor) workspace.Command {
			return register(func(c *workspace.RegisterAgent) { c.Roles, c.By = roles(domain.RoleAgent, "writer"), by })
		}, domain.PolicyWrite},
		{"set an agent's roles", []workspace.Event{writer}, func(by domain.Actor) workspace.Command {
			return workspace.SetRoles{Actor: agent, Roles: roles("writer"), By: by, At: now}
		}, domain.PolicyWrite},
		{"issue a token of an agent that may do more", armed, func(by domain.Actor) workspace.Command {
			return workspace.IssueToken{Actor: agent, Token: token("tk_new"), By: by, At: now}
		}, domain.PolicyWrite},
	} {
		t.Run(row.name, func(t *testing.T) {
			refusal := office(row.before...).When(row.command(adam)).Refused(t, domain.Forbidden, "cannot_grant")
			if refusal.Facts["permission"] != row.missing {
				t.Fatalf("names %v, want %s", refusal.Facts["permission"], row.missing)
			}
			if row.name == "set one's own roles" {
				return
			}
			office(row.before...).When(row.command(olga)).Accepted(t)
			office(row.before...).When(row.command(service)).Accepted(t)
		})
	}
}

// Roles that ended give nothing to hand on.
func TestCannotGrantWhatEnded(t *testing.T) {
	s := office(workspace.RolesSet{Actor: adam, Roles: roles(domain.RoleAdmin), Until: &later, By: olga, At: earlier})
	command := func(c *workspace.InviteMember) { c.By = adam }
	s.When(invite(command)).Accepted(t)
	s.When(invite(func(c *workspace.InviteMember) { command(c); c.At, c.ExpiresAt = later, later.Add(1) })).
		Refused(t, domain.Forbidden, "cannot_grant")
}

// Taking away and leaving alone need nothing.
func TestTakingAwayIsNoGrant(t *testing.T) {
	auditor := workspace.RolesSet{Actor: mia, Roles: roles(domain.RoleAuditor, domain.RoleMember), By: olga, At: earlier}
	for name, command := range map[string]workspace.Command{
		"fewer roles":    workspace.SetRoles{Actor: mia, Roles: roles(domain.RoleAuditor), By: adam, At: now},
		"a sooner end":   workspace.SetRoles{Actor: mia, Roles: roles(domain.RoleAuditor, domain.RoleMember), Until: &later, By: adam, At: now},
		"a role of less": workspace.DefineRole{Role: "mighty", Permissions: []domain.Permission{domain.SubjectErase}, By: adam, At: now},
	} {
		t.Run(name, func(t *testing.T) {
			mighty := workspace.RoleDefined{Role: "mighty", Permissions: []domain.Permission{domain.PolicyWrite, domain.SubjectErase}, Version: 1}
			office(auditor, mighty).When(command).Accepted(t)
		})
	}
}

// An admin can look after agents although admins request no executions.
func TestAgentsMayBeGivenTheirPurpose(t *testing.T) {
	office().When(register(func(c *workspace.RegisterAgent) { c.By = adam })).Accepted(t)
	office().When(workspace.IssueToken{Actor: agent, Token: token("tk_new"), By: adam, At: now}).Accepted(t)
	office().When(invite(func(c *workspace.InviteMember) { c.Roles, c.By = roles(domain.RoleAgent), adam })).
		Refused(t, domain.Forbidden, "cannot_grant")
	office().When(register(func(c *workspace.RegisterAgent) { c.By = mia })).Refused(t, domain.Forbidden, "cannot_grant")
	office().When(workspace.IssueToken{Actor: agent, Token: token("tk_new"), By: mia, At: now}).Refused(t, domain.Forbidden, "cannot_grant")
}

func TestDefineRole(t *testing.T) {
	define := workspace.DefineRole{Role: "reader", Permissions: []domain.Permission{domain.PolicyRead, domain.BudgetRead, domain.PolicyRead},
		Description: "reads", By: olga, At: now}
	sorted := []domain.Permission{domain.BudgetRead, domain.PolicyRead}
	s := office().When(define).Then(t, workspace.RoleDefined{Role: "reader", Permissions: sorted, Description: "reads", Version: 1, By: olga})
	s.When(define).Then(t)
	define.Description = "still reads"
	s.When(define).Then(t, workspace.RoleDefined{Role: "reader", Permissions: sorted, Description: "still reads", Version: 2, By: olga})

	// A role made anew goes on counting, so that If-Match never meets an old version.
	gone := s.When(workspace.DeleteRole{Role: "reader", By: olga, At: now}).Then(t, workspace.RoleDeleted{Role: "reader", By: olga})
	gone.When(workspace.DeleteRole{Role: "reader", By: olga, At: now}).Then(t)
	anew := gone.When(define).Then(t, workspace.RoleDefined{Role: "reader", Permissions: sorted, Description: "still reads", Version: 2, By: olga})
	anew.When(workspace.DeleteRole{Role: "reader", By: olga, At: now}).Accepted(t)
}

func TestDefineRoleRefused(t *testing.T) {
	for _, row := range []struct {
		name    string
		command workspace.DefineRole
		kind    domain.Kind
		code    string
	}{
		{"built in", workspace.DefineRole{Role: domain.RoleAgent}, domain.Conflict, "builtin_role"},
		{"bad name", workspace.DefineRole{Role: "a b"}, domain.Invalid, "invalid_role"},
		{"unknown permission", workspace.DefineRole{Role: "x", Permissions: []domain.Permission{"fly"}}, domain.Invalid, "permission_unknown"},
		{"long description", workspace.DefineRole{Role: "x", Description: strings.Repeat("x", 501)}, domain.Invalid, "invalid_description"},
		{"exists already", workspace.DefineRole{Role: "clerk", IfVersion: ptr(0)}, domain.Stale, "version_mismatch"},
		{"another version", workspace.DefineRole{Role: "clerk", IfVersion: ptr(2)}, domain.Stale, "version_mismatch"},
		{"does not exist", workspace.DefineRole{Role: "x", IfVersion: ptr(1)}, domain.Stale, "version_mismatch"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.command.By, row.command.At = olga, now
			office().When(row.command).Refused(t, row.kind, row.code)
		})
	}
	office().When(workspace.DefineRole{Role: "clerk", IfVersion: ptr(1), By: olga, At: now}).Accepted(t)

	var crowd []workspace.Event
	for i := range workspace.MaxRoles {
		crowd = append(crowd, workspace.RoleDefined{Role: domain.RoleName(fmt.Sprint("r", i)), Version: 1})
	}
	given(append(created(), crowd...)...).When(workspace.DefineRole{Role: "x", By: olga, At: now}).Refused(t, domain.Conflict, "too_many_roles")
}

func TestDeleteRoleRefused(t *testing.T) {
	del := workspace.DeleteRole{Role: "clerk", By: olga, At: now}
	office().When(del).Accepted(t)
	for name, event := range map[string]workspace.Event{
		"a member":                workspace.RolesSet{Actor: mia, Roles: roles("clerk"), By: olga, At: earlier},
		"somebody who is invited": workspace.RolesSet{Actor: ivan, Roles: roles("clerk"), By: olga, At: earlier},
		"an agent":                workspace.RolesSet{Actor: agent, Roles: roles("clerk"), By: olga, At: earlier},
		"for a time that is over": workspace.RolesSet{Actor: mia, Roles: roles("clerk"), Until: &earlier, By: olga, At: earlier},
	} {
		t.Run(name, func(t *testing.T) { office(event).When(del).Refused(t, domain.Conflict, "role_in_use") })
	}
	office(workspace.RolesSet{Actor: mia, Roles: roles("clerk")}, workspace.MemberRemoved{Member: "mb_mia"}).When(del).Accepted(t)
	office().When(workspace.DeleteRole{Role: "none", By: olga, At: now}).Refused(t, domain.NotFound, "role_unknown")
	office().When(workspace.DeleteRole{Role: domain.RoleOwner, By: olga, At: now}).Refused(t, domain.Conflict, "builtin_role")
}
