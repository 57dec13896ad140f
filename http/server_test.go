package http

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
)

func mustRegexp(t *testing.T, p string) func(string) bool {
	t.Helper()
	re, err := regexp.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return re.MatchString
}

// ask sends r and answers the response with its problem, if it is one.
func ask(t *testing.T, s http.Handler, r *http.Request) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Header().Get("Content-Type") != "application/problem+json" {
		return w, nil
	}
	var p map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{"type", "title", "status", "detail", "code", "request_id"} {
		if p[member] == nil {
			t.Errorf("the problem has no %s: %v", member, p)
		}
	}
	if p["status"] != float64(w.Code) {
		t.Errorf("the problem says %v, the status line %d", p["status"], w.Code)
	}
	return w, p
}

func problemCode(t *testing.T, s http.Handler, r *http.Request) string {
	t.Helper()
	_, p := ask(t, s, r)
	code, _ := p["code"].(string)
	return code
}

func request(method, path, token, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func TestRefusals(t *testing.T) {
	good := `{"workflow":"w","action":{"kind":"a","params":{}}}`
	tests := []struct {
		name, method, path, token, body string
		status                          int
		code                            string
		denied                          bool
	}{
		{"no token", "GET", "/v1/workspaces/acme", "", "", 401, "unauthenticated", false},
		{"unknown token", "GET", "/v1/workspaces/acme", "clw_guess", "", 401, "unauthenticated", false},
		{"another workspace", "GET", "/v1/workspaces/acme", strangerToken, "", 404, "not_found", true},
		{"a workspace that is none", "GET", "/v1/workspaces/nowhere", ownerToken, "", 404, "not_found", true},
		{"operator inside", "GET", "/v1/workspaces/acme", operatorToken, "", 404, "not_found", true},
		{"missing permission", "GET", "/v1/workspaces/acme/members", agentToken, "", 403, "permission_denied", true},
		{"operator's own", "GET", "/v1/workspaces", ownerToken, "", 403, "permission_denied", true},
		{"operator's, own workspace", "POST", "/v1/workspaces/acme:suspend", ownerToken, "", 403, "permission_denied", true},
		{"operator's, other workspace", "POST", "/v1/workspaces/acme:suspend", strangerToken, "", 404, "not_found", true},
		{"somebody else's token", "POST", "/v1/workspaces/acme/members/mb_2/tokens", ownerToken, `{"name":"n"}`, 403, "permission_denied", true},
		{"no path", "GET", "/v1/nothing", ownerToken, "", 404, "no_such_path", false},
		{"double slash", "GET", "//v1/workspaces", ownerToken, "", 404, "no_such_path", false},
		{"no method", "PATCH", "/v1/workspaces/acme", ownerToken, "", 405, "method_not_allowed", false},
		{"suspend is no workspace", "GET", "/v1/workspaces/acme:suspend", ownerToken, "", 405, "method_not_allowed", false},
		{"no body", "POST", "/v1/workspaces/acme/executions", agentToken, "", 400, "invalid_body", false},
		{"unknown field", "POST", "/v1/workspaces/acme/executions", agentToken, `{"x":1}`, 400, "invalid_body", false},
		{"good", "POST", "/v1/workspaces/acme/executions", agentToken, good, 201, "", false},
	}
	s, _, trail, _ := newFakeServer(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, p := ask(t, s, request(tt.method, tt.path, tt.token, tt.body))
			code, _ := p["code"].(string)
			if w.Code != tt.status || code != tt.code {
				t.Errorf("%d %q, want %d %q: %s", w.Code, code, tt.status, tt.code, w.Body)
			}
			if denials := trail.taken(); (len(denials) == 1) != tt.denied {
				t.Errorf("denials recorded: %v", denials)
			}
			if w.Code == 405 && w.Header().Get("Allow") == "" {
				t.Error("405 without Allow")
			}
			if w.Code == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
}

// TestOtherWorkspaceLooksLikeNothing compares whole answers but for the
// request's id.
func TestOtherWorkspaceLooksLikeNothing(t *testing.T) {
	s, _, _, handlers := newFakeServer(t)
	handlers.workspace = func(context.Context) (api.GetWorkspaceResponseObject, error) { return nil, errNotFound }
	ids := func(path string) (int, string) {
		r := request("GET", path, ownerToken, "")
		r.Header.Set("X-Request-Id", "same")
		w, _ := ask(t, s, r)
		return w.Code, w.Body.String()
	}
	missing, missingBody := ids("/v1/workspaces/acme")
	other, otherBody := ids("/v1/workspaces/other")
	if missing != other || missingBody != otherBody {
		t.Errorf("missing: %d %s\nother: %d %s", missing, missingBody, other, otherBody)
	}
}

func TestPermissionDeniedNamesIt(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	_, p := ask(t, s, request("GET", "/v1/workspaces/acme/members", agentToken, ""))
	if p["permission"] != "member.read" {
		t.Errorf("permission %v", p["permission"])
	}
}

func TestErrorTable(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		code   string
	}{
		{"conflict", domain.Refuse(domain.Conflict, "permit_used", "Used."), 409, "permit_used"},
		{"exceeded", domain.Refuse(domain.Exceeded, "budget_exceeded", "Over."), 402, "budget_exceeded"},
		{"stale", domain.Refuse(domain.Stale, "version_changed", "Changed."), 412, "version_changed"},
		{"deadline", context.DeadlineExceeded, 504, "outcome_unknown"},
		{"unknown", errors.New("secret canary"), 500, "internal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _, _, handlers := newFakeServer(t)
			handlers.workspace = func(context.Context) (api.GetWorkspaceResponseObject, error) { return nil, tt.err }
			w, p := ask(t, s, request("GET", "/v1/workspaces/acme", ownerToken, ""))
			if w.Code != tt.status || p["code"] != tt.code {
				t.Errorf("%d %v", w.Code, p["code"])
			}
			if strings.Contains(w.Body.String(), "canary") {
				t.Error("the answer shows the inner error")
			}
		})
	}
}

