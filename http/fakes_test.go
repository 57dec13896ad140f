package http

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
)

// fakeGate knows callers by token, and permissions by actor.
type fakeGate struct {
	callers map[string]Caller
	holds   map[domain.Actor][]domain.Permission
	err     error
}

func (g *fakeGate) Identify(_ context.Context, token string) (Caller, error) {
	if c, ok := g.callers[token]; ok {
		return c, g.err
	}
	return Caller{}, ErrUnknownToken
}

func (g *fakeGate) Holds(_ context.Context, c Caller, p domain.Permission) (bool, error) {
	return slices.Contains(g.holds[c.Actor], p), g.err
}

// fakeTrail remembers denials.
type fakeTrail struct {
	mu      sync.Mutex
	denials []Denial
}

func (t *fakeTrail) Denied(_ context.Context, d Denial) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.denials = append(t.denials, d)
	return nil
}

func (t *fakeTrail) taken() []Denial {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.denials
	t.denials = nil
	return out
}

// fakeHandlers answers a few operations; a call of any other would panic.
type fakeHandlers struct {
	api.StrictServerInterface
	workspace func(ctx context.Context) (api.GetWorkspaceResponseObject, error)
	request   func(ctx context.Context, r api.RequestExecutionRequestObject) (api.RequestExecutionResponseObject, error)
}

func (h *fakeHandlers) GetWorkspace(ctx context.Context, r api.GetWorkspaceRequestObject) (api.GetWorkspaceResponseObject, error) {
	if h.workspace != nil {
		return h.workspace(ctx)
	}
	return api.GetWorkspace200JSONResponse{ID: r.Ws, Name: "Acme", Currency: "EUR", Status: "active"}, nil
}

func (h *fakeHandlers) RequestExecution(ctx context.Context, r api.RequestExecutionRequestObject) (api.RequestExecutionResponseObject, error) {
	if h.request != nil {
		return h.request(ctx, r)
	}
	return api.RequestExecution201JSONResponse{
		Body:    api.ExecutionRequested{ID: "ex_1", Status: "authorized", ActionDigest: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Permit: "permit", Decision: api.Decision{Effect: "allow", Rule: "builtin", Reason: "harmless"}},
		Headers: api.RequestExecution201ResponseHeaders{LedgerPosition: "7"},
	}, nil
}

const (
	agentToken    = "clw_agent"
	ownerToken    = "clw_owner"
	strangerToken = "clw_stranger"
	operatorToken = "clwop_operator"
)

func fakeConfig() (wiring, *fakeGate, *fakeTrail, *fakeHandlers) {
	agent := Caller{"acme", domain.AgentActor("ag_1"), "tk_agent"}
	owner := Caller{"acme", domain.MemberActor("mb_1"), "tk_owner"}
	everything, _ := domain.BuiltinRole(domain.RoleOwner)
	gate := &fakeGate{
		callers: map[string]Caller{agentToken: agent, ownerToken: owner, operatorToken: {Actor: domain.Operator()},
			strangerToken: {"other", domain.MemberActor("mb_1"), "tk_stranger"}},
		holds: map[domain.Actor][]domain.Permission{agent.Actor: {domain.ExecutionRequest}, owner.Actor: everything},
	}
	trail, handlers := &fakeTrail{}, &fakeHandlers{}
	return wiring{handlers: handlers, gate: gate, trail: trail, keys: func() []byte { return []byte(`{"keys":[]}`) }}, gate, trail, handlers
}

func newFakeServer(t testing.TB) (*Server, *fakeGate, *fakeTrail, *fakeHandlers) {
	t.Helper()
	config, gate, trail, handlers := fakeConfig()
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	return s, gate, trail, handlers
}
