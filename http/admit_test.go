package http

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clawoffice/ledger/domain"
)

// slowly makes a request whose body comes when the test says so, and sends it.
func slowly(s http.Handler, path, token string, length int64) (body *io.PipeWriter, answered chan *httptest.ResponseRecorder) {
	in, out := io.Pipe()
	r := request("POST", path, token, "")
	r.Body, r.ContentLength = in, length
	r.Header.Set("Content-Type", "application/json")
	answered = make(chan *httptest.ResponseRecorder, 1)
	go func() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		answered <- w
	}()
	return out, answered
}

// TestRightsAreAskedAgainAfterTheBody takes the token, or the right, away while
// the body is on its way.
func TestRightsAreAskedAgainAfterTheBody(t *testing.T) {
	tests := []struct {
		name, path, token, body string
		take                    func(*fakeGate)
		status                  int
		code                    string
		denials                 int
	}{
		{"token", "/v1/workspaces/acme/executions", agentToken, string(executionBody()), func(g *fakeGate) { delete(g.callers, agentToken) }, 401, "unauthenticated", 0},
		{"somebody else's now", "/v1/workspaces/acme/executions", agentToken, string(executionBody()), func(g *fakeGate) { g.callers[agentToken] = g.callers[ownerToken] }, 401, "unauthenticated", 0},
		{"right", "/v1/workspaces/acme/executions", agentToken, string(executionBody()), func(g *fakeGate) { clear(g.holds) }, 403, "permission_denied", 1},
		{"operator's token", "/v1/workspaces", operatorToken, `{"id":"acme","name":"n","currency":"EUR"}`, func(g *fakeGate) { delete(g.callers, operatorToken) }, 401, "unauthenticated", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, gate, trail, _ := newFakeServer(t)
			body, answered := slowly(s, tt.path, tt.token, int64(len(tt.body)))
			_, _ = io.WriteString(body, tt.body[:1]) // returns once the server reads the body
			tt.take(gate)
			_, _ = io.WriteString(body, tt.body[1:])
			if w := <-answered; w.Code != tt.status || !strings.Contains(w.Body.String(), tt.code) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if n := len(trail.taken()); n != tt.denials {
				t.Errorf("%d denials recorded", n)
			}
		})
	}
}

func TestRightsAreAskedAgainAfterTheTurn(t *testing.T) {
	s, gate, _, _ := newFakeServer(t)
	s.limits.turns = newTurns(1, 10)
	leave := mustEnter(t, s.limits.turns, "acme")
	answered := make(chan int)
	go func() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request("GET", "/v1/workspaces/acme", ownerToken, ""))
		answered <- w.Code
	}()
	waitFor(t, "the call to wait for its turn", func() bool { return s.limits.turns.waitingOf("acme") == 1 })
	delete(gate.callers, ownerToken)
	leave()
	if code := <-answered; code != 401 {
		t.Errorf("a token that ended during the wait: %d", code)
	}
	if leave, err := s.limits.turns.enter(context.Background(), "acme", s.limits.turns.swept); err != nil {
		t.Error(err)
	} else {
		leave()
	}
}

// TestRevokedWhileSending is the same with everything real.
func TestRevokedWhileSending(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, "POST", "/v1/workspaces/acme/agents/"+w.agentID+"/tokens", w.owner, `{"name":"t"}`)
	const body = `{"workflow":"w","action":{"kind":"llm.call","params":{}}}`
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/v1/workspaces/acme/executions", in)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(body))
	r.Header.Set("Authorization", "Bearer "+made.text("token"))
	r.Header.Set("Content-Type", "application/json")
	answered := make(chan int, 1)
	go func() {
		res, err := w.client.Do(r)
		if err != nil {
			answered <- 0
			return
		}
		drain(res.Body)
		answered <- res.StatusCode
	}()
	_, _ = io.WriteString(out, body[:1])
	waitFor(t, "the server to read the body", func() bool { return w.server.limits.bodyBytes.Load() > 0 })
	w.must(204, "DELETE", "/v1/workspaces/acme/tokens/"+made.text("id"), w.owner, "")
	_, _ = io.WriteString(out, body[1:])
	if code := <-answered; code != 401 {
		t.Errorf("the call of a revoked token got %d", code)
	}
}

// TestAnnouncingTakesNoMemory announces far more than all bodies may take
// together, and sends next to nothing of it.
func TestAnnouncingTakesNoMemory(t *testing.T) {
	config, _, _, _ := fakeConfig()
	config.Limits = Limits{BodyBytes: 1 << 20}
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	var bodies []*io.PipeWriter
	var answers []chan *httptest.ResponseRecorder
	for range 20 {
		body, answered := slowly(s, "/v1/workspaces/acme/executions", agentToken, 1<<20)
		if _, err := io.WriteString(body, "{"); err != nil {
			t.Fatal(err)
		}
		bodies, answers = append(bodies, body), append(answers, answered)
	}
	if w, _ := ask(t, s, request("POST", "/v1/workspaces/acme/executions", agentToken, string(executionBody()))); w.Code != 201 {
		t.Errorf("a whole body beside those announced: %d %s", w.Code, w.Body)
	}
	for i, body := range bodies {
		_ = body.Close()
		if w := <-answers[i]; w.Code != 400 {
			t.Errorf("a body that broke off: %d", w.Code)
		}
	}
	if n := s.limits.bodyBytes.Load(); n != 0 {
		t.Errorf("%d bytes counted afterwards", n)
	}
}

// TestBodiesThatArriveAreCounted sends more than all may take together.
func TestBodiesThatArriveAreCounted(t *testing.T) {
	config, _, _, _ := fakeConfig()
	config.Limits = Limits{BodyBytes: 64 << 10}
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	for name, length := range map[string]int64{"announced": 100 << 10, "chunked": -1} {
		r := request("POST", "/v1/workspaces/acme/executions", agentToken, strings.Repeat(" ", 100<<10))
		r.ContentLength = length
		if code := problemCode(t, s, r); code != "overloaded" {
			t.Errorf("%s: %q", name, code)
		}
		if n := s.limits.bodyBytes.Load(); n != 0 {
			t.Errorf("%s: %d bytes counted afterwards", name, n)
		}
	}
}

func TestHandlersKnowWhatIsHeldNow(t *testing.T) {
	s, gate, _, _ := newFakeServer(t)
	c := &call{op: operationNamed(t, "revokeToken"), caller: gate.callers[ownerToken], token: ownerToken}
	for range 2 {
		if err := s.stillAllowed(t.Context(), c); err != nil || len(c.held) != 2 || !c.holds(domain.TokenManage) {
			t.Errorf("%v, held %v", err, c.held)
		}
	}
}
