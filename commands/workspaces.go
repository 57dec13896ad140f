package commands

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
)

// invitationLife is how long an invitation can be accepted.
const invitationLife = 7 * 24 * time.Hour

// Profile is a person's name and address. It is content, never a fact.
type Profile struct {
	Salt  string `json:"salt"` // so that the digest in the fact can't be guessed at
	Name  string `json:"name"`
	Email string `json:"email"`
}

// MemberContent is the stored name of a profile's record.
const MemberContent = "content.member.v1"

// randomKey is 16 random bytes as text.
func randomKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails; the program ends if the system has no randomness
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// person makes the facts and the content of somebody with this address.
func (s *Service) person(c Call, email, name string, n int) (workspace.Person, Content, error) {
	address := strings.ToLower(strings.TrimSpace(email))
	payload, err := json.Marshal(Profile{Salt: randomKey(), Name: name, Email: email})
	if err != nil {
		return workspace.Person{}, Content{}, fmt.Errorf("writing a profile: %w", err)
	}
	p := workspace.Person{
		Member:  domain.MemberID(s.secret.DeriveID("mb_", c.ID, n)),
		Subject: s.secret.SubjectTag(c.Workspace, address),
		Profile: ledgercrypto.Digest(payload),
	}
	return p, Content{Type: MemberContent, Subject: p.Subject, Payload: payload}, nil
}

// CreateWorkspace is what an operator asks for.
type CreateWorkspace struct {
	Name, Currency        string
	OwnerEmail, OwnerName string // no address: no owner yet
}

// Secret is something shown once: with the events that made it, never on a
// repeat, however late (the stream then answers without events).
type Secret struct {
	Token string
	Shown bool
}

// WorkspaceCreated is a new workspace.
type WorkspaceCreated struct {
	Receipt
	State workspace.State
	Owner domain.MemberID // "" without one
	Token Secret
}

// CreateWorkspace opens the workspace that c names. c's id does not depend on
// it: one idempotency key makes one workspace.
func (s *Service) CreateWorkspace(ctx context.Context, c Call, in CreateWorkspace) (WorkspaceCreated, error) {
	var out WorkspaceCreated
	if !domain.ValidWorkspaceID(string(c.Workspace)) {
		return out, domain.Refuse(domain.Invalid, "invalid_workspace_id",
			"A workspace id has 2 to 32 lower-case letters and digits with single hyphens between, and begins with a letter.")
	}
	cmd := workspace.Create{Workspace: c.Workspace, Name: in.Name, Currency: in.Currency, By: c.Actor}
	var contents []Content
	if in.OwnerEmail != "" {
		owner, content, err := s.person(c, in.OwnerEmail, in.OwnerName, 0)
		if err != nil {
			return out, err
		}
		token, hash := ledgercrypto.NewToken(ledgercrypto.CredentialToken)
		cmd.Owner, contents = &owner, []Content{content}
		cmd.OwnerToken = workspace.Token{ID: domain.CredentialID(s.secret.DeriveID("tk_", c.ID, 1)), Name: "first token", Hash: hash}
		out.Owner, out.Token = owner.Member, Secret{Token: token, Shown: true}
	}
	if err := s.operatorActs(ctx, c, "create", ""); err != nil {
		return out, err
	}
	r, err := s.workspaces.Do(ctx, ledger.WorkspaceStream(c.Workspace), c, func(at time.Time) workspace.Command {
		cmd.At = at
		return cmd
	}, contents...)
	out.Receipt, out.State = r.Receipt, r.State
	if len(r.Events) == 0 || r.Replayed {
		out.Token = Secret{}
	}
	return out, err
}

// operatorActs records among the service's own streams what the operator is
// about to do, before it takes effect.
func (s *Service) operatorActs(ctx context.Context, c Call, action, reason string) error {
	own := c
	own.Workspace = domain.System // so that a key used for another workspace is known again here
	step := s.then(own, "operator-"+action)
	_, err := s.journals.Do(ctx, ledger.OperatorStream, step, func(time.Time) journal.Command {
		return journal.Command{Event: journal.OperatorActed{Action: action, Workspace: c.Workspace, Reason: reason}}
	})
	return err
}

