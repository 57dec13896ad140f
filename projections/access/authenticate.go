package access

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

// Why a token is not good. Callers answer 401 to all of them.
var (
	ErrUnknownToken = errors.New("no such token")
	ErrTokenExpired = errors.New("the token has expired")
	ErrTokenRevoked = errors.New("the token was revoked")
	ErrActorRemoved = errors.New("whoever holds the token was removed from the workspace")
)

// Identity is who holds a token.
type Identity struct {
	Workspace  *Workspace // as it was when the token was looked up; check permissions against it
	Actor      domain.Actor
	Credential domain.CredentialID
	Roles      []domain.RoleName // in force now; shared, to be read only
}

// token is an entry of the index of tokens. It remembers what the workspace
// last said of it, for as long as that workspace does not change: in a large
// workspace finding it again costs more than all the rest of a check.
type token struct {
	slot  *slot
	known atomic.Pointer[knowledge]
}

// knowledge is what one snapshot of a workspace says of a token.
type knowledge struct {
	of         *Workspace
	id         domain.CredentialID
	credential workspace.Credential
	holding    workspace.Holding
	exists     bool
	active     bool
}

// Authenticate answers who holds the token with this hash. A workspace that is
// suspended still answers; it allows reading only (see [Workspace.Suspended]).
func (m *Model) Authenticate(hash domain.Digest, now time.Time) (Identity, error) {
	entry, ok := m.tokens.Load(hash)
	if !ok {
		return Identity{}, ErrUnknownToken
	}
	t := entry.(*token)
	w, k := t.slot.now.Load(), t.known.Load()
	if k == nil || k.of != w {
		k = w.know(hash)
		t.known.Store(k)
	}
	switch {
	case !k.exists: // long dead, and forgotten by the workspace
		m.tokens.Delete(hash)
		return Identity{}, ErrTokenRevoked
	case !k.active:
		return Identity{}, ErrActorRemoved
	case k.credential.Revoked:
		return Identity{}, ErrTokenRevoked
	case !k.credential.Live(now):
		return Identity{}, ErrTokenExpired
	}
	return Identity{Workspace: w, Actor: k.credential.Actor, Credential: k.id, Roles: k.holding.At(now)}, nil
}

// know looks a token up.
func (w *Workspace) know(hash domain.Digest) *knowledge {
	k := &knowledge{of: w}
	k.id, k.credential, k.exists = w.access.TokenByHash(hash)
	actor := k.credential.Actor
	k.active = w.access.Active(actor, time.Time{})
	switch actor.Kind {
	case domain.KindMember:
		member, _ := w.access.Members.Get(domain.MemberID(actor.ID))
		k.holding = member.Holding
	case domain.KindAgent:
		agent, _ := w.access.Agents.Get(domain.AgentID(actor.ID))
		k.holding = agent.Holding
	}
	return k
}

// Allows reports whether an actor holds a permission in a workspace now.
func (m *Model) Allows(ws domain.WorkspaceID, actor domain.Actor, p domain.Permission, now time.Time) bool {
	w, ok := m.Workspace(ws)
	return ok && w.Allows(actor, p, now)
}

// Invitation answers whom the invitation with this hash is for, and where. It
// may have been used or have expired; accepting it decides that.
func (m *Model) Invitation(hash domain.Digest) (*Workspace, domain.MemberID, bool) {
	s, ok := m.invitations.Load(hash)
	if !ok {
		return nil, "", false
	}
	w := s.(*slot).now.Load()
	member, ok := w.access.MemberByInvitation(hash)
	if !ok {
		m.invitations.Delete(hash)
		return nil, "", false
	}
	return w, member, true
}
