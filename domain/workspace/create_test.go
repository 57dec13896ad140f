package workspace_test

import (
	"strings"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

func create(change func(*workspace.Create)) workspace.Create {
	c := workspace.Create{Workspace: "acme", Name: "Acme", Currency: "EUR",
		Owner:      &workspace.Person{Member: "mb_olga", Subject: "subject of mb_olga", Profile: "profile"},
		OwnerToken: token("tk_olga"), By: operator, At: now}
	if change != nil {
		change(&c)
	}
	return c
}

func TestCreate(t *testing.T) {
	s := given().When(create(nil)).Then(t,
		workspace.Created{Workspace: "acme", Name: "Acme", Currency: "EUR", At: now},
		workspace.MemberInvited{Member: "mb_olga", Subject: "subject of mb_olga", Profile: "profile",
			Roles: roles(domain.RoleOwner), ExpiresAt: now, By: operator, At: now},
		workspace.MemberJoined{Member: "mb_olga", At: now},
		workspace.TokenIssued{Token: "tk_olga", Actor: olga, Name: "laptop", Hash: "hash of tk_olga", By: operator, At: now},
	).State()
	if !s.Exists() || !s.Allows(olga, domain.SubjectErase, now) || s.Actors != 1 {
		t.Fatalf("the owner can't do everything in %+v", s)
	}
	if c, ok := s.TokenByID("tk_olga"); !ok || c.Actor != olga || !c.Live(now) {
		t.Fatalf("the owner's token is %+v, %v", c, ok)
	}
}

func TestCreateWithoutOwner(t *testing.T) {
	given().When(create(func(c *workspace.Create) { c.Owner = nil })).Then(t,
		workspace.Created{Workspace: "acme", Name: "Acme", Currency: "EUR", At: now})
}

func TestCreateRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*workspace.Create)
		kind   domain.Kind
		code   string
	}{
		{"by a member", func(c *workspace.Create) { c.By = olga }, domain.Forbidden, "permission_denied"},
		{"bad id", func(c *workspace.Create) { c.Workspace = "Acme" }, domain.Invalid, "invalid_id"},
		{"system's id", func(c *workspace.Create) { c.Workspace = domain.System }, domain.Invalid, "invalid_id"},
		{"no name", func(c *workspace.Create) { c.Name = " " }, domain.Invalid, "invalid_name"},
		{"long name", func(c *workspace.Create) { c.Name = strings.Repeat("x", 201) }, domain.Invalid, "invalid_name"},
		{"control character", func(c *workspace.Create) { c.Name = "a\nb" }, domain.Invalid, "invalid_name"},
		{"not UTF-8", func(c *workspace.Create) { c.Name = "a\xff" }, domain.Invalid, "invalid_name"},
		{"no currency", func(c *workspace.Create) { c.Currency = "" }, domain.Invalid, "invalid_currency"},
		{"small currency", func(c *workspace.Create) { c.Currency = "eur" }, domain.Invalid, "invalid_currency"},
		{"owner without id", func(c *workspace.Create) { c.Owner.Member = "" }, domain.Invalid, "invalid_member"},
		{"owner without subject", func(c *workspace.Create) { c.Owner.Subject = "" }, domain.Invalid, "invalid_subject"},
		{"token without id", func(c *workspace.Create) { c.OwnerToken.ID = "" }, domain.Invalid, "invalid_token"},
		{"token without hash", func(c *workspace.Create) { c.OwnerToken.Hash = "" }, domain.Invalid, "invalid_hash"},
	} {
		t.Run(row.name, func(t *testing.T) {
			given().When(create(row.change)).Refused(t, row.kind, row.code)
		})
	}
	given(created()...).When(create(nil)).Refused(t, domain.Conflict, "workspace_exists")
}