// operatorActsOn is operatorActs on a workspace that must exist.
func (s *Service) operatorActsOn(ctx context.Context, c Call, action, reason string) error {
	_, exists, err := s.workspaces.Load(ctx, ledger.WorkspaceStream(c.Workspace))
	if err == nil && !exists {
		return domain.Refuse(domain.NotFound, "workspace_unknown", "There is no workspace with this id.")
	}
	if err != nil {
		return err
	}
	return s.operatorActs(ctx, c, action, reason)
}

// Suspend stops a workspace; Resume lets it go on.
func (s *Service) Suspend(ctx context.Context, c Call, reason string) (Receipt, error) {
	if err := s.operatorActsOn(ctx, c, "suspend", reason); err != nil {
		return Receipt{}, err
	}
	return s.onWorkspace(ctx, c, func(time.Time) workspace.Command { return workspace.Suspend{Reason: reason, By: c.Actor} })
}

// Resume ends a suspension.
func (s *Service) Resume(ctx context.Context, c Call) (Receipt, error) {
	if err := s.operatorActsOn(ctx, c, "resume", ""); err != nil {
		return Receipt{}, err
	}
	return s.onWorkspace(ctx, c, func(time.Time) workspace.Command { return workspace.Resume{By: c.Actor} })
}

// onWorkspace does a command on c's workspace.
func (s *Service) onWorkspace(ctx context.Context, c Call, build func(time.Time) workspace.Command) (Receipt, error) {
	r, err := s.workspaces.Do(ctx, ledger.WorkspaceStream(c.Workspace), c, build)
	return r.Receipt, err
}

// MemberInvited is an open invitation.
type MemberInvited struct {
	Receipt
	Member    domain.MemberID
	Token     Secret
	ExpiresAt time.Time
}

// InviteMember asks somebody into the workspace.
func (s *Service) InviteMember(ctx context.Context, c Call, email, name string, roles []domain.RoleName) (MemberInvited, error) {
	person, content, err := s.person(c, email, name, 0)
	if err != nil {
		return MemberInvited{}, err
	}
	token, hash := ledgercrypto.NewToken(ledgercrypto.InvitationToken)
	r, err := s.workspaces.Do(ctx, ledger.WorkspaceStream(c.Workspace), c, func(at time.Time) workspace.Command {
		return workspace.InviteMember{Person: person, Roles: roles, InvitationHash: hash, ExpiresAt: at.Add(invitationLife), By: c.Actor, At: at}
	}, content)
	out := MemberInvited{Receipt: r.Receipt, Member: person.Member, Token: Secret{Token: token, Shown: true}, ExpiresAt: r.At.Add(invitationLife)}
	if len(r.Events) == 0 || r.Replayed {
		out.Token = Secret{}
	}
	return out, err
}

// InvitationAccepted is a new membership.
type InvitationAccepted struct {
	Receipt
	Workspace domain.WorkspaceID
	Member    domain.MemberID
	Token     Secret
}

// AcceptInvitation joins whoever holds the invitation. c comes without a
// workspace and an actor: the invitation says both.
func (s *Service) AcceptInvitation(ctx context.Context, invitation, key string, body []byte) (InvitationAccepted, error) {
	var out InvitationAccepted
	hash, ok := ledgercrypto.TokenHash(invitation)
	if ok {
		out.Workspace, ok = s.access.Invited(hash)
	}
	if !ok {
		return out, domain.Refuse(domain.NotFound, "invitation_unknown",
			"This invitation is not known. Check that it was copied whole, or ask for a new one.")
	}
	state, _, err := s.rules(out.Workspace)
	if err != nil {
		return out, err
	}
	out.Member, _ = state.MemberByInvitation(hash)
	c := s.NewCall(out.Workspace, domain.MemberActor(out.Member), "", "POST", "/v1/invitations:accept", key, body)
	token, tokenHash := ledgercrypto.NewToken(ledgercrypto.CredentialToken)
	r, err := s.workspaces.Do(ctx, ledger.WorkspaceStream(c.Workspace), c, func(at time.Time) workspace.Command {
		return workspace.AcceptInvitation{InvitationHash: hash, At: at,
			Token: workspace.Token{ID: domain.CredentialID(s.secret.DeriveID("tk_", c.ID, 0)), Name: "first token", Hash: tokenHash}}
	})
	out.Receipt = r.Receipt
	if len(r.Events) > 0 && !r.Replayed {
		out.Token = Secret{Token: token, Shown: true}
	}
	return out, err
}

