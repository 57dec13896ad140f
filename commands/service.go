package commands

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/searchbook"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Access is what the read model of rights knows. Whoever calls the Service has
// made sure that it is fresh.
type Access interface {
	// Rules answers a workspace as folded, and its policies compiled. ok is
	// false if there is no such workspace; an error means that a stored
	// condition can't be compiled, and nothing may be allowed.
	Rules(ws domain.WorkspaceID) (state workspace.State, rules *policy.Evaluator, ok bool, err error)
	// Invited answers the workspace that an open invitation is for.
	Invited(invitation domain.Digest) (domain.WorkspaceID, bool)
}

// Permits signs and checks permits.
type Permits interface {
	SignPermit(payload []byte) []byte
	VerifyPermit(token []byte) (payload []byte, err error)
}

// DataKeys destroys the keys of data subjects.
type DataKeys interface {
	// EraseUntil destroys the keys that were stored for a subject up to a
	// position of the log, and answers their ids, also those destroyed before.
	// After an error some may be left, and the call is repeated.
	EraseUntil(ctx context.Context, ws domain.WorkspaceID, subject domain.SubjectTag, position uint64) ([]ledgercrypto.KeyID, error)
}

// Config is what a [Service] is made of.
type Config struct {
	Log     Log
	Secret  ledgercrypto.Secret
	Permits Permits
	Access  Access
	Keys    DataKeys // nil: nobody can be erased here
	Places  Places   // where a workspace's events are; may be nil if events are never opened
	Cache   Cache    // nil for none
	Shared  bool     // other processes write to the log
	Now     func() time.Time
	Logger  *slog.Logger

	Receivers Receivers // which webhooks there are; may be nil, with Sender, if there are none
	Sender    Sender
}

// Service does what callers ask. Every method answers when what it says is
// durable, and may be called again with the same [Call]: the answer is then the
// same, secrets left out.
type Service struct {
	log     Log
	secret  ledgercrypto.Secret
	permits Permits
	access  Access
	keys    DataKeys
	places  Places
	now     func() time.Time
	logger  *slog.Logger
	denials *denials
	looks   looks

	receivers Receivers
	sender    Sender

	conditions policy.Cache // of standing grants

	workspaces *Handler[workspace.State, workspace.Command, workspace.Event]
	policies   *Handler[policy.State, policy.Command, policy.Event]
	budgets    *Handler[budget.State, budget.Command, budget.Event]
	executions *Handler[execution.State, execution.Command, execution.Event]
	approvals  *Handler[approval.State, approval.Command, approval.Event]
	grants     *Handler[grant.State, grant.Command, grant.Event]
	webhooks   *Handler[webhook.State, webhook.Command, webhook.Event]
	searches   *Handler[searchbook.State, searchbook.Command, searchbook.Event]
	journals   *Handler[journal.State, journal.Command, journal.Event]
}

// How many streams' states are held in memory. Executions are small and many;
// the others are few and may be large.
const (
	heldExecutions = 7168
	heldOthers     = 1024
	heldWebhooks   = 128  // each with up to a thousand deliveries
	queueLength    = 2048 // commands that may wait for one stream
)

// New makes a Service.
func New(c Config) *Service {
	options := func(name string, forever bool, streams int) Options {
		return Options{Name: name, Forever: forever, Shared: c.Shared, Streams: streams, Queue: queueLength, Now: c.Now, Cache: c.Cache}
	}
	short := func(name string, streams int) Options {
		o := options(name, true, streams)
		o.Cache = nil // quick to fold
		return o
	}
	s := &Service{log: c.Log, secret: c.Secret, permits: c.Permits, access: c.Access, keys: c.Keys, places: c.Places, now: c.Now, logger: c.Logger,
		workspaces: NewHandler[workspace.State, workspace.Command](c.Log, c.Secret, workspace.Decode, options("workspace", false, heldOthers)),
		policies:   NewHandler[policy.State, policy.Command](c.Log, c.Secret, policy.Decode, options("policy", false, heldOthers)),
		budgets:    NewHandler[budget.State, budget.Command](c.Log, c.Secret, budget.Decode, options("budget", false, heldOthers)),
		executions: NewHandler[execution.State, execution.Command](c.Log, c.Secret, execution.Decode, options("execution", true, heldExecutions)),
		approvals:  NewHandler[approval.State, approval.Command](c.Log, c.Secret, approval.Decode, short("approval", 4*heldOthers)),
		grants:     NewHandler[grant.State, grant.Command](c.Log, c.Secret, grant.Decode, options("grant", false, heldOthers)),
		webhooks:   NewHandler[webhook.State, webhook.Command](c.Log, c.Secret, webhook.Decode, options("webhook", false, heldWebhooks)),
		searches:   NewHandler[searchbook.State, searchbook.Command](c.Log, c.Secret, searchbook.Decode, options("search", false, heldOthers)),
		journals:   NewHandler[journal.State, journal.Command](c.Log, c.Secret, journal.Decode, short("journal", heldOthers)),
	}
	s.receivers, s.sender = c.Receivers, c.Sender
	s.journals.options.Forever = false
	s.executions.options.Young, s.approvals.options.Young = true, true
	s.denials = newDenials(s)
	return s
}

// Close writes what is still summed up. Calls in progress are not waited for.
func (s *Service) Close(ctx context.Context) error { return s.denials.close(ctx) }

// NewCall makes a Call. key is the caller's idempotency key, "" for none; path
// is the request's path without the query.
func (s *Service) NewCall(ws domain.WorkspaceID, actor domain.Actor, credential domain.CredentialID, method, path, key string, body []byte) Call {
	if key == "" {
		key = "\x00" + randomKey() // no caller can send a NUL
	}
	return Call{Workspace: ws, Actor: actor, Credential: credential, MAC: s.secret.BodyMAC(body),
		ID: s.secret.CommandID(ws, actor, method, path, key)}
}

// then is the call for a further step of c on another stream. Its id follows
// from c's, so that a repeat of c repeats it.
func (s *Service) then(c Call, step string) Call {
	c.ID = s.secret.CommandID(c.Workspace, c.Actor, "then", step, string(c.ID))
	return c
}

// own is a call of the service itself that follows from a cause, the same
// whoever makes it.
func (s *Service) own(ws domain.WorkspaceID, part, step, cause string) Call {
	actor := domain.Service(part)
	return Call{Workspace: ws, Actor: actor, ID: s.secret.CommandID(ws, actor, "own", step, cause)}
}

// rules answers the read model's view of a workspace.
func (s *Service) rules(ws domain.WorkspaceID) (workspace.State, *policy.Evaluator, error) {
	state, evaluator, ok, err := s.access.Rules(ws)
	switch {
	case err != nil:
		return state, nil, fmt.Errorf("%w: compiling the policies of %s: %w", ErrUnavailable, ws, err)
	case !ok:
		return state, nil, notFound()
	case state.Suspended:
		return state, nil, domain.Refuse(domain.Conflict, "workspace_suspended",
			"The workspace is suspended; nothing can be recorded in it until the operator resumes it.")
	}
	return state, evaluator, nil
}

// notFound is what every missing thing looks like, another workspace's too.
func notFound() *domain.Error {
	return domain.Refuse(domain.NotFound, "not_found", "There is no such thing here. Check the ids in the path.")
}

var _ Log = (*ledger.Ledger)(nil)
