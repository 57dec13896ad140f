package http

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// follow opens the stream of events and answers its lines.
func (w *world) follow(ctx context.Context, token, query string, headers ...string) (<-chan string, int) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/v1/workspaces/acme/events/stream"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return w.lines(r)
}

// lines sends a request and answers the lines of its answer as they come.
func (w *world) lines(r *http.Request) (<-chan string, int) {
	w.t.Helper()
	res, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		defer func() { _ = res.Body.Close() }()
		for s := bufio.NewScanner(res.Body); s.Scan(); {
			if s.Text() != "" {
				lines <- s.Text()
			}
		}
	}()
	return lines, res.StatusCode
}

// until collects ids until an event of this type comes.
func until(t *testing.T, lines <-chan string, kind string) (ids []string) {
	t.Helper()
	for line := range lines {
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			ids = append(ids, id)
		}
		if line == "event: "+kind {
			return ids
		}
	}
	t.Fatalf("the stream ended before %s came", kind)
	return nil
}

func TestStreamOfARunningServer(t *testing.T) {
	w := newWorld(t)
	auditor, auditorID := w.join("ann@acme.test", "Ann", "auditor")
	ctx, cancel := context.WithCancel(t.Context())
	lines, status := w.follow(ctx, auditor, "")
	if status != 200 {
		t.Fatalf("status %d", status)
	}
	first := until(t, lines, "workspace.created.v1")
	id := w.started()
	rest := until(t, lines, "execution.action_started.v1")
	cancel()
	resumed, _ := w.follow(t.Context(), auditor, "", "Last-Event-ID", rest[len(rest)-2])
	if ids := until(t, resumed, "execution.action_started.v1"); len(ids) != 1 || ids[0] != rest[len(rest)-1] {
		t.Errorf("resumed after %s: %v, first %v", rest[len(rest)-2], ids, first)
	}
	one, _ := w.follow(t.Context(), auditor, "?stream=execution-"+id+"&type=execution.requested.v1")
	if ids := until(t, one, "execution.requested.v1"); len(ids) != 1 {
		t.Errorf("filtered: %v", ids)
	}
	w.must(204, "DELETE", "/v1/workspaces/acme/members/"+auditorID, w.owner, "")
	var last string
	for line := range resumed {
		last = line
	}
	if !strings.Contains(last, "may not read here any more") {
		t.Errorf("a removed member's stream ended with %q", last)
	}
}

func TestDenialsAreRecorded(t *testing.T) {
	w := newWorld(t)
	auditor, _ := w.join("ann@acme.test", "Ann", "auditor")
	id := w.started()
	other := w.must(201, "POST", "/v1/workspaces/acme/agents", w.owner, `{"name":"other"}`).text("id")
	token := w.must(201, "POST", "/v1/workspaces/acme/agents/"+other+"/tokens", w.owner, `{"name":"t"}`).text("token")
	w.refused(403, "permission_denied", "GET", "/v1/workspaces/acme/members", w.agent, "")
	w.refused(404, "not_found", "GET", "/v1/workspaces/elsewhere", w.agent, "")
	w.refused(403, "not_requester", "POST", "/v1/workspaces/acme/executions/"+id+"/complete", token, `{}`)
	w.refused(404, "not_found", "GET", "/v1/workspaces/acme/executions/"+id, token, "")
	w.refused(404, "not_found", "GET", "/v1/workspaces/acme", w.operator, "")
	for range 3 {
		w.refused(401, "unauthenticated", "GET", "/v1/workspaces/acme", "clw_guess", "")
	}
	list := w.must(200, "GET", "/v1/workspaces/acme/events?type=access.denied.v1&min_position="+w.head(), auditor, "").at("items").([]any)
	if len(list) != 4 {
		t.Errorf("%d denials are recorded, want 4: %v", len(list), list)
	}
}

func (w *world) head() string {
	m := &matrix{world: w}
	return m.position()
}

// TestRevocationOutlastsOtherReplicas: where others decide by rights of up to
// half a second ago, taking a right away must take at least so long.
func TestRevocationOutlastsOtherReplicas(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Shared = true })
	made := w.must(201, "POST", "/v1/workspaces/acme/agents/"+w.agentID+"/tokens", w.owner, `{"name":"t"}`)
	asked := time.Now()
	w.must(204, "DELETE", "/v1/workspaces/acme/tokens/"+made.text("id"), w.owner, "")
	if took := time.Since(asked); took < rightsAge {
		t.Errorf("answered after %v", took)
	}
}

