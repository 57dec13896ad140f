package workspace

import (
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

func validPerson(p Person) error {
	return first(given("member", string(p.Member)), given("subject", string(p.Subject)))
}

func (s State) invite(c InviteMember) ([]Event, error) {
	if err := s.mayAdd(c.By, c.At); err != nil {
		return nil, err
	}
	if err := first(validPerson(c.Person), given("invitation", string(c.InvitationHash))); err != nil {
		return nil, err
	}
	if m, ok := s.Members.Get(c.Person.Member); ok {
		return repeated(m.Subject == c.Person.Subject, "member_exists", "another person has this member id")
	}
	if !c.ExpiresAt.After(c.At) {
		return nil, domain.Refuse(domain.Invalid, "invalid_expires_at", "the invitation would end before it begins; choose a later end")
	}
	roles := distinct(c.Roles)
	if err := first(s.validRoles(roles), s.mayGrant(c.By, c.At, roles, domain.KindMember)); err != nil {
		return nil, err
	}
	if s.Invitations.Has(c.InvitationHash) {
		return nil, domain.Refuse(domain.Conflict, "invitation_exists", "this invitation token is in use; draw another")
	}
	lapsed, err := s.lapsedInvitation(c.Person.Subject, c.At)
	if err != nil {
		return nil, err
	}
	if len(lapsed) == 0 {
		if err := s.room(); err != nil {
			return nil, err
		}
	}
	return append(lapsed, MemberInvited{Member: c.Person.Member, Subject: c.Person.Subject, Profile: c.Person.Profile,
		Roles: roles, InvitationHash: c.InvitationHash, ExpiresAt: c.ExpiresAt, By: c.By, At: c.At}), nil
}

// lapsedInvitation demands that nobody here is this subject, but for somebody
// whose invitation ended unused: that one is removed first, by an event.
func (s State) lapsedInvitation(subject domain.SubjectTag, at time.Time) ([]Event, error) {
	id, ok := s.Subjects.Get(subject)
	if !ok {
		return nil, nil
	}
	m, _ := s.Members.Get(id)
	if m.Status == Invited && !at.Before(m.InvitationEnds) {
		return []Event{MemberRemoved{id, domain.Service("workspace")}}, nil
	}
	return nil, domain.Refuse(domain.Conflict, "member_exists",
		"this person is a member or has an open invitation; change their roles instead, or remove them first").With("member", id)
}

// repeated answers a command that makes something whose id exists: no events
// when it is the same thing again, a conflict otherwise.
func repeated(same bool, code, detail string) ([]Event, error) {
	if same {
		return nil, nil
	}
	return nil, domain.Refuse(domain.Conflict, code, "%s; choose another id", detail)
}

func (s State) accept(c AcceptInvitation) ([]Event, error) {
	id, ok := s.Invitations.Get(c.InvitationHash)
	if !ok {
		return nil, domain.Refuse(domain.NotFound, "invitation_unknown", "there is no such invitation, or it was withdrawn; ask for a new one")
	}
	if err := s.notSuspended(); err != nil {
		return nil, err
	}
	m, _ := s.Members.Get(id)
	actor := domain.MemberActor(id)
	if m.Status != Invited {
		if t, ok := s.Tokens.Get(c.Token.ID); ok && t.Actor == actor && t.By == actor && t.At.Equal(m.JoinedAt) {
			return nil, nil
		}
		return nil, domain.Refuse(domain.Conflict, "invitation_used", "this invitation was accepted before; sign in with the token it gave")
	}
	if !c.At.Before(m.InvitationEnds) {
		return nil, domain.Refuse(domain.Conflict, "invitation_expired", "this invitation has ended; ask for a new one")
	}
	if err := s.validToken(c.Token, c.At); err != nil {
		return nil, err
	}
	return []Event{MemberJoined{id, c.At}, issue(c.Token, actor, actor, c.At)}, nil
}

func (s State) removeMember(c RemoveMember) ([]Event, error) {
	if err := s.mayAct(c.By, c.At); err != nil {
		return nil, err
	}
	m, ok := s.Members.Get(c.Member)
	switch {
	case !ok:
		return nil, unknownMember()
	case m.Status == Removed:
		return nil, nil
	case slices.Contains(m.Holding.At(c.At), domain.RoleOwner):
		if err := s.ownersBusiness(c.By, c.At); err != nil {
			return nil, err
		}
		if err := s.notLastOwner(c.Member, m); err != nil {
			return nil, err
		}
	}
	return []Event{MemberRemoved{c.Member, c.By}}, nil
}

func unknownMember() error {
	return domain.Refuse(domain.NotFound, "member_unknown", "there is no such member in this workspace")
}

// ownersBusiness demands an owner, since owners alone make and unmake owners.
func (s State) ownersBusiness(by domain.Actor, at time.Time) error {
	if by.Kind == domain.KindService || slices.Contains(s.rolesOf(by, at), domain.RoleOwner) {
		return nil
	}
	return domain.Refuse(domain.Forbidden, "owner_only",
		"only an owner may give or take the role owner; ask one of them").With("role", domain.RoleOwner)
}

// notLastOwner demands that somebody else keeps the workspace: a member who
// joined and is an owner without end. Who only was invited, or is an owner for
// a time, does not count.
func (s State) notLastOwner(id domain.MemberID, m Member) error {
	if !m.lastingOwner() {
		return nil
	}
	for other, o := range s.Members.All() {
		if other != id && o.lastingOwner() {
			return nil
		}
	}
	return domain.Refuse(domain.Conflict, "last_owner",
		"this is the last owner whose role has no end; make somebody else an owner first")
}

func (m Member) lastingOwner() bool {
	return m.Status == Joined && m.Until == nil && slices.Contains(m.Roles, domain.RoleOwner)
}
