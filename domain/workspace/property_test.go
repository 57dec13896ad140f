package workspace_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

var (
	people     = []domain.Actor{olga, adam, mia, ivan}
	machines   = []domain.Actor{agent, domain.AgentActor("ag_2")}
	anyone     = append(slices.Clone(people), machines...)
	someRoles  = append(domain.BuiltinRoles(), "clerk", "custom")
	somePowers = []domain.Permission{domain.BudgetRead, domain.PolicyWrite, domain.ApprovalDecide, domain.RoleWrite, domain.SubjectErase}
)

// draw makes a command of any kind, sensible or not.
func draw(t *rapid.T, n int, at time.Time) workspace.Command {
	by := rapid.SampledFrom(anyone).Draw(t, "by")
	who := rapid.SampledFrom(anyone).Draw(t, "who")
	names := rapid.SliceOfN(rapid.SampledFrom(someRoles), 0, 2).Draw(t, "roles")
	var until *time.Time
	if minutes := rapid.IntRange(0, 60).Draw(t, "until"); minutes > 0 {
		until = ptr(at.Add(time.Duration(minutes-5) * time.Minute))
	}
	fresh := token(domain.CredentialID(fmt.Sprint("tk_", n)))
	switch rapid.IntRange(0, 16).Draw(t, "command") {
	case 0:
		id := domain.MemberID(fmt.Sprint("mb_", n))
		return workspace.InviteMember{Person: workspace.Person{Member: id, Subject: domain.SubjectTag("subject of " + who.ID)}, Roles: names,
			InvitationHash: domain.Digest("invitation of " + id), ExpiresAt: at.Add(10 * time.Minute), By: by, At: at}
	case 1:
		id := fmt.Sprint("mb_", rapid.IntRange(0, n).Draw(t, "invitation"))
		return workspace.AcceptInvitation{InvitationHash: domain.Digest("invitation of " + id), Token: fresh, At: at}
	case 2:
		return workspace.RemoveMember{Member: domain.MemberID(who.ID), By: by, At: at}
	case 3:
		powers := rapid.SliceOfN(rapid.SampledFrom(somePowers), 0, 3).Draw(t, "permissions")
		return workspace.DefineRole{Role: "custom", Permissions: powers, By: by, At: at}
	case 4:
		return workspace.DeleteRole{Role: "custom", By: by, At: at}
	case 5:
		return workspace.RegisterAgent{Agent: domain.AgentID(fmt.Sprint("ag_", n)), Name: "n", Roles: names, By: by, At: at}
	case 6:
		return workspace.RemoveAgent{Agent: domain.AgentID(who.ID), By: by, At: at}
	case 7:
		return workspace.IssueToken{Actor: who, Token: fresh, By: by, At: at}
	case 8, 9:
		c := workspace.Delegate{Delegation: domain.DelegationID(fmt.Sprint("dg_", n)), To: domain.MemberID(who.ID), Roles: names, By: by, At: at}
		c.Start = at.Add(time.Duration(rapid.IntRange(-5, 30).Draw(t, "start")) * time.Minute)
		c.Until = c.Start.Add(time.Duration(rapid.IntRange(-1, 60).Draw(t, "absence")) * time.Minute)
		return c
	case 10:
		return workspace.EndDelegation{Delegation: domain.DelegationID(fmt.Sprint("dg_", rapid.IntRange(0, n).Draw(t, "delegation"))), By: by, At: at}
	case 11:
		return workspace.RevokeToken{Token: domain.CredentialID(fmt.Sprint("tk_", rapid.IntRange(0, n).Draw(t, "token"))), By: by, At: at}
	case 12:
		return workspace.OrderErasure{Erasure: domain.ErasureID(fmt.Sprint("er_", n)), Subject: domain.SubjectTag("subject of " + who.ID), Reason: "r", By: by, At: at}
	case 13:
		return workspace.FinishErasure{Erasure: domain.ErasureID(fmt.Sprint("er_", rapid.IntRange(0, n).Draw(t, "erasure"))), Keys: []string{"k"}, At: at}
	}
	return workspace.SetRoles{Actor: who, Roles: names, Until: until, By: by, At: at}
}

// giver answers who would be giving, if a command gives anything.
func giver(c workspace.Command) (domain.Actor, bool) {
	switch c := c.(type) {
	case workspace.SetRoles:
		return c.By, true
	case workspace.DefineRole:
		return c.By, true
	case workspace.RegisterAgent:
		return c.By, true
	}
	return domain.Actor{}, false
}

