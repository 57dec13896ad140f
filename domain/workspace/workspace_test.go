package workspace_test

import (
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/workspace"
)

// The people of these tests: olga is the first owner, adam an admin, mia a
// member, ivan is invited; ag_1 is an agent.
var (
	now      = time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC)
	later    = now.Add(time.Hour)
	earlier  = now.Add(-time.Hour)
	operator = domain.Operator()
	service  = domain.Service("test")
	olga     = domain.MemberActor("mb_olga")
	adam     = domain.MemberActor("mb_adam")
	mia      = domain.MemberActor("mb_mia")
	ivan     = domain.MemberActor("mb_ivan")
	agent    = domain.AgentActor("ag_1")
)

type story = domaintest.Story[workspace.State, workspace.Command, workspace.Event]

func given(events ...workspace.Event) story { return domaintest.Given[workspace.State](events...) }

func roles(names ...domain.RoleName) []domain.RoleName {
	return append([]domain.RoleName{}, names...)
}

func created() []workspace.Event {
	return []workspace.Event{
		workspace.Created{Workspace: "acme", Name: "Acme", Currency: "EUR", At: earlier},
		invited("mb_olga", domain.RoleOwner), joined("mb_olga"),
		issued("tk_olga", olga),
	}
}

func invited(id domain.MemberID, names ...domain.RoleName) workspace.MemberInvited {
	return workspace.MemberInvited{Member: id, Subject: domain.SubjectTag("subject of " + id), Profile: "profile", Roles: names,
		InvitationHash: domain.Digest("invitation of " + id), ExpiresAt: later, By: olga, At: earlier}
}

func joined(id domain.MemberID) workspace.MemberJoined {
	return workspace.MemberJoined{Member: id, At: earlier}
}

func issued(id domain.CredentialID, actor domain.Actor) workspace.TokenIssued {
	return workspace.TokenIssued{Token: id, Actor: actor, Name: "laptop", Hash: domain.Digest("hash of " + id), By: actor, At: earlier}
}

func token(id domain.CredentialID) workspace.Token {
	return workspace.Token{ID: id, Name: "laptop", Hash: domain.Digest("hash of " + id)}
}

// office is a workspace with everybody in it.
func office(more ...workspace.Event) story {
	return given(created()...).And(
		invited("mb_adam", domain.RoleAdmin), joined("mb_adam"),
		invited("mb_mia", domain.RoleMember), joined("mb_mia"),
		invited("mb_ivan", domain.RoleMember),
		workspace.AgentRegistered{Agent: "ag_1", Name: "bookkeeper", Roles: roles(domain.RoleAgent),
			Workflows: []domain.Workflow{"invoices"}, By: olga, At: earlier},
		workspace.RoleDefined{Role: "clerk", Permissions: []domain.Permission{domain.BudgetRead}, Version: 1, By: olga},
		workspace.Delegated{Delegation: "dg_office", From: "mb_olga", To: "mb_mia", Roles: roles(domain.RoleOwner), Start: now, Until: later, At: earlier},
		workspace.SubjectErasureOrdered{Erasure: "er_office", Subject: "a customer", Reason: "asked", By: olga, At: earlier},
	).And(more...)
}

func suspended() story { return office(workspace.Suspended{Reason: "unpaid"}) }

func ptr[T any](v T) *T { return &v }
