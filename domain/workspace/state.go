// Package workspace is a customer's environment as one aggregate, the stream
// "<workspace>/workspace-<workspace>": who is in it, with which roles, which
// agents act in it, and which credentials exist (never the credentials
// themselves, only their hashes).
//
// Rights only ever flow downwards: nobody grants a permission that they do not
// hold themselves, and only an owner hands out or takes away the role owner.
// One exception keeps the built-in role admin useful: agent.manage carries the
// right to give execution.request to agents, and token.manage the right to
// issue their tokens, because requesting executions is all an agent is for.
// Separation of duties shuts out whoever used that right where a policy asks.
// Permissions that belong to humans (see [HumanOnly]) never reach an agent.
//
// A member who will be absent may delegate voting on approvals to another, with
// roles that the absent one holds, for a time. What is delegated is not held:
// it shows in no permission, and is not delegated on.
//
// Limits: 10,000 members and agents together, 200 custom roles, 20 roles an
// actor, 50 live tokens an actor, 20 delegations a member, each of which ends
// within 90 days, 100 open orders to erase a data subject. The newest 100
// tokens of each actor and the newest 500 erasures stay in the state; older
// ones that are over are forgotten here, and remain in the log.
package workspace

import (
	"slices"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Limits of one workspace.
const (
	MaxActors        = 10_000 // members (invited or joined) and agents together
	MaxRoles         = 200    // custom roles
	MaxRolesPerActor = 20
	MaxLiveTokens    = 50  // per actor
	MaxWorkflows     = 100 // per agent
	MaxDelegations   = 20  // live, of one absent member
	MaxErasures      = 100 // ordered and not carried out
	maxKnownTokens   = 100 // per actor, live and dead
	maxKnownErasures = 500 // that are done
	maxName          = 200 // bytes
	maxText          = 500 // bytes of a description or a reason
)

// MaxAbsence is how far ahead a delegation may end.
const MaxAbsence = 90 * 24 * time.Hour

// Status is where a membership stands.
type Status string

// The statuses of a member.
const (
	Invited Status = "invited"
	Joined  Status = "joined"
	Removed Status = "removed"
)

// Holding is the roles somebody holds, and until when.
type Holding struct {
	Roles []domain.RoleName `json:"roles,omitempty"`
	Until *time.Time        `json:"until,omitempty"` // nil: without end
}

// At lists the roles that still hold at a moment. The answer is shared: read it.
func (h Holding) At(at time.Time) []domain.RoleName {
	if h.Until != nil && !at.Before(*h.Until) {
		return nil
	}
	return h.Roles
}

// Member is a human in the workspace, or one who was.
type Member struct {
	Holding
	Status         Status            `json:"status"`
	Subject        domain.SubjectTag `json:"subject"`
	Profile        domain.Digest     `json:"profile"`
	InvitationHash domain.Digest     `json:"invitation_hash,omitempty"`
	InvitationEnds time.Time         `json:"invitation_ends,omitzero"`
	By             domain.Actor      `json:"by"` // who invited
	At             time.Time         `json:"at"` // when invited
	JoinedAt       time.Time         `json:"joined_at,omitzero"`
	RolesBy        domain.Actor      `json:"roles_by"`         // who gave the present roles
	RolesVersion   int               `json:"roles_version"`    // 1 as invited, and one more with each RolesSet
	Erased         bool              `json:"erased,omitempty"` // the key of the profile was destroyed
}

// Agent is a machine identity in the workspace, or one that was.
type Agent struct {
	Holding
	Name      string            `json:"name"`
	Workflows []domain.Workflow `json:"workflows"` // "*" is all
	Removed   bool              `json:"removed,omitempty"`
	By        domain.Actor      `json:"by"` // who registered it
	At        time.Time         `json:"at"`
	RolesBy   domain.Actor      `json:"roles_by"`

	RolesVersion int `json:"roles_version"` // 1 as registered, and one more with each RolesSet
}

// Role is a custom role.
type Role struct {
	Permissions []domain.Permission `json:"permissions"`
	Description string              `json:"description,omitempty"`
	Version     int                 `json:"version"`
	By          domain.Actor        `json:"by"`
}

// Credential is what is known of a token: everything but the token.
type Credential struct {
	Actor     domain.Actor  `json:"actor"`
	Name      string        `json:"name"`
	Hash      domain.Digest `json:"hash"`
	ExpiresAt *time.Time    `json:"expires_at,omitempty"`
	Revoked   bool          `json:"revoked,omitempty"`
	By        domain.Actor  `json:"by"` // who issued it
	At        time.Time     `json:"at"`
}

// Live reports whether the credential is neither revoked nor expired.
func (c Credential) Live(at time.Time) bool {
	return !c.Revoked && (c.ExpiresAt == nil || at.Before(*c.ExpiresAt))
}

// State is a workspace folded from its events. The zero State is a workspace
// that does not exist. Fields are exported for snapshots; use the methods to
// ask questions, and never change what they answer.
type State struct {
	Workspace domain.WorkspaceID `json:"workspace"`
	Name      string             `json:"name"`
	Currency  string             `json:"currency"`
	At        time.Time          `json:"at,omitzero"` // when it was created
	Suspended bool               `json:"suspended,omitempty"`
	Reason    string             `json:"reason,omitempty"` // of the suspension

	Members domain.Map[domain.MemberID, Member]         `json:"members"`
	Agents  domain.Map[domain.AgentID, Agent]           `json:"agents"`
	Roles   domain.Map[domain.RoleName, Role]           `json:"roles"`
	Tokens  domain.Map[domain.CredentialID, Credential] `json:"tokens"`

	Delegations domain.Map[domain.DelegationID, Delegation] `json:"delegations"`

	Erasures domain.Map[domain.ErasureID, Erasure] `json:"erasures"` // open, and the newest that are done

	// Actors counts members and agents that were not removed. The rest are
	// indexes: who stands for a subject, which invitation is whose, which
	// tokens an actor has (by its stored form, oldest first), which token has
	// a hash, what an absent member delegated (oldest first), and the last version of each custom role that was deleted, so
	// that a role made anew never repeats a version.
	Actors      int                                            `json:"actors"`
	Subjects    domain.Map[domain.SubjectTag, domain.MemberID] `json:"subjects"`
	Invitations domain.Map[domain.Digest, domain.MemberID]     `json:"invitations"`
	TokensOf    domain.Map[string, []domain.CredentialID]      `json:"tokens_of"`
	Hashes      domain.Map[domain.Digest, domain.CredentialID] `json:"hashes"`
	Retired     domain.Map[domain.RoleName, int]               `json:"retired"`

	DelegationsOf domain.Map[domain.MemberID, []domain.DelegationID] `json:"delegations_of"`

	Finished []domain.ErasureID `json:"finished,omitempty"` // erasures that are done, oldest first
}

// keyOf is the stored form of an actor, the key of TokensOf.
func keyOf(a domain.Actor) string { return a.String() }

// Exists reports whether the workspace was created.
func (s State) Exists() bool { return s.Workspace != "" }

// TokenByID answers what is known of a credential.
func (s State) TokenByID(id domain.CredentialID) (Credential, bool) { return s.Tokens.Get(id) }

// TokenByHash answers the credential with this hash.
func (s State) TokenByHash(hash domain.Digest) (domain.CredentialID, Credential, bool) {
	id, ok := s.Hashes.Get(hash)
	if !ok {
		return "", Credential{}, false
	}
	c, ok := s.Tokens.Get(id)
	return id, c, ok
}

// TokensBy lists the known tokens of an actor, oldest first.
func (s State) TokensBy(actor domain.Actor) []domain.CredentialID {
	ids, _ := s.TokensOf.Get(keyOf(actor))
	return slices.Clone(ids)
}

// MemberByInvitation answers whom an invitation is for.
func (s State) MemberByInvitation(hash domain.Digest) (domain.MemberID, bool) {
	return s.Invitations.Get(hash)
}

// MemberBySubject answers the member, invited or joined, who is this subject.
func (s State) MemberBySubject(subject domain.SubjectTag) (domain.MemberID, bool) {
	return s.Subjects.Get(subject)
}
