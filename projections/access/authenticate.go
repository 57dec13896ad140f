package access

import (
	"errors"
	"time"

	"github.com/clawoffice/ledger/domain"
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
	Roles      []domain.RoleName // in force now
}

// Authenticate answers who holds the token with this hash. A workspace that is
// suspended still answers; it allows reading only (see [Workspace.Suspended]).
func (m *Model) Authenticate(hash domain.Digest, now time.Time) (Identity, error) {
	s, ok := m.tokens.Load(hash)
	if !ok {
		return Identity{}, ErrUnknownToken
	}
	w := s.(*slot).now.Load()
	id, credential, ok := w.access.TokenByHash(hash)
	switch {
	case !ok: // long dead, and forgotten by the workspace
		m.tokens.Delete(hash)
		return Identity{}, ErrTokenRevoked
	case !w.access.Active(credential.Actor, now):
		return Identity{}, ErrActorRemoved
	case credential.Revoked:
		return Identity{}, ErrTokenRevoked
	case !credential.Live(now):
		return Identity{}, ErrTokenExpired
	}
	return Identity{Workspace: w, Actor: credential.Actor, Credential: id, Roles: w.access.RolesOf(credential.Actor, now)}, nil
}

// Allows reports whether an actor holds a permission in a workspace now.
func (m *Model) Allows(ws domain.WorkspaceID, actor domain.Actor, p domain.Permission, now time.Time) bool {
	w, ok := m.Workspace(ws)
	return ok && w.Allows(actor, p, now)
}

// Invitation answers whom the invitation with this hash is for, and where. It
// may have expired; accepting it decides that.
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
