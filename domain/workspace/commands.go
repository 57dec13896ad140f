package workspace

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Command asks something of a workspace. By is who asks; At is stream time.
//
//sumtype:decl
type Command interface{ workspaceCommand() }

// Person carries what facts may hold about somebody: a keyed tag and the
// digest of the content record with name and e-mail.
type Person struct {
	Member  domain.MemberID
	Subject domain.SubjectTag
	Profile domain.Digest
}

// Create opens a workspace, with its first owner when one is given; the owner
// joins at once and gets the credential whose hash is OwnerToken.
type Create struct {
	Workspace  domain.WorkspaceID
	Name       string
	Currency   string
	Owner      *Person
	OwnerToken Token
	By         domain.Actor
	At         time.Time
}

// Token is a credential to be issued: its public id, name, hash and end.
type Token struct {
	ID        domain.CredentialID
	Name      string
	Hash      domain.Digest
	ExpiresAt *time.Time
}

// Suspend and Resume are the operator's.
type Suspend struct {
	Reason string
	By     domain.Actor
}

// Resume ends a suspension.
type Resume struct{ By domain.Actor }

// InviteMember asks a person in.
type InviteMember struct {
	Person         Person
	Roles          []domain.RoleName
	InvitationHash domain.Digest
	ExpiresAt      time.Time
	By             domain.Actor
	At             time.Time
}

// AcceptInvitation joins whoever holds the invitation with this hash.
type AcceptInvitation struct {
	InvitationHash domain.Digest
	Token          Token
	At             time.Time
}

// RemoveMember ends a membership.
type RemoveMember struct {
	Member domain.MemberID
	By     domain.Actor
	At     time.Time
}

// SetRoles replaces a member's or an agent's roles. IfVersion, where given, must
// be the RolesVersion that stands.
type SetRoles struct {
	Actor     domain.Actor
	Roles     []domain.RoleName
	Until     *time.Time
	IfVersion *int
	By        domain.Actor
	At        time.Time
}

// DefineRole makes or changes a custom role. IfVersion, where given, must be
// the version that stands (0: none).
type DefineRole struct {
	Role        domain.RoleName
	Permissions []domain.Permission
	Description string
	IfVersion   *int
	By          domain.Actor
	At          time.Time
}

// DeleteRole removes a custom role that nobody holds.
type DeleteRole struct {
	Role domain.RoleName
	By   domain.Actor
	At   time.Time
}

// RegisterAgent makes a machine identity.
type RegisterAgent struct {
	Agent     domain.AgentID
	Name      string
	Roles     []domain.RoleName
	Workflows []domain.Workflow
	By        domain.Actor
	At        time.Time
}

// RemoveAgent ends an agent.
type RemoveAgent struct {
	Agent domain.AgentID
	By    domain.Actor
	At    time.Time
}

// IssueToken makes a credential for an agent or a member.
type IssueToken struct {
	Actor domain.Actor
	Token Token
	By    domain.Actor
	At    time.Time
}

// RevokeToken ends a credential.
type RevokeToken struct {
	Token domain.CredentialID
	By    domain.Actor
	At    time.Time
}

// Delegate lets To vote on approvals for By, a member, who will be absent.
type Delegate struct {
	Delegation domain.DelegationID
	To         domain.MemberID
	Roles      []domain.RoleName // none: all that By holds
	Start      time.Time         // zero: now
	Until      time.Time
	Reason     string
	By         domain.Actor
	At         time.Time
}

// EndDelegation ends a delegation: for either of the two, or whoever may write
// roles.
type EndDelegation struct {
	Delegation domain.DelegationID
	By         domain.Actor
	At         time.Time
}

// OrderErasure asks that content about a data subject be made unreadable: of
// Subject, or of the profile of Member, whichever is given.
type OrderErasure struct {
	Erasure domain.ErasureID
	Subject domain.SubjectTag
	Member  domain.MemberID
	Reason  string
	By      domain.Actor
	At      time.Time
}

// FinishErasure tells that an order was carried out, and which keys that took.
type FinishErasure struct {
	Erasure domain.ErasureID
	Keys    []string
	At      time.Time
}

func (OrderErasure) workspaceCommand()     {}
func (FinishErasure) workspaceCommand()    {}
func (Delegate) workspaceCommand()         {}
func (EndDelegation) workspaceCommand()    {}
func (Create) workspaceCommand()           {}
func (Suspend) workspaceCommand()          {}
func (Resume) workspaceCommand()           {}
func (InviteMember) workspaceCommand()     {}
func (AcceptInvitation) workspaceCommand() {}
func (RemoveMember) workspaceCommand()     {}
func (SetRoles) workspaceCommand()         {}
func (DefineRole) workspaceCommand()       {}
func (DeleteRole) workspaceCommand()       {}
func (RegisterAgent) workspaceCommand()    {}
func (RemoveAgent) workspaceCommand()      {}
func (IssueToken) workspaceCommand()       {}
func (RevokeToken) workspaceCommand()      {}
