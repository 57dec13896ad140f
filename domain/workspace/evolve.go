package workspace

import (
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Evolve folds one event. An event about somebody the state does not know
// changes nothing: Decide never makes one.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Created:
		s.Workspace, s.Name, s.Currency, s.At = e.Workspace, e.Name, e.Currency, e.At
	case Suspended:
		s.Suspended, s.Reason = true, e.Reason
	case Resumed:
		s.Suspended, s.Reason = false, ""
	case MemberInvited:
		return s.invited(e)
	case MemberJoined:
		return s.joined(e)
	case MemberRemoved:
		return s.memberRemoved(e)
	case RolesSet:
		return s.rolesSet(e)
	case RoleDefined:
		s.Roles = s.Roles.Set(e.Role, Role{slices.Clone(e.Permissions), e.Description, e.Version, e.By})
		s.Retired = s.Retired.Delete(e.Role)
	case RoleDeleted:
		if role, ok := s.Roles.Get(e.Role); ok {
			s.Retired = s.Retired.Set(e.Role, role.Version)
		}
		s.Roles = s.Roles.Delete(e.Role)
	case AgentRegistered:
		return s.registered(e)
	case AgentRemoved:
		return s.agentRemoved(e)
	case TokenIssued:
		return s.issued(e)
	case TokenRevoked:
		return s.revoked(e.Token)
	case Delegated:
		return s.delegated(e)
	case DelegationEnded:
		return s.delegationEnded(e.Delegation)
	case SubjectErasureOrdered:
		s.Erasures = s.Erasures.Set(e.Erasure, Erasure{Subject: e.Subject})
	case SubjectErased:
		return s.erased(e)
	}
	return s
}

func (s State) invited(e MemberInvited) State {
	if !s.Members.Has(e.Member) {
		s.Actors++
	}
	s.Members = s.Members.Set(e.Member, Member{
		Holding: Holding{Roles: slices.Clone(e.Roles)}, Status: Invited, Subject: e.Subject, Profile: e.Profile,
		InvitationHash: e.InvitationHash, InvitationEnds: e.ExpiresAt, By: e.By, At: e.At, RolesBy: e.By, RolesVersion: 1,
	})
	s.Subjects = s.Subjects.Set(e.Subject, e.Member)
	if e.InvitationHash != "" {
		s.Invitations = s.Invitations.Set(e.InvitationHash, e.Member)
	}
	return s
}

func (s State) joined(e MemberJoined) State {
	m, ok := s.Members.Get(e.Member)
	if !ok {
		return s
	}
	m.Status, m.JoinedAt = Joined, e.At
	s.Members = s.Members.Set(e.Member, m)
	return s
}

// memberRemoved keeps a member's entry, so that a repeat is recognised and
// history can name the person, and ends everything that gave rights.
func (s State) memberRemoved(e MemberRemoved) State {
	m, ok := s.Members.Get(e.Member)
	if !ok || m.Status == Removed {
		return s
	}
	if current, _ := s.Subjects.Get(m.Subject); current == e.Member {
		s.Subjects = s.Subjects.Delete(m.Subject)
	}
	s.Invitations = s.Invitations.Delete(m.InvitationHash)
	m.Status, m.Holding = Removed, Holding{}
	s.Members = s.Members.Set(e.Member, m)
	s.Actors--
	return s.endedAll(e.Member).revokedAll(domain.MemberActor(e.Member))
}

func (s State) rolesSet(e RolesSet) State {
	holding := Holding{slices.Clone(e.Roles), clonePointer(e.Until)}
	switch e.Actor.Kind {
	case domain.KindMember:
		if m, ok := s.Members.Get(domain.MemberID(e.Actor.ID)); ok {
			m.Holding, m.RolesBy, m.RolesVersion = holding, e.By, m.RolesVersion+1
			s.Members = s.Members.Set(domain.MemberID(e.Actor.ID), m)
		}
	case domain.KindAgent:
		if a, ok := s.Agents.Get(domain.AgentID(e.Actor.ID)); ok {
			a.Holding, a.RolesBy, a.RolesVersion = holding, e.By, a.RolesVersion+1
			s.Agents = s.Agents.Set(domain.AgentID(e.Actor.ID), a)
		}
	}
	return s
}

func (s State) registered(e AgentRegistered) State {
	if !s.Agents.Has(e.Agent) {
		s.Actors++
	}
	s.Agents = s.Agents.Set(e.Agent, Agent{
		Holding: Holding{Roles: slices.Clone(e.Roles)}, Name: e.Name, Workflows: slices.Clone(e.Workflows),
		By: e.By, At: e.At, RolesBy: e.By, RolesVersion: 1,
	})
	return s
}

func (s State) agentRemoved(e AgentRemoved) State {
	a, ok := s.Agents.Get(e.Agent)
	if !ok || a.Removed {
		return s
	}
	a.Removed, a.Holding = true, Holding{}
	s.Agents = s.Agents.Set(e.Agent, a)
	s.Actors--
	return s.revokedAll(domain.AgentActor(e.Agent))
}

func (s State) issued(e TokenIssued) State {
	s.Tokens = s.Tokens.Set(e.Token, Credential{
		Actor: e.Actor, Name: e.Name, Hash: e.Hash, ExpiresAt: clonePointer(e.ExpiresAt), By: e.By, At: e.At,
	})
	s.Hashes = s.Hashes.Set(e.Hash, e.Token)
	ids, _ := s.TokensOf.Get(keyOf(e.Actor))
	ids = append(slices.Clip(ids), e.Token)
	for len(ids) > maxKnownTokens {
		dead := slices.IndexFunc(ids, func(id domain.CredentialID) bool {
			c, _ := s.Tokens.Get(id)
			return !c.Live(e.At)
		})
		if dead < 0 {
			break
		}
		s, ids = s.forgotten(ids[dead]), slices.Delete(slices.Clone(ids), dead, dead+1)
	}
	s.TokensOf = s.TokensOf.Set(keyOf(e.Actor), ids)
	return s
}

// forgotten drops a dead token from the state.
func (s State) forgotten(id domain.CredentialID) State {
	c, _ := s.Tokens.Get(id)
	s.Hashes = s.Hashes.Delete(c.Hash)
	s.Tokens = s.Tokens.Delete(id)
	return s
}

func (s State) revoked(id domain.CredentialID) State {
	c, ok := s.Tokens.Get(id)
	if !ok || c.Revoked {
		return s
	}
	c.Revoked = true
	s.Tokens = s.Tokens.Set(id, c)
	return s
}

func (s State) revokedAll(actor domain.Actor) State {
	ids, _ := s.TokensOf.Get(keyOf(actor))
	for _, id := range ids {
		s = s.revoked(id)
	}
	return s
}

func clonePointer(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}