func TestStaleRightsAreNotTrusted(t *testing.T) {
	w := newWorld(t)
	w.halt()
	deadline := time.Now().Add(30 * time.Second)
	for w.models.Stale(context.Background(), rightsAge, "access") == nil && time.Now().Before(deadline) {
		a := w.once("POST", "/v1/workspaces/acme/executions", w.agent, `{"workflow":"w","action":{"kind":"llm.call","params":{}}}`)
		if a.status != 201 && a.text("code") != "stale_model" { // which it may have become meanwhile
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	w.refused(503, "stale_model", "GET", "/v1/workspaces/acme", w.owner, "")
	w.refused(401, "unauthenticated", "GET", "/v1/workspaces/acme", "clw_guess", "")
}

func TestLogThatCannotBeWritten(t *testing.T) {
	var broken atomic.Bool
	faulty := eventlogtest.NewFaulty(ledgertest.Engine(t), func(int, string) eventlogtest.Fault {
		if broken.Load() {
			return eventlogtest.Before
		}
		return eventlogtest.None
	})
	w := newWorldOn(t, ledgertest.On(t, faulty, ledgertest.Keys(t)))
	broken.Store(true)
	a := w.refused(503, "ledger_unavailable", "POST", "/v1/workspaces/acme/executions", w.agent, `{"workflow":"w","action":{"kind":"llm.call","params":{}}}`)
	if a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	w.must(200, "GET", "/v1/workspaces/acme", w.owner, "")
	w.refused(403, "permission_denied", "GET", "/v1/workspaces/acme/members", w.agent, "") // although it can't be recorded
	broken.Store(false)
	w.started()
}

func TestServiceErrors(t *testing.T) {
	tests := []struct {
		err    error
		status int
		code   string
		retry  bool
	}{
		{commands.ErrBusy, 503, "overloaded", true},
		{commands.ErrUnavailable, 503, "ledger_unavailable", true},
		{commands.ErrOutcomeUnknown, 504, "outcome_unknown", true},
		{commands.ErrIntegrity, 500, "integrity", false},
		{errStale, 503, "stale_model", true},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			s, _, _, handlers := newFakeServer(t)
			handlers.workspace = func(context.Context) (api.GetWorkspaceResponseObject, error) { return nil, tt.err }
			w, p := ask(t, s, request("GET", "/v1/workspaces/acme", ownerToken, ""))
			if w.Code != tt.status || p["code"] != tt.code || (w.Header().Get("Retry-After") != "") != tt.retry {
				t.Errorf("%d %v %v", w.Code, p, w.Header())
			}
		})
	}
}

// TestLargePrompt sends content that fills many appends.
func TestLargePrompt(t *testing.T) {
	w := newWorld(t)
	path := "/v1/workspaces/acme/executions/" + w.started() + "/prompts"
	prompt := func(n int) string {
		return `{"model":"m","max_output_tokens":1,"content":"` + strings.Repeat("a", n) + `"}`
	}
	w.must(201, "POST", path, w.agent, prompt(7<<20))
	w.refused(413, "body_too_large", "POST", path, w.agent, prompt(8<<20))
}

// TestNoContentOutside puts canaries into everything that is content and looks
// for them in the log, the metrics and the answers of refusals.
func TestNoContentOutside(t *testing.T) {
	var logged syncBuffer
	w := newWorld(t, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	const canary = "canary-7f3a"
	id := w.started()
	path := "/v1/workspaces/acme/executions/" + id
	w.join(canary+"@acme.test", canary, "member")
	w.must(201, "POST", path+"/prompts", w.agent, `{"model":"m","content":"`+canary+`","max_output_tokens":1}`)
	answers := []answer{
		w.do("POST", path+"/prompts", w.agent, `{"model":"m","content":"`+canary+`","max_output_tokens":"`+canary+`"}`),
		w.do("POST", path+"/prompts", w.agent, `{"model":"m","content":"`+canary+`",`),
		w.do("POST", "/v1/workspaces/acme/members", w.owner, `{"email":"`+canary+`","name":"`+canary+`","roles":[]}`),
		w.do("GET", "/v1/workspaces/acme/executions?workflow="+canary+"%20", w.super, ""),
		w.do("GET", "/metrics", "", ""),
	}
	for _, a := range answers {
		if strings.Contains(string(a.raw), canary) {
			t.Errorf("an answer shows content: %s", a.raw)
		}
	}
	if text := logged.String(); text == "" || strings.Contains(text, canary) || strings.Contains(text, w.agent) {
		t.Errorf("the log is empty, or shows content or a token: %.2000s", text)
	}
}

// syncBuffer is a buffer for many writers.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