// commands is one of each but Create, all of them granted in the office.
func commands() []struct {
	name       string
	command    workspace.Command
	whenClosed bool // granted while suspended
} {
	return []struct {
		name       string
		command    workspace.Command
		whenClosed bool
	}{
		{"suspend", workspace.Suspend{By: operator}, true},
		{"resume", workspace.Resume{By: operator}, true},
		{"invite", invite(nil), false},
		{"accept", workspace.AcceptInvitation{InvitationHash: "invitation of mb_ivan", Token: token("tk_ivan"), At: now}, false},
		{"remove member", workspace.RemoveMember{Member: "mb_mia", By: olga, At: now}, true},
		{"give roles", workspace.SetRoles{Actor: mia, Roles: roles(domain.RoleMember, domain.RoleAuditor), By: olga, At: now}, false},
		{"take roles", workspace.SetRoles{Actor: mia, By: olga, At: now}, true},
		{"end roles sooner", workspace.SetRoles{Actor: mia, Roles: roles(domain.RoleMember), Until: &later, By: olga, At: now}, true},
		{"define role", workspace.DefineRole{Role: "new", Permissions: []domain.Permission{domain.BudgetRead}, By: olga, At: now}, false},
		{"widen role", workspace.DefineRole{Role: "clerk", Permissions: []domain.Permission{domain.BudgetRead, domain.BudgetWrite}, By: olga, At: now}, false},
		{"narrow role", workspace.DefineRole{Role: "clerk", By: olga, At: now}, true},
		{"delete role", workspace.DeleteRole{Role: "clerk", By: olga, At: now}, true},
		{"register agent", register(nil), false},
		{"remove agent", workspace.RemoveAgent{Agent: "ag_1", By: olga, At: now}, true},
		{"issue token", workspace.IssueToken{Actor: agent, Token: token("tk_new"), By: olga, At: now}, false},
		{"revoke token", workspace.RevokeToken{Token: "tk_olga", By: olga, At: now}, true},
		{"delegate", workspace.Delegate{Delegation: "dg_1", To: "mb_adam", Until: later, By: olga, At: now}, false},
		{"end delegation", workspace.EndDelegation{Delegation: "dg_office", By: olga, At: now}, true},
		{"order erasure", workspace.OrderErasure{Erasure: "er_1", Subject: "somebody", Reason: "asked", By: olga, At: now}, false},
		{"finish erasure", workspace.FinishErasure{Erasure: "er_office", At: now}, true},
	}
}

func TestEveryCommandNeedsAWorkspace(t *testing.T) {
	for _, row := range commands() {
		t.Run(row.name, func(t *testing.T) {
			given().When(row.command).Refused(t, domain.NotFound, "workspace_unknown")
			office().When(row.command).Accepted(t)
		})
	}
}

func TestSuspensionStopsAllButTakingAway(t *testing.T) {
	for _, row := range commands() {
		t.Run(row.name, func(t *testing.T) {
			if row.whenClosed {
				suspended().When(row.command).Accepted(t)
				return
			}
			suspended().When(row.command).Refused(t, domain.Conflict, "workspace_suspended")
		})
	}
}

func TestStrangersAreRefused(t *testing.T) {
	strangers := map[string]domain.Actor{"operator": operator, "invited": ivan, "removed": mia,
		"unknown": domain.AgentActor("ag_none"), "nobody": {}}
	s := office(workspace.MemberRemoved{Member: "mb_mia", By: olga})
	for name, who := range strangers {
		for what, command := range map[string]workspace.Command{
			"invite":         invite(func(c *workspace.InviteMember) { c.By = who }),
			"remove member":  workspace.RemoveMember{Member: "mb_adam", By: who, At: now},
			"set roles":      workspace.SetRoles{Actor: adam, By: who, At: now},
			"define role":    workspace.DefineRole{Role: "clerk", By: who, At: now},
			"delete role":    workspace.DeleteRole{Role: "clerk", By: who, At: now},
			"register agent": register(func(c *workspace.RegisterAgent) { c.By = who }),
			"remove agent":   workspace.RemoveAgent{Agent: "ag_1", By: who, At: now},
			"issue token":    workspace.IssueToken{Actor: agent, Token: token("tk_new"), By: who, At: now},
			"revoke token":   workspace.RevokeToken{Token: "tk_olga", By: who, At: now},
			"delegate":       workspace.Delegate{Delegation: "dg_1", To: "mb_adam", Until: later, By: who, At: now},
			"end delegation": workspace.EndDelegation{Delegation: "dg_office", By: who, At: now},
			"order erasure":  workspace.OrderErasure{Erasure: "er_1", Subject: "somebody", Reason: "asked", By: who, At: now},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				s.When(command).Refused(t, domain.Forbidden, "permission_denied")
			})
		}
	}
}

func TestSuspendAndResume(t *testing.T) {
	open := office()
	closed := open.When(workspace.Suspend{Reason: "unpaid", By: operator}).Then(t, workspace.Suspended{Reason: "unpaid"})
	if s := closed.State(); !s.Suspended || s.Reason != "unpaid" || !s.Allows(olga, domain.AuditSearch, now) {
		t.Fatal("a suspended workspace stays readable")
	}
	closed.When(workspace.Suspend{Reason: "again", By: operator}).Then(t)
	closed.When(workspace.Resume{By: service}).Then(t, workspace.Resumed{})
	open.When(workspace.Resume{By: operator}).Then(t)
	open.When(workspace.Suspend{By: olga}).Refused(t, domain.Forbidden, "permission_denied")
	closed.When(workspace.Resume{By: olga}).Refused(t, domain.Forbidden, "permission_denied")
	open.When(workspace.Suspend{Reason: strings.Repeat("x", 501), By: operator}).Refused(t, domain.Invalid, "invalid_reason")
	open.When(nil).Refused(t, domain.Invalid, "command_unknown")
}
