package workspace_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

func TestRights(t *testing.T) {
	s := office(
		workspace.RoleDefined{Role: "mixed", Permissions: []domain.Permission{domain.ApprovalDecide, domain.BudgetRead}, Version: 1, By: olga},
		workspace.RolesSet{Actor: mia, Roles: roles("mixed", "clerk"), Until: &later, By: adam, At: earlier},
		workspace.RolesSet{Actor: agent, Roles: roles(domain.RoleAgent, "mixed"), By: olga, At: earlier},
	).State()
	right := func(a domain.Actor, p domain.Permission, r domain.RoleName, by domain.Actor) workspace.Right {
		return workspace.Right{Actor: a, Permission: p, Role: r, By: by}
	}
	until := func(r workspace.Right) workspace.Right { r.Until = &later; return r }
	for _, row := range []struct {
		name       string
		actor      domain.Actor
		permission domain.Permission
		want       []workspace.Right
	}{
		{"of somebody with two roles that overlap", mia, "", []workspace.Right{until(right(mia, domain.BudgetRead, "mixed", adam)),
			until(right(mia, domain.BudgetRead, "clerk", adam)), until(right(mia, domain.ApprovalDecide, "mixed", adam))}},
		{"of an agent, without what only people may", agent, "", []workspace.Right{right(agent, domain.BudgetRead, "mixed", olga),
			right(agent, domain.ExecutionRequest, domain.RoleAgent, olga)}},
		{"to a permission", domain.Actor{}, domain.BudgetRead, []workspace.Right{right(adam, domain.BudgetRead, domain.RoleAdmin, olga),
			until(right(mia, domain.BudgetRead, "mixed", adam)), until(right(mia, domain.BudgetRead, "clerk", adam)),
			right(olga, domain.BudgetRead, domain.RoleOwner, olga), right(agent, domain.BudgetRead, "mixed", olga)}},
		{"of one to another's", mia, domain.KeyManage, nil},
		{"of somebody invited", ivan, "", nil},
		{"of the operator", operator, "", nil},
		{"of the service", service, "", nil},
		{"of somebody unknown", domain.MemberActor("mb_x"), "", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, s.Rights(row.actor, row.permission, now)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if after := s.Rights(mia, "", later); after != nil {
		t.Errorf("after the end of its roles: %v", after)
	}
	if gone := s.Evolve(workspace.MemberRemoved{Member: "mb_mia", By: olga}).Rights(mia, "", now); gone != nil {
		t.Errorf("after the removal: %v", gone)
	}
}

// The matrix says what the decisions say, for everybody and everything.
func TestRightsAgreeWithAllows(t *testing.T) {
	s := office(workspace.RolesSet{Actor: mia, Roles: roles("clerk", domain.RoleAuditor), Until: &later, By: olga, At: earlier}).State()
	all := s.Rights(domain.Actor{}, "", now)
	for _, actor := range []domain.Actor{olga, adam, mia, ivan, agent} {
		for _, info := range domain.Permissions() {
			listed := slices.ContainsFunc(all, func(r workspace.Right) bool { return r.Actor == actor && r.Permission == info.Permission })
			if want := s.Allows(actor, info.Permission, now); listed != want {
				t.Errorf("%s, %s: listed %v, allowed %v", actor, info.Permission, listed, want)
			}
		}
	}
}