// RemoveMember ends a membership.
func (s *Service) RemoveMember(ctx context.Context, c Call, member domain.MemberID) (Receipt, error) {
	return s.onWorkspace(ctx, c, func(at time.Time) workspace.Command {
		return workspace.RemoveMember{Member: member, By: c.Actor, At: at}
	})
}

// SetRoles replaces the roles of a member or an agent, if ifVersion, where
// given, is the version of those that stand.
func (s *Service) SetRoles(ctx context.Context, c Call, actor domain.Actor, roles []domain.RoleName, until *time.Time, ifVersion *int) (Receipt, error) {
	return s.onWorkspace(ctx, c, func(at time.Time) workspace.Command {
		return workspace.SetRoles{Actor: actor, Roles: roles, Until: until, IfVersion: ifVersion, By: c.Actor, At: at}
	})
}

// DefineRole makes or changes a custom role.
func (s *Service) DefineRole(ctx context.Context, c Call, role domain.RoleName, permissions []domain.Permission, description string, ifVersion *int) (workspace.State, Receipt, error) {
	r, err := s.workspaces.Do(ctx, ledger.WorkspaceStream(c.Workspace), c, func(at time.Time) workspace.Command {
		return workspace.DefineRole{Role: role, Permissions: permissions, Description: description, IfVersion: ifVersion, By: c.Actor, At: at}
	})
	return r.State, r.Receipt, err
}

// DeleteRole removes a custom role that nobody holds.
func (s *Service) DeleteRole(ctx context.Context, c Call, role domain.RoleName) (Receipt, error) {
	return s.onWorkspace(ctx, c, func(at time.Time) workspace.Command {
		return workspace.DeleteRole{Role: role, By: c.Actor, At: at}
	})
}

// RegisterAgent makes a machine identity.
func (s *Service) RegisterAgent(ctx context.Context, c Call, name string, roles []domain.RoleName, workflows []domain.Workflow) (domain.AgentID, Receipt, error) {
	agent := domain.AgentID(s.secret.DeriveID("ag_", c.ID, 0))
	receipt, err := s.onWorkspace(ctx, c, func(at time.Time) workspace.Command {
		return workspace.RegisterAgent{Agent: agent, Name: name, Roles: roles, Workflows: workflows, By: c.Actor, At: at}
	})
	return agent, receipt, err
}

// RemoveAgent ends an agent.
func (s *Service) RemoveAgent(ctx context.Context, c Call, agent domain.AgentID) (Receipt, error) {
	return s.onWorkspace(ctx, c, func(at time.Time) workspace.Command {
		return workspace.RemoveAgent{Agent: agent, By: c.Actor, At: at}
	})
}

// TokenIssued is a new credential.
type TokenIssued struct {
	Receipt
	ID    domain.CredentialID
	Token Secret
}

// IssueToken makes a credential for an agent, or for the member who asks.
func (s *Service) IssueToken(ctx context.Context, c Call, actor domain.Actor, name string, expiresAt *time.Time) (TokenIssued, error) {
	token, hash := ledgercrypto.NewToken(ledgercrypto.CredentialToken)
	out := TokenIssued{ID: domain.CredentialID(s.secret.DeriveID("tk_", c.ID, 0))}
	r, err := s.workspaces.Do(ctx, ledger.WorkspaceStream(c.Workspace), c, func(at time.Time) workspace.Command {
		return workspace.IssueToken{Actor: actor, By: c.Actor, At: at,
			Token: workspace.Token{ID: out.ID, Name: name, Hash: hash, ExpiresAt: expiresAt}}
	})
	if out.Receipt = r.Receipt; len(r.Events) > 0 && !r.Replayed {
		out.Token = Secret{Token: token, Shown: true}
	}
	return out, err
}

// RevokeToken ends a credential at once.
func (s *Service) RevokeToken(ctx context.Context, c Call, token domain.CredentialID) (Receipt, error) {
	return s.onWorkspace(ctx, c, func(at time.Time) workspace.Command {
		return workspace.RevokeToken{Token: token, By: c.Actor, At: at}
	})
}

// Workspace answers a workspace as the log has it now.
func (s *Service) Workspace(ctx context.Context, ws domain.WorkspaceID) (workspace.State, error) {
	state, exists, err := s.workspaces.Load(ctx, ledger.WorkspaceStream(ws))
	if err == nil && !exists {
		err = notFound()
	}
	return state, err
}
