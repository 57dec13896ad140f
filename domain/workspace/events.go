package workspace

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Event is something that happened to a workspace.
//
//sumtype:decl
type Event interface {
	domain.Event
	workspaceEvent()
}

// Created opens the stream.
type Created struct {
	Workspace domain.WorkspaceID `json:"workspace"`
	Name      string             `json:"name"`
	Currency  string             `json:"currency"` // ISO 4217
	At        time.Time          `json:"at"`
}

// Suspended stops every call into the workspace but reading, until Resumed.
type Suspended struct {
	Reason string `json:"reason,omitempty"`
}

// Resumed ends a suspension.
type Resumed struct{}

// MemberInvited names a person who may join. Name and e-mail are a content
// record of the person's own, named here by digest.
type MemberInvited struct {
	Member         domain.MemberID   `json:"member"`
	Subject        domain.SubjectTag `json:"subject"`
	Profile        domain.Digest     `json:"profile"` // of the content record's payload
	Roles          []domain.RoleName `json:"roles"`
	InvitationHash domain.Digest     `json:"invitation_hash"`
	ExpiresAt      time.Time         `json:"expires_at"`
	By             domain.Actor      `json:"by"`
	At             time.Time         `json:"at"`
}

// MemberJoined makes the invited person a member. An owner who was created
// with the workspace joins without an invitation.
type MemberJoined struct {
	Member domain.MemberID `json:"member"`
	At     time.Time       `json:"at"`
}

// MemberRemoved ends a membership and with it all the member's credentials.
type MemberRemoved struct {
	Member domain.MemberID `json:"member"`
	By     domain.Actor    `json:"by"`
}

// RolesSet replaces the roles an actor holds in the workspace.
type RolesSet struct {
	Actor domain.Actor      `json:"actor"`
	Roles []domain.RoleName `json:"roles"`
	Until *time.Time        `json:"until,omitempty"` // afterwards the actor holds none
	By    domain.Actor      `json:"by"`
	At    time.Time         `json:"at"`
}

// RoleDefined makes or changes a custom role.
type RoleDefined struct {
	Role        domain.RoleName     `json:"role"`
	Permissions []domain.Permission `json:"permissions"`
	Description string              `json:"description,omitempty"`
	Version     int                 `json:"version"`
	By          domain.Actor        `json:"by"`
}

// RoleDeleted removes a custom role that nobody holds.
type RoleDeleted struct {
	Role domain.RoleName `json:"role"`
	By   domain.Actor    `json:"by"`
}

// AgentRegistered makes a machine identity.
type AgentRegistered struct {
	Agent     domain.AgentID    `json:"agent"`
	Name      string            `json:"name"`
	Roles     []domain.RoleName `json:"roles"`
	Workflows []domain.Workflow `json:"workflows"` // "*" is all
	By        domain.Actor      `json:"by"`
	At        time.Time         `json:"at"`
}

// AgentRemoved ends an agent and all its credentials.
type AgentRemoved struct {
	Agent domain.AgentID `json:"agent"`
	By    domain.Actor   `json:"by"`
}

// TokenIssued makes a credential. Only the token's hash is ever stored.
type TokenIssued struct {
	Token     domain.CredentialID `json:"token"`
	Actor     domain.Actor        `json:"actor"`
	Name      string              `json:"name"`
	Hash      domain.Digest       `json:"hash"`
	ExpiresAt *time.Time          `json:"expires_at,omitempty"`
	By        domain.Actor        `json:"by"`
	At        time.Time           `json:"at"`
}

// TokenRevoked ends a credential at once.
type TokenRevoked struct {
	Token domain.CredentialID `json:"token"`
	By    domain.Actor        `json:"by"`
}

// Delegated lets one member vote on approvals for another, who is absent, from
// Start until Until, with those of Roles that the absent one holds at the time.
type Delegated struct {
	Delegation domain.DelegationID `json:"delegation"`
	From       domain.MemberID     `json:"from"` // the absent member
	To         domain.MemberID     `json:"to"`
	Roles      []domain.RoleName   `json:"roles"`
	Start      time.Time           `json:"start"`
	Until      time.Time           `json:"until"`
	Reason     string              `json:"reason,omitempty"`
	At         time.Time           `json:"at"`
}

// DelegationEnded ends a delegation before its time.
type DelegationEnded struct {
	Delegation domain.DelegationID `json:"delegation"`
	By         domain.Actor        `json:"by"`
	At         time.Time           `json:"at"`
}

// SubjectErasureOrdered says that content about a data subject must not be
// readable any more. Carrying it out follows, whatever dies in between.
type SubjectErasureOrdered struct {
	Erasure domain.ErasureID  `json:"erasure"`
	Subject domain.SubjectTag `json:"subject"`
	Member  domain.MemberID   `json:"member,omitempty"` // who was named, if it was ordered for a member's profile
	Reason  string            `json:"reason"`
	By      domain.Actor      `json:"by"`
	At      time.Time         `json:"at"`
}

// SubjectErased says that an order was carried out: the keys that the subject
// had when it was given are destroyed.
type SubjectErased struct {
	Erasure domain.ErasureID  `json:"erasure"`
	Subject domain.SubjectTag `json:"subject"`
	Keys    []string          `json:"keys"` // ids of data keys; none if nothing was ever sealed for the subject
	At      time.Time         `json:"at"`
}

// EventType answers the stored names. They are durable.
func (Created) EventType() string               { return "workspace.created.v1" }
func (Suspended) EventType() string             { return "workspace.suspended.v1" }
func (Resumed) EventType() string               { return "workspace.resumed.v1" }
func (MemberInvited) EventType() string         { return "workspace.member_invited.v1" }
func (MemberJoined) EventType() string          { return "workspace.member_joined.v1" }
func (MemberRemoved) EventType() string         { return "workspace.member_removed.v1" }
func (RolesSet) EventType() string              { return "workspace.roles_set.v1" }
func (RoleDefined) EventType() string           { return "workspace.role_defined.v1" }
func (RoleDeleted) EventType() string           { return "workspace.role_deleted.v1" }
func (AgentRegistered) EventType() string       { return "workspace.agent_registered.v1" }
func (AgentRemoved) EventType() string          { return "workspace.agent_removed.v1" }
func (TokenIssued) EventType() string           { return "workspace.token_issued.v1" }
func (TokenRevoked) EventType() string          { return "workspace.token_revoked.v1" }
func (Delegated) EventType() string             { return "workspace.delegated.v1" }
func (DelegationEnded) EventType() string       { return "workspace.delegation_ended.v1" }
func (SubjectErasureOrdered) EventType() string { return "workspace.subject_erasure_ordered.v1" }
func (SubjectErased) EventType() string         { return "workspace.subject_erased.v1" }

func (Created) workspaceEvent()               {}
func (Suspended) workspaceEvent()             {}
func (Resumed) workspaceEvent()               {}
func (MemberInvited) workspaceEvent()         {}
func (MemberJoined) workspaceEvent()          {}
func (MemberRemoved) workspaceEvent()         {}
func (RolesSet) workspaceEvent()              {}
func (RoleDefined) workspaceEvent()           {}
func (RoleDeleted) workspaceEvent()           {}
func (AgentRegistered) workspaceEvent()       {}
func (AgentRemoved) workspaceEvent()          {}
func (TokenIssued) workspaceEvent()           {}
func (TokenRevoked) workspaceEvent()          {}
func (Delegated) workspaceEvent()             {}
func (DelegationEnded) workspaceEvent()       {}
func (SubjectErasureOrdered) workspaceEvent() {}
func (SubjectErased) workspaceEvent()         {}
