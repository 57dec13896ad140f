package http

import (
	"context"
	"errors"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
)

// code is the code of a refusal.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	refused, _, _ := refusal(err)
	return refused.Code
}

// TestWaitsHoldNoPlace parks more reads than a workspace has places, and then
// calls.
func TestWaitsHoldNoPlace(t *testing.T) {
	s, gate, _, _ := newFakeServer(t)
	s.limits.turns = newTurns(1, 100)
	hold := make(chan struct{})
	var parked sync.WaitGroup
	results := make(chan error, 100)
	read := func(token string) {
		c := &call{op: operationNamed(t, "listExecutions"), caller: gate.callers[token], token: token}
		ctx := callContext{context.Background(), c}
		if err := s.takeTurn(ctx, c, time.Now()); err != nil {
			t.Error(err)
		}
		results <- s.aside(ctx, func() error { <-hold; return nil })
		if c.turn == nil && gate.callers[token] == c.caller {
			results <- errors.New("no place after the wait")
		}
		s.depart(c)
	}
	waiting := &s.limits.credentials.get("tk_owner").waiting
	for range s.limits.WaitsPerCredential {
		parked.Go(func() { read(ownerToken) })
	}
	waitFor(t, "the reads to be parked", func() bool { return waiting.Load() == int64(s.limits.WaitsPerCredential) })
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request("GET", "/v1/workspaces/acme", ownerToken, ""))
	if w.Code != 200 {
		t.Errorf("a call beside the parked reads: %d", w.Code)
	}
	beyond := &call{op: operationNamed(t, "listExecutions"), caller: gate.callers[ownerToken], token: ownerToken}
	if err := s.aside(callContext{context.Background(), beyond}, func() error { return nil }); codeOf(err) != "rate_limited" {
		t.Errorf("one more wait of the credential: %v", err)
	}
	other := &call{op: operationNamed(t, "requestExecution"), caller: gate.callers[agentToken], token: agentToken}
	if err := s.aside(callContext{context.Background(), other}, func() error { return nil }); err != nil {
		t.Errorf("a wait of another credential: %v", err)
	}
	s.depart(other)
	close(hold)
	parked.Wait()
	close(results)
	for err := range results {
		if err != nil {
			t.Error(err)
		}
	}
	if waiting.Load() != 0 || s.limits.turns.taken != 0 {
		t.Errorf("%d still wait, %d places are taken", waiting.Load(), s.limits.turns.taken)
	}
}

func TestRightsAreAskedAgainAfterAWait(t *testing.T) {
	s, gate, _, _ := newFakeServer(t)
	c := &call{op: operationNamed(t, "listExecutions"), caller: gate.callers[ownerToken], token: ownerToken}
	err := s.aside(callContext{context.Background(), c}, func() error { delete(gate.callers, ownerToken); return nil })
	if codeOf(err) != "unauthenticated" {
		t.Errorf("a token that ended during the wait: %v", err)
	}
	s.depart(c)
}

