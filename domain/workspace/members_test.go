package workspace_test

import (
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

func invite(change func(*workspace.InviteMember)) workspace.InviteMember {
	c := workspace.InviteMember{
		Person: workspace.Person{Member: "mb_new", Subject: "subject of mb_new", Profile: "profile"},
		Roles:  roles(domain.RoleMember), InvitationHash: "invitation of mb_new", ExpiresAt: later, By: olga, At: now,
	}
	if change != nil {
		change(&c)
	}
	return c
}

func TestInvite(t *testing.T) {
	want := workspace.MemberInvited{Member: "mb_new", Subject: "subject of mb_new", Profile: "profile", Roles: roles(domain.RoleAuditor, domain.RoleMember),
		InvitationHash: "invitation of mb_new", ExpiresAt: later, By: olga, At: now}
	s := office().When(invite(func(c *workspace.InviteMember) {
		c.Roles = roles(domain.RoleMember, domain.RoleAuditor, domain.RoleMember)
	})).Then(t, want)
	if s.State().Active(domain.MemberActor("mb_new"), now) || s.State().Allows(domain.MemberActor("mb_new"), domain.MemberRead, now) {
		t.Fatal("who was only invited may do nothing")
	}
	if id, ok := s.State().MemberBySubject("subject of mb_new"); !ok || id != "mb_new" {
		t.Fatalf("the subject is %q, %v", id, ok)
	}
	s.When(invite(nil)).Then(t) // a repeat
	s.When(invite(func(c *workspace.InviteMember) { c.Person.Subject = "another" })).Refused(t, domain.Conflict, "member_exists")
}

func TestInviteRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*workspace.InviteMember)
		kind   domain.Kind
		code   string
	}{
		{"no member", func(c *workspace.InviteMember) { c.Person.Member = "" }, domain.Invalid, "invalid_member"},
		{"no subject", func(c *workspace.InviteMember) { c.Person.Subject = "" }, domain.Invalid, "invalid_subject"},
		{"no invitation", func(c *workspace.InviteMember) { c.InvitationHash = "" }, domain.Invalid, "invalid_invitation"},
		{"ended already", func(c *workspace.InviteMember) { c.ExpiresAt = now }, domain.Invalid, "invalid_expires_at"},
		{"unknown role", func(c *workspace.InviteMember) { c.Roles = roles("none") }, domain.Invalid, "role_unknown"},
		{"a used invitation", func(c *workspace.InviteMember) { c.InvitationHash = "invitation of mb_mia" }, domain.Conflict, "invitation_exists"},
		{"a member", func(c *workspace.InviteMember) { c.Person.Subject = "subject of mb_mia" }, domain.Conflict, "member_exists"},
		{"somebody invited", func(c *workspace.InviteMember) { c.Person.Subject = "subject of mb_ivan" }, domain.Conflict, "member_exists"},
	} {
		t.Run(row.name, func(t *testing.T) {
			office().When(invite(row.change)).Refused(t, row.kind, row.code)
		})
	}
}

func TestInviteAgain(t *testing.T) {
	again := invite(func(c *workspace.InviteMember) { c.Person.Subject = "subject of mb_mia" })
	removed := office(workspace.MemberRemoved{Member: "mb_mia", By: olga})
	s := removed.When(again).Accepted(t).State()
	if id, _ := s.MemberBySubject("subject of mb_mia"); id != "mb_new" {
		t.Fatalf("the subject is now %q", id)
	}

	lapsed := invite(func(c *workspace.InviteMember) {
		c.Person.Subject, c.At, c.ExpiresAt = "subject of mb_ivan", later, later.Add(1)
	})
	want := workspace.MemberInvited{Member: "mb_new", Subject: "subject of mb_ivan", Profile: "profile", Roles: roles(domain.RoleMember),
		InvitationHash: "invitation of mb_new", ExpiresAt: later.Add(1), By: olga, At: later}
	s = office().When(lapsed).Then(t, workspace.MemberRemoved{Member: "mb_ivan", By: domain.Service("workspace")}, want).State()
	if _, ok := s.MemberByInvitation("invitation of mb_ivan"); ok {
		t.Fatal("the lapsed invitation is still there")
	}
}

func TestAccept(t *testing.T) {
	accept := workspace.AcceptInvitation{InvitationHash: "invitation of mb_ivan", Token: token("tk_ivan"), At: now}
	in := office().When(accept).Then(t,
		workspace.MemberJoined{Member: "mb_ivan", At: now},
		workspace.TokenIssued{Token: "tk_ivan", Actor: ivan, Name: "laptop", Hash: "hash of tk_ivan", By: ivan, At: now})
	if !in.State().Allows(ivan, domain.MemberRead, now) {
		t.Fatal("who joined holds the roles of the invitation")
	}
	in.When(accept).Then(t) // a repeat
	other := accept
	other.Token = token("tk_other")
	in.When(other).Refused(t, domain.Conflict, "invitation_used")
	mine := accept
	mine.Token = token("tk_olga")
	office().When(mine).Refused(t, domain.Conflict, "token_exists")

	late := accept
	late.At = later
	office().When(late).Refused(t, domain.Conflict, "invitation_expired")
	ended := accept
	ended.Token.ExpiresAt = &now
	office().When(ended).Refused(t, domain.Invalid, "invalid_expires_at")
	none := accept
	none.InvitationHash = "none"
	office().When(none).Refused(t, domain.NotFound, "invitation_unknown")
	office(workspace.MemberRemoved{Member: "mb_ivan", By: olga}).When(accept).Refused(t, domain.NotFound, "invitation_unknown")
}

