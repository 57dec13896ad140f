package http

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

func TestRateLimits(t *testing.T) {
	tests := []struct {
		name   string
		limits Limits
		token  string
		code   string // once the bucket is empty
	}{
		{"credential", Limits{PerCredential: 3}, ownerToken, "rate_limited"},
		{"workspace", Limits{PerWorkspace: 3}, ownerToken, "rate_limited"},
		{"address", Limits{PerAddress: 3}, "clw_guess", "rate_limited"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config, _, _, _ := fakeConfig()
				config.Limits = tt.limits
				s, err := newServer(config)
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if code := problemCode(t, s, request("GET", "/v1/workspaces/acme", tt.token, "")); code == tt.code {
						t.Fatal("limited too early")
					}
				}
				w, p := ask(t, s, request("GET", "/v1/workspaces/acme", tt.token, ""))
				if w.Code != 429 || p["code"] != tt.code || w.Header().Get("Retry-After") == "" {
					t.Errorf("%d %v", w.Code, p)
				}
				if tt.name == "address" {
					if w, _ := ask(t, s, request("GET", "/v1/workspaces/acme", ownerToken, "")); w.Code != 200 {
						t.Errorf("a valid token from that address got %d", w.Code)
					}
				}
				time.Sleep(time.Second)
				if code := problemCode(t, s, request("GET", "/v1/workspaces/acme", tt.token, "")); code == tt.code {
					t.Error("still limited a second later")
				}
			})
		})
	}
}

// TestFloodLeavesRoom fills one workspace's share with calls that hang, and
// then calls from another workspace.
func TestFloodLeavesRoom(t *testing.T) {
	config, _, _, handlers := fakeConfig()
	config.Limits = Limits{InFlight: 8}
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	hold, entered := make(chan struct{}), make(chan struct{}, 8)
	handlers.workspace = func(ctx context.Context) (api.GetWorkspaceResponseObject, error) {
		if CallerFrom(ctx).Workspace == "acme" {
			entered <- struct{}{}
			<-hold
		}
		return api.GetWorkspace200JSONResponse{}, nil
	}
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() { s.ServeHTTP(httptest.NewRecorder(), request("GET", "/v1/workspaces/acme", ownerToken, "")) })
	}
	for range 4 {
		<-entered
	}
	if w, p := ask(t, s, request("GET", "/v1/workspaces/acme", ownerToken, "")); w.Code != 429 || p["code"] != "rate_limited" {
		t.Errorf("a fifth call of the flooding workspace got %d", w.Code)
	}
	if w, _ := ask(t, s, request("GET", "/v1/workspaces/other", strangerToken, "")); w.Code != 200 {
		t.Errorf("the other workspace got %d", w.Code)
	}
	close(hold)
	calls.Wait()
	if w, _ := ask(t, s, request("GET", "/v1/workspaces/acme", ownerToken, "")); w.Code != 200 {
		t.Errorf("after the flood: %d", w.Code)
	}
}

func TestOverload(t *testing.T) {
	config, _, _, _ := fakeConfig()
	config.Limits = Limits{InFlight: 1}
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	s.limits.inFlight.Store(1)
	w, p := ask(t, s, request("GET", "/v1/workspaces/acme", ownerToken, ""))
	if w.Code != 503 || p["code"] != "overloaded" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, p)
	}
}

func TestBodiesTogetherAreBounded(t *testing.T) {
	config, _, _, _ := fakeConfig()
	config.Limits = Limits{BodyBytes: 1000}
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	r := request("POST", "/v1/workspaces/acme/executions", agentToken, string(executionBody()))
	s.limits.bodyBytes.Store(900)
	if code := problemCode(t, s, r); code != "overloaded" {
		t.Errorf("code %q", code)
	}
	if n := s.limits.bodyBytes.Load(); n != 900 {
		t.Errorf("%d bytes counted afterwards", n)
	}
}

func TestBodySizes(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	huge := `{"workflow":"w","action":{"kind":"a","params":{"x":"` + strings.Repeat("a", 1<<20) + `"}}}`
	tests := []struct {
		name    string
		chunked bool
	}{{"announced", false}, {"chunked", true}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request("POST", "/v1/workspaces/acme/executions", agentToken, huge)
			if tt.chunked {
				r.ContentLength = -1
			}
			w, p := ask(t, s, r)
			if w.Code != 413 || p["code"] != "body_too_large" {
				t.Errorf("%d %v", w.Code, p)
			}
		})
	}
	t.Run("just fits, chunked", func(t *testing.T) {
		r := request("POST", "/v1/workspaces/acme/executions", agentToken, huge[:1<<20-3]+`"}}}`)
		r.Body = io.NopCloser(bytes.NewReader([]byte(huge[:1<<20-4] + `"}}}`)))
		r.ContentLength = -1
		if w, _ := ask(t, s, r); w.Code != 201 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestMediaTypeIsNeeded(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	r := request("POST", "/v1/workspaces/acme/executions", agentToken, string(executionBody()))
	r.Header.Set("Content-Type", "text/plain")
	if w, p := ask(t, s, r); w.Code != 415 || p["code"] != "unsupported_media_type" {
		t.Errorf("%d %v", w.Code, p)
	}
}

func TestBucketsAreBounded(t *testing.T) {
	b := buckets{limit: 10}
	busy := b.get("busy")
	busy.inFlight.Add(1)
	for i := range maxBuckets + 100 {
		b.get(strconv.Itoa(i)).used.Store(0) // idle for long
	}
	if n := len(b.named); n > maxBuckets {
		t.Errorf("%d buckets", n)
	} else if n < maxBuckets {
		t.Errorf("one new bucket made it forget %d, so it looked at as many", maxBuckets-n+1)
	}
	if looked := b.evict(); looked > 100 {
		t.Errorf("it looks at %d buckets to forget one", looked)
	}
	if b.get("busy") != busy {
		t.Error("a bucket with requests in flight was forgotten")
	}
}

func TestAddresses(t *testing.T) {
	for from, want := range map[string]string{"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:1": "2001:db8:1:2::/64", "[fe80::1%eth0]:1": "fe80::/64", "@": "@"} {
		if got := addressOf(&http.Request{RemoteAddr: from}); got != want {
			t.Errorf("%s counts as %s, want %s", from, got, want)
		}
	}
}

func TestRouteOrder(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	for _, path := range []string{"/v1/workspaces/acme/events/stream"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+agentToken)
		_, p := ask(t, s, r)
		if p["permission"] != "audit.search" {
			t.Errorf("%s: %v", path, p)
		}
	}
	for i := range 3 {
		if got := problemCode(t, s, request("GET", fmt.Sprintf("/v1/workspaces/acme/x%d", i), ownerToken, "")); got != "no_such_path" {
			t.Errorf("code %q", got)
		}
	}
}