func TestFactsStandBesideTheProblem(t *testing.T) {
	s, _, _, handlers := newFakeServer(t)
	handlers.workspace = func(context.Context) (api.GetWorkspaceResponseObject, error) {
		return nil, domain.Refuse(domain.Exceeded, "budget_exceeded", "Over.").With("limit", 7).With("status", "no")
	}
	w, p := ask(t, s, request("GET", "/v1/workspaces/acme", ownerToken, ""))
	if p["limit"] != float64(7) || w.Code != 402 {
		t.Errorf("%d %v", w.Code, p)
	}
}

func TestPanicIsInternal(t *testing.T) {
	config, _, _, handlers := fakeConfig()
	var logged bytes.Buffer
	config.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	handlers.workspace = func(context.Context) (api.GetWorkspaceResponseObject, error) { panic("canary") }
	w, p := ask(t, s, request("GET", "/v1/workspaces/acme", ownerToken, ""))
	if w.Code != 500 || p["code"] != "internal" || !strings.Contains(logged.String(), "panic=string") ||
		!strings.Contains(logged.String(), "TestPanicIsInternal") || strings.Contains(logged.String(), "canary") {
		t.Errorf("%d %v, logged %q", w.Code, p, logged.String())
	}
	if n := s.limits.inFlight.Load(); n != 0 {
		t.Errorf("%d requests still in flight", n)
	}
}

func TestHandlersSeeTheCall(t *testing.T) {
	s, _, _, handlers := newFakeServer(t)
	body := `{ "workflow":"w","action":{"kind":"a","params":{"b":1,"a":2}}}`
	handlers.request = func(ctx context.Context, r api.RequestExecutionRequestObject) (api.RequestExecutionResponseObject, error) {
		if string(BodyFrom(ctx)) != body {
			t.Errorf("body %q", BodyFrom(ctx))
		}
		if want := (Caller{"acme", domain.AgentActor("ag_1"), "tk_agent"}); CallerFrom(ctx) != want {
			t.Errorf("caller %v", CallerFrom(ctx))
		}
		if string(r.Body.Action.Params) != `{"b":1,"a":2}` || given(r.Params.IdempotencyKey) != "key 1" || RequestIDFrom(ctx) != "rq-1" {
			t.Errorf("params %s, key %q, id %q", r.Body.Action.Params, given(r.Params.IdempotencyKey), RequestIDFrom(ctx))
		}
		return api.RequestExecution201JSONResponse{Headers: api.RequestExecution201ResponseHeaders{LedgerPosition: "99"}}, nil
	}
	r := request("POST", "/v1/workspaces/acme/executions", agentToken, body)
	r.Header.Set("Idempotency-Key", "key 1")
	r.Header.Set("X-Request-Id", "rq-1")
	w, _ := ask(t, s, r)
	if w.Header().Get("Ledger-Position") != "99" || w.Header().Get("X-Request-Id") != "rq-1" {
		t.Errorf("headers %v", w.Header())
	}
}

func TestUnsafeRequestIDIsReplaced(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	for _, given := range []string{"a b", "<script>", strings.Repeat("x", 129), "é"} {
		r := request("GET", "/healthz", "", "")
		r.Header.Set("X-Request-Id", given)
		w, _ := ask(t, s, r)
		if got := w.Header().Get("X-Request-Id"); got == given || len(got) != 32 {
			t.Errorf("%q became %q", given, got)
		}
	}
}