func TestRemoveMember(t *testing.T) {
	s := office(issued("tk_mia", mia), issued("tk_mia2", mia))
	gone := s.When(workspace.RemoveMember{Member: "mb_mia", By: adam, At: now}).Then(t, workspace.MemberRemoved{Member: "mb_mia", By: adam})
	for _, id := range gone.State().TokensBy(mia) {
		if c, _ := gone.State().TokenByID(id); c.Live(now) {
			t.Errorf("token %s outlived the membership", id)
		}
	}
	if gone.State().Active(mia, now) || gone.State().Allows(mia, domain.MemberRead, now) || gone.State().Actors != s.State().Actors-1 {
		t.Fatal("who was removed may do nothing")
	}
	gone.When(workspace.RemoveMember{Member: "mb_mia", By: adam, At: now}).Then(t)
	s.When(workspace.RemoveMember{Member: "mb_ivan", By: adam, At: now}).Then(t, workspace.MemberRemoved{Member: "mb_ivan", By: adam})
	s.When(workspace.RemoveMember{Member: "mb_none", By: adam, At: now}).Refused(t, domain.NotFound, "member_unknown")
}

func TestLastOwnerStays(t *testing.T) {
	removal := workspace.RemoveMember{Member: "mb_olga", By: olga, At: now}
	demotion := workspace.SetRoles{Actor: olga, Roles: roles(domain.RoleAdmin), By: olga, At: now}
	ending := workspace.SetRoles{Actor: olga, Roles: roles(domain.RoleOwner), Until: &later, By: olga, At: now}
	for _, row := range []struct {
		name  string
		story story
		last  bool
	}{
		{"alone", office(), true},
		{"beside an owner who only was invited", office(invited("mb_o", domain.RoleOwner)), true},
		{"beside an owner for a time", office(workspace.RolesSet{Actor: mia, Roles: roles(domain.RoleOwner), Until: &later, By: olga, At: earlier}), true},
		{"beside an owner who was removed", office(invited("mb_o", domain.RoleOwner), joined("mb_o"), workspace.MemberRemoved{Member: "mb_o"}), true},
		{"beside another owner", office(invited("mb_o", domain.RoleOwner), joined("mb_o")), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, command := range []workspace.Command{removal, demotion, ending} {
				if row.last {
					row.story.When(command).Refused(t, domain.Conflict, "last_owner")
				} else {
					row.story.When(command).Accepted(t)
				}
			}
		})
	}
	// More roles beside owner take nothing from the last one.
	more := workspace.SetRoles{Actor: olga, Roles: roles(domain.RoleAdmin, domain.RoleOwner), By: olga, At: now}
	office().When(more).Accepted(t)
}

func TestOnlyOwnersMakeAndUnmakeOwners(t *testing.T) {
	everything := workspace.RoleDefined{Role: "everything", Permissions: all(), Version: 1, By: olga}
	powerful := workspace.RolesSet{Actor: adam, Roles: roles("everything"), By: olga, At: earlier}
	second := []workspace.Event{everything, powerful, invited("mb_o", domain.RoleOwner), joined("mb_o")}
	for name, command := range map[string]func(domain.Actor) workspace.Command{
		"invite an owner": func(by domain.Actor) workspace.Command {
			return invite(func(c *workspace.InviteMember) { c.Roles, c.By = roles(domain.RoleOwner), by })
		},
		"promote": func(by domain.Actor) workspace.Command {
			return workspace.SetRoles{Actor: mia, Roles: roles(domain.RoleOwner), By: by, At: now}
		},
		"demote": func(by domain.Actor) workspace.Command {
			return workspace.SetRoles{Actor: domain.MemberActor("mb_o"), By: by, At: now}
		},
		"set an end": func(by domain.Actor) workspace.Command {
			return workspace.SetRoles{Actor: domain.MemberActor("mb_o"), Roles: roles(domain.RoleOwner), Until: &later, By: by, At: now}
		},
		"remove": func(by domain.Actor) workspace.Command {
			return workspace.RemoveMember{Member: "mb_o", By: by, At: now}
		},
	} {
		t.Run(name, func(t *testing.T) {
			office(second...).When(command(adam)).Refused(t, domain.Forbidden, "owner_only")
			office(second...).When(command(olga)).Accepted(t)
			office(second...).When(command(service)).Accepted(t)
		})
	}
	// Beside owner, an admin may give and take what they hold.
	keeps := workspace.SetRoles{Actor: domain.MemberActor("mb_o"), Roles: roles(domain.RoleMember, domain.RoleOwner), By: adam, At: now}
	office(second...).When(keeps).Accepted(t)
}

func all() []domain.Permission {
	permissions, _ := domain.BuiltinRole(domain.RoleOwner)
	return permissions
}
