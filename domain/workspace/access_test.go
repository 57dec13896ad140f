package workspace_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

func TestAllows(t *testing.T) {
	s := office(
		workspace.RolesSet{Actor: mia, Roles: roles("clerk"), Until: &later, By: olga, At: earlier},
		workspace.RoleDefined{Role: "mixed", Permissions: []domain.Permission{domain.ApprovalDecide, domain.ReplayRun}, Version: 1},
		workspace.RolesSet{Actor: agent, Roles: roles(domain.RoleAgent, "mixed"), By: olga, At: earlier},
	).State()
	for _, row := range []struct {
		name       string
		actor      domain.Actor
		permission domain.Permission
		want       bool
	}{
		{"owner, anything", olga, domain.SubjectErase, true},
		{"admin, what admins may", adam, domain.RoleWrite, true},
		{"admin, what admins may not", adam, domain.AuditReadContent, false},
		{"custom role", mia, domain.BudgetRead, true},
		{"beyond the custom role", mia, domain.MemberRead, false},
		{"invited", ivan, domain.MemberRead, false},
		{"agent", agent, domain.ExecutionRequest, true},
		{"agent by a custom role", agent, domain.ReplayRun, true},
		{"agent, what only humans may", agent, domain.ApprovalDecide, false},
		{"service", service, domain.KeyManage, true},
		{"operator", operator, domain.MemberRead, false},
		{"member's id as an agent's", domain.AgentActor("mb_olga"), domain.MemberRead, false},
		{"nobody", domain.Actor{}, domain.MemberRead, false},
		{"no such permission", olga, "fly", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := s.Allows(row.actor, row.permission, now); got != row.want {
				t.Fatalf("got %v, want %v", got, row.want)
			}
			if row.actor != service {
				if listed := slices.Contains(s.Permissions(row.actor, now), row.permission); listed != row.want {
					t.Fatalf("listed: %v, want %v", listed, row.want)
				}
			}
		})
	}
	if s.Allows(mia, domain.BudgetRead, later) || len(s.Permissions(mia, later)) != 0 || len(s.RolesOf(mia, later)) != 0 {
		t.Fatal("roles outlived their end")
	}
	if !s.Active(mia, later) {
		t.Fatal("a member without roles is still a member")
	}
	if (workspace.State{}).Allows(service, domain.KeyManage, now) {
		t.Fatal("there is nothing to allow where there is no workspace")
	}
}

func TestWhyAndWho(t *testing.T) {
	s := office().State()
	if role, ok := s.Why(adam, domain.RoleWrite, now); !ok || role != domain.RoleAdmin {
		t.Fatalf("because of %q, %v", role, ok)
	}
	if _, ok := s.Why(mia, domain.RoleWrite, now); ok {
		t.Fatal("a reason for what is not allowed")
	}
	if diff := cmp.Diff([]domain.Actor{adam, olga}, s.WhoMay(domain.RoleWrite, now)); diff != "" {
		t.Fatalf("who may write roles (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]domain.Actor{olga, agent}, s.WhoMay(domain.ExecutionRequest, now)); diff != "" {
		t.Fatalf("who may request (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(roles(domain.RoleAdmin), s.RolesOf(adam, now)); diff != "" {
		t.Fatalf("roles (-want +got):\n%s", diff)
	}
	if p, ok := s.RolePermissions("clerk"); !ok || !slices.Equal(p, []domain.Permission{domain.BudgetRead}) {
		t.Fatalf("clerk carries %v, %v", p, ok)
	}
	if p, ok := s.RolePermissions(domain.RoleAgent); !ok || !slices.Equal(p, []domain.Permission{domain.ExecutionRequest}) {
		t.Fatalf("agent carries %v, %v", p, ok)
	}
	if _, ok := s.RolePermissions("none"); ok {
		t.Fatal("a role that is none carries something")
	}
}

// Permissions by role agree with the table in package domain, for every pair.
func TestBuiltinRolesCarryTheirPermissions(t *testing.T) {
	for _, role := range domain.BuiltinRoles() {
		carried, _ := domain.BuiltinRole(role)
		s := office(workspace.RolesSet{Actor: mia, Roles: roles(role), By: olga, At: earlier}).State()
		for _, info := range domain.Permissions() {
			want := slices.Contains(carried, info.Permission)
			if got := s.Allows(mia, info.Permission, now); got != want {
				t.Errorf("%s, %s: got %v, want %v", role, info.Permission, got, want)
			}
		}
	}
}

func TestAllowsAllocatesNothing(t *testing.T) {
	s := office(workspace.RolesSet{Actor: mia, Roles: roles(domain.RoleMember, "clerk"), Until: &later, By: olga, At: earlier}).State()
	if n := testing.AllocsPerRun(100, func() {
		s.Allows(mia, domain.BudgetRead, now)
		s.Allows(mia, domain.KeyManage, now)
		s.Active(agent, now)
		s.AgentAllowsWorkflow("ag_1", "invoices")
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkAllows(b *testing.B) {
	s := office(workspace.RolesSet{Actor: mia, Roles: roles(domain.RoleMember, "clerk"), By: olga, At: earlier}).State()
	b.ReportAllocs()
	for b.Loop() {
		s.Allows(mia, domain.KeyManage, now)
	}
}