func TestLogsHoldNoContent(t *testing.T) {
	config, _, _, handlers := fakeConfig()
	var logged bytes.Buffer
	config.Logger = slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	handlers.request = func(context.Context, api.RequestExecutionRequestObject) (api.RequestExecutionResponseObject, error) {
		return nil, domain.Refuse(domain.Conflict, "permit_used", "Used.")
	}
	for _, body := range []string{
		`{"workflow":"w","action":{"kind":"a","params":{"canary":"canary"}}}`,
		`{"workflow":"canary!","canary":"canary"`,
	} {
		r := request("POST", "/v1/workspaces/acme/executions?canary=canary", agentToken, body)
		ask(t, s, r)
		r = request("POST", "/v1/workspaces/acme/executions", agentToken, body)
		ask(t, s, r)
	}
	if logged.Len() == 0 || strings.Contains(logged.String(), "canary") || strings.Contains(logged.String(), agentToken) {
		t.Errorf("logged %q", logged.String())
	}
}

func TestSecurityHeaders(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	w, _ := ask(t, s, request("GET", "/v1/workspaces/acme", ownerToken, ""))
	want := map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "X-Frame-Options": "DENY"}
	for name, value := range want {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestServicePages(t *testing.T) {
	config, _, _, _ := fakeConfig()
	ready := false
	config.Parts = func() []Part { return []Part{{Name: "event log", Ready: ready, Reason: "catching up"}} }
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	remote := func(path, token string, forwarded bool) *http.Request {
		r := request("GET", path, token, "")
		if forwarded {
			r.RemoteAddr = "127.0.0.1:9"
			r.Header.Set("X-Forwarded-For", "192.0.2.1")
		}
		return r
	}
	local := request("GET", "/metrics", "", "")
	local.RemoteAddr = "127.0.0.1:9"
	tests := []struct {
		name   string
		r      *http.Request
		status int
		has    string
	}{
		{"healthz", remote("/healthz", "", false), 200, `"alive"`},
		{"readyz", remote("/readyz", "", false), 503, "not up to date"},
		{"readyz for the operator", remote("/readyz", operatorToken, false), 503, "catching up"},
		{"jwks", remote("/.well-known/jwks.json", "", false), 200, `{"keys":[]}`},
		{"openapi", remote("/openapi.yaml", "", false), 200, "openapi: 3.0.3"},
		{"docs", remote("/docs", "", false), 200, `id="requestExecution"`},
		{"docs codes", remote("/docs", "", false), 200, `id="permission_denied"`},
		{"metrics from elsewhere", remote("/metrics", "", false), 401, "unauthenticated"},
		{"metrics through a local proxy", remote("/metrics", "", true), 401, "unauthenticated"},
		{"metrics with an agent's token", remote("/metrics", agentToken, false), 403, "permission_denied"},
		{"metrics for the operator", remote("/metrics", operatorToken, false), 200, "clawledger_http_requests_total"},
		{"metrics from here", local, 200, "clawledger_http_in_flight"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, tt.r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.has) {
				t.Errorf("%d %.300s", w.Code, w.Body)
			}
		})
	}
	for _, token := range []string{"", agentToken, "clw_guess"} {
		w, _ := ask(t, s, remote("/readyz", token, false))
		if w.Code != 503 || strings.Contains(w.Body.String(), "catching up") {
			t.Errorf("without the operator's token: %d %s", w.Code, w.Body)
		}
	}
	ready = true
	if w, _ := ask(t, s, remote("/readyz", "", false)); w.Code != 200 {
		t.Errorf("ready, but %d", w.Code)
	}
}

func TestDocsPageLoadsNothing(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	w, _ := ask(t, s, request("GET", "/docs", "", ""))
	for _, outside := range []string{"<script", "src=", "@import", "url(", "<link"} {
		if strings.Contains(w.Body.String(), outside) {
			t.Errorf("the page has %s", outside)
		}
	}
	if !strings.Contains(w.Header().Get("Content-Security-Policy"), "style-src 'sha256-") {
		t.Errorf("policy %q", w.Header().Get("Content-Security-Policy"))
	}
}

func TestTracing(t *testing.T) {
	config, _, _, _ := fakeConfig()
	recorder := tracetest.NewSpanRecorder()
	config.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	r := request("GET", "/v1/workspaces/acme", ownerToken, "")
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	ask(t, s, r)
	spans := recorder.Ended()
	if len(spans) != 1 || spans[0].Name() != "GET /v1/workspaces/{ws}" || spans[0].SpanContext().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
		t.Fatalf("spans %v", spans)
	}
}

func TestNewRefusesAnEmptyConfig(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a server without handlers was made")
	}
}

func drain(r io.ReadCloser) string {
	defer func() { _ = r.Close() }()
	b, _ := io.ReadAll(r)
	return string(b)
}
