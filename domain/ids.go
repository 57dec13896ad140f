package domain

import (
	"regexp"
	"strings"
)

// Identities. Each is opaque to everything but the code that made it; each has
// a type of its own so that one can't be passed for another.
type (
	WorkspaceID   string // a customer's environment, [a-z][a-z0-9-]{1,31}
	MemberID      string // a human in a workspace, "mb_…"
	AgentID       string // a machine identity in a workspace, "ag_…"
	CredentialID  string // a bearer token's public name, "tk_…"
	RoleName      string // a built-in or custom role
	PolicyID      string // chosen by the caller
	RuleID        string // chosen by the caller, unique in its policy
	BudgetID      string // chosen by the caller
	ReservationID string // "rs_…"
	ExecutionID   string // "ex_…"
	ActionID      string // "ac_…"
	PromptID      string // "pr_…"
	ApprovalID    string // "ap_…"
	PermitID      string // "pm_…", the single-use id inside a permit
	GrantID       string // a standing grant, "gr_…"
	DelegationID  string // one member standing in for another, "dg_…"
	ErasureID     string // an order to erase a data subject, "er_…"
	WebhookID     string // a receiver of notifications, "wh_…"
	SearchID      string // a saved search, "ss_…"
	DeliveryID    string // one notification on its way to one receiver, "dl_…"
	Workflow      string // chosen by the caller; "*" stands for all
	Model         string // chosen by the caller
	ActionKind    string // such as "payment.initiate"
	CommandID     string // 32 hex digits, derived by HMAC; see package commands
	SubjectTag    string // keyed tag of a data subject; never the subject itself
)

// Digest is the unpadded base64url SHA-256 of some bytes.
type Digest string

// Micros is money in millionths of the workspace's currency.
type Micros int64

// Tokens counts language-model tokens.
type Tokens int64

// System is the pseudo-workspace of the service's own streams.
const System WorkspaceID = "_system"

var (
	workspacePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	namePattern      = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
)

// ValidWorkspaceID reports whether s may name a workspace: 2 to 32 characters,
// lower-case letters and digits with single hyphens between, a letter first.
func ValidWorkspaceID(s string) bool {
	return len(s) >= 2 && len(s) <= 32 && workspacePattern.MatchString(s)
}

// ValidName reports whether s may be an identifier that callers choose
// (workflow, model, policy, budget, correlation): [A-Za-z0-9._:-]{1,128}.
// Such identifiers are metadata and are stored in clear.
func ValidName(s string) bool { return namePattern.MatchString(s) }

// ActorKind says what sort of actor acted.
type ActorKind string

// The kinds of actor.
const (
	KindMember   ActorKind = "member"
	KindAgent    ActorKind = "agent"
	KindOperator ActorKind = "operator" // the service's operator; outside every workspace
	KindService  ActorKind = "service"  // the ledger itself: timers and processes
)

// Actor is who did something. Its stored form is "kind:id".
type Actor struct {
	Kind ActorKind
	ID   string
}

// MemberActor and AgentActor name the two actors that live in a workspace.
func MemberActor(id MemberID) Actor { return Actor{KindMember, string(id)} }

// AgentActor is the actor that agent id is.
func AgentActor(id AgentID) Actor { return Actor{KindAgent, string(id)} }

// Service is the ledger acting for itself.
func Service(part string) Actor { return Actor{KindService, part} }

// Operator is whoever holds the operator token.
func Operator() Actor { return Actor{KindOperator, "operator"} }

// String is the stored form, "kind:id", or "" for no actor.
func (a Actor) String() string {
	if a.Kind == "" {
		return ""
	}
	return string(a.Kind) + ":" + a.ID
}

// ParseActor reads the stored form. Text without a colon yields no actor.
func ParseActor(s string) Actor {
	kind, id, ok := strings.Cut(s, ":")
	if !ok {
		return Actor{}
	}
	return Actor{ActorKind(kind), id}
}

// MarshalText and UnmarshalText make an Actor its stored form in JSON.
func (a Actor) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the stored form.
func (a *Actor) UnmarshalText(b []byte) error {
	*a = ParseActor(string(b))
	return nil
}