// Whatever is asked in whatever order: there is always a lasting owner, rights
// only flow downwards, agents never decide approvals, who stands in for another
// has nothing that the other does not hold, and the indexes agree with what
// they index.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, at := office(workspace.AgentRegistered{Agent: "ag_2", Name: "n", Roles: roles(domain.RoleAdmin), Workflows: []domain.Workflow{"*"}, By: olga}).State(), now
		for n := range rapid.IntRange(1, 40).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 15).Draw(t, "minutes")) * time.Minute)
			command := draw(t, n, at)
			events, err := s.Decide(command)
			if err != nil {
				continue
			}
			before := s
			s = domain.Fold(s, events...)
			downwards(t, before, s, command, at)
			sound(t, s, at)
			standsIn(t, s, at)
		}
	})
}

func downwards(t *rapid.T, before, after workspace.State, c workspace.Command, at time.Time) {
	by, gives := giver(c)
	for _, info := range domain.Permissions() {
		p := info.Permission
		for _, actor := range after.WhoMay(p, at) {
			if before.Allows(actor, p, at) || !gives || before.Allows(by, p, at) {
				continue
			}
			if actor.Kind == domain.KindAgent && p == domain.ExecutionRequest && before.Allows(by, domain.AgentManage, at) {
				continue
			}
			t.Fatalf("%v gave %s to %v by %T and did not hold it", by, p, actor, c)
		}
	}
}

func sound(t *rapid.T, s workspace.State, at time.Time) {
	actors, owners, subjects := 0, 0, 0
	for id, m := range s.Members.All() {
		if m.Status == workspace.Removed {
			continue
		}
		actors++
		if holder, ok := s.MemberBySubject(m.Subject); !ok || holder != id {
			t.Fatalf("subject %s is of %s, not of %s", m.Subject, holder, id)
		}
		subjects++
		if m.Status == workspace.Joined && m.Until == nil && slices.Contains(m.Roles, domain.RoleOwner) {
			owners++
		}
	}
	for id, a := range s.Agents.All() {
		if a.Removed {
			continue
		}
		actors++
		if s.Allows(domain.AgentActor(id), domain.ApprovalDecide, at) || slices.Contains(a.Roles, domain.RoleOwner) {
			t.Fatalf("agent %s decides approvals", id)
		}
	}
	if actors != s.Actors || subjects != s.Subjects.Len() || owners == 0 {
		t.Fatalf("%d actors, counted as %d; %d subjects, indexed %d; %d lasting owners", actors, s.Actors, subjects, s.Subjects.Len(), owners)
	}
	for id, c := range s.Tokens.All() {
		if found, _, ok := s.TokenByHash(c.Hash); !ok || found != id || !slices.Contains(s.TokensBy(c.Actor), id) {
			t.Fatalf("token %s is not found by its hash or its actor", id)
		}
		if c.Live(at) && !s.Active(c.Actor, at) {
			t.Fatalf("token %s of %v, who is gone, lives", id, c.Actor)
		}
	}
}

func standsIn(t *rapid.T, s workspace.State, at time.Time) {
	for from, absent := range s.Members.All() {
		ids, _ := s.DelegationsOf.Get(from)
		if len(ids) > workspace.MaxDelegations || len(ids) > 0 && absent.Status == workspace.Removed {
			t.Fatalf("%s, who %s, has %d delegations", from, absent.Status, len(ids))
		}
		for to, m := range s.Members.All() {
			id, delegated := s.Delegated(to, from, at)
			if (id == "") != (len(delegated) == 0) || id != "" && (to == from || m.Status != workspace.Joined || !slices.Contains(ids, id)) {
				t.Fatalf("%s, who %s, has %v of %s under %q", to, m.Status, delegated, from, id)
			}
			if id != "" && !s.Allows(domain.MemberActor(from), domain.ApprovalDecide, at) {
				t.Fatalf("%s decides for %s, who may not", to, from)
			}
			for _, role := range delegated {
				if !slices.Contains(s.RolesOf(domain.MemberActor(from), at), role) {
					t.Fatalf("%s has %s of %s, who does not hold it", to, role, from)
				}
			}
		}
	}
	indexed := 0
	for from, ids := range s.DelegationsOf.All() {
		for _, id := range ids {
			if d, ok := s.Delegations.Get(id); !ok || d.From != from {
				t.Fatalf("delegation %s is indexed under %s", id, from)
			}
			indexed++
		}
	}
	if indexed != s.Delegations.Len() {
		t.Fatalf("%d delegations, %d indexed", s.Delegations.Len(), indexed)
	}
}