// TestChangesWaitWithoutAPlace: what waits until a change of rights is in force
// holds no place either.
func TestChangesWaitWithoutAPlace(t *testing.T) {
	h := &handlers{}
	w := newWorld(t, func(c *Config) { h.access, h.models = c.Access, c.Models })
	w.server.limits.turns = newTurns(1, 1)
	c := &call{caller: Caller{Workspace: "acme"}}
	if err := w.server.takeTurn(t.Context(), c, time.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(callContext{t.Context(), c})
	waited := make(chan error)
	go func() { waited <- h.inForce(ctx, commands.Receipt{Position: 1 << 40}) }()
	mustEnter(t, w.server.limits.turns, "acme")()
	cancel()
	if err := <-waited; codeOf(err) != "not_in_force_yet" {
		t.Errorf("%v", err)
	}
}

// TestPositionsBeyondTheLog: nobody was answered such a position, so waiting
// for it is of no use.
func TestPositionsBeyondTheLog(t *testing.T) {
	w := newWorld(t)
	n, err := strconv.ParseUint(w.head(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	beyond := strconv.FormatUint(n+1000, 10)
	for _, path := range []string{"/v1/workspaces/acme/executions", "/v1/workspaces/acme/members", "/v1/workspaces/acme/approvals"} {
		w.refused(400, "invalid_parameter", "GET", path+"?min_position="+beyond, w.owner, "")
		w.must(200, "GET", path+"?min_position="+w.head(), w.owner, "")
	}
	w.refused(400, "invalid_parameter", "GET", "/v1/workspaces?min_position="+beyond, w.operator, "")
}

// TestSecretsAreShownWhateverTheWaitSays stops the models, so that no change is
// ever in force, and wants the secrets all the same.
func TestSecretsAreShownWhateverTheWaitSays(t *testing.T) {
	h := &handlers{}
	w := newWorld(t, func(c *Config) {
		h.service, h.access, h.models, h.directory, h.now = c.Service, c.Access, c.Models, c.Directory, time.Now
		h.look = func(context.Context) bool { return false }
	})
	invitation := w.must(201, "POST", "/v1/workspaces/acme/members", w.owner, `{"email":"i@acme.test","name":"I","roles":["member"]}`).text("invitation_token")
	owner := Caller{"acme", domain.MemberActor(domain.MemberID(w.ownerID)), "tk_owner"}
	asOperator := func(op string) context.Context {
		return callContext{t.Context(), &call{op: operationNamed(t, op), caller: Caller{Actor: domain.Operator()}}}
	}
	as := func(op string) context.Context {
		return callContext{t.Context(), &call{op: operationNamed(t, op), caller: owner}}
	}
	w.halt()
	tests := []struct {
		name string
		do   func(ctx context.Context) (secret string, err error)
		ctx  context.Context
	}{
		{"workspace", func(ctx context.Context) (string, error) {
			got, err := h.CreateWorkspace(ctx, api.CreateWorkspaceRequestObject{Body: &api.WorkspaceInput{ID: "second", Name: "S", Currency: "EUR",
				Owner: api.OwnerInput{Email: "s@s.test", Name: "S"}}})
			made, _ := got.(api.CreateWorkspace201JSONResponse)
			return made.Body.Owner.Token, err
		}, asOperator("createWorkspace")},
		{"invitation", func(ctx context.Context) (string, error) {
			got, err := h.InviteMember(ctx, api.InviteMemberRequestObject{Ws: "acme", Body: &api.MemberInput{Email: "j@acme.test", Name: "J", Roles: []api.RoleName{"member"}}})
			made, _ := got.(api.InviteMember201JSONResponse)
			return made.Body.InvitationToken, err
		}, as("inviteMember")},
		{"accepting", func(ctx context.Context) (string, error) {
			got, err := h.AcceptInvitation(ctx, api.AcceptInvitationRequestObject{Body: &api.InvitationInput{InvitationToken: invitation}})
			made, _ := got.(api.AcceptInvitation201JSONResponse)
			return made.Body.Token, err
		}, asOperator("acceptInvitation")},
		{"token", func(ctx context.Context) (string, error) {
			got, err := h.CreateAgentToken(ctx, api.CreateAgentTokenRequestObject{Ws: "acme", ID: w.agentID, Body: &api.TokenInput{Name: "t"}})
			made, _ := got.(api.CreateAgentToken201JSONResponse)
			return made.Body.Token, err
		}, as("createAgentToken")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(tt.ctx, 500*time.Millisecond)
			defer cancel()
			secret, err := tt.do(ctx)
			if err != nil || secret == "" {
				t.Errorf("secret %q, %v", secret, err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(as("createAgent"), 10*time.Millisecond)
	defer cancel()
	if err := h.inForceUnless(ctx, false, commands.Receipt{Position: 1 << 40}); codeOf(err) != "not_in_force_yet" {
		t.Errorf("an answer without a secret: %v", err)
	}
}
