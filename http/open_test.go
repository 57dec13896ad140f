package http

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const acceptPath = "/v1/invitations:accept"

// TestOpenCallsAreBounded sends headers of calls that need no token, and no
// bodies, and then wants others to be served.
func TestOpenCallsAreBounded(t *testing.T) {
	config, _, _, _ := fakeConfig()
	config.Limits = Limits{InFlight: 12, Open: 6, OpenPerAddress: 4, BodyBytes: 1 << 16}
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	from := func(address string) *http.Request {
		r := request("POST", acceptPath, "", `{"invitation_token":"x","unknown":1}`)
		r.RemoteAddr = address
		return r
	}
	for range 4 { // all of httptest's own address
		body, _ := slowly(s, acceptPath, "", 4096)
		t.Cleanup(func() { _ = body.Close() })
		_, _ = body.Write([]byte("{"))
	}
	for _, tt := range []struct{ address, code string }{
		{"192.0.2.1:7", "rate_limited"}, // the address has its share
		{"192.0.2.2:7", "invalid_body"}, // another is let in
	} {
		if code := problemCode(t, s, from(tt.address)); code != tt.code {
			t.Errorf("%s: %q, want %q", tt.address, code, tt.code)
		}
	}
	s.limits.open.Add(2)
	if code := problemCode(t, s, from("192.0.2.2:7")); code != "overloaded" {
		t.Errorf("beyond what all may take: %q", code)
	}
	for _, path := range []string{"/healthz", "/docs"} {
		r := request("GET", path, "", "")
		r.RemoteAddr = "192.0.2.3:7"
		if w, _ := ask(t, s, r); w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w, _ := ask(t, s, request("GET", "/v1/workspaces/acme", ownerToken, "")); w.Code != 200 {
		t.Errorf("a call with a token: %d", w.Code)
	}
}

func TestOpenBodiesAreSmall(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	w, p := ask(t, s, request("POST", acceptPath, "", `{"invitation_token":"`+strings.Repeat("x", 4096)+`"}`))
	if w.Code != 413 || p["code"] != "body_too_large" {
		t.Errorf("%d %v", w.Code, p)
	}
}

func TestProbesAreAnsweredUnderLoad(t *testing.T) {
	config, _, _, _ := fakeConfig()
	config.Limits = Limits{InFlight: 1}
	s, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	s.limits.inFlight.Store(1)
	for _, path := range []string{"/healthz", "/readyz"} {
		if w, _ := ask(t, s, request("GET", path, "", "")); w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if n := s.limits.inFlight.Load(); n != 1 {
		t.Errorf("%d requests are counted, want the 1 there was", n)
	}
}

// deadlines is an answer that notes the deadlines it is given, and can be held up.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write []time.Time
	hold        chan struct{}
	writing     chan struct{}
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.read = append(d.read, at)
	return nil
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.write = append(d.write, at)
	return nil
}

func (d *deadlines) Write(b []byte) (int, error) {
	if d.hold != nil {
		d.writing <- struct{}{}
		<-d.hold
	}
	return d.ResponseRecorder.Write(b)
}

func TestOpenBodiesHaveLittleTime(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	w, before := &deadlines{ResponseRecorder: httptest.NewRecorder()}, time.Now()
	s.ServeHTTP(w, request("POST", acceptPath, "", `{"unknown":1}`))
	if len(w.read) != 2 || w.read[0].Sub(time.Now()) > openBodyTime || w.read[1].Before(before.Add(readTime)) {
		t.Errorf("deadlines of a call without a token: %v", w.read)
	}
	w = &deadlines{ResponseRecorder: httptest.NewRecorder()}
	s.ServeHTTP(w, request("POST", "/v1/workspaces/acme/executions", agentToken, string(executionBody())))
	if w.Code != 201 || len(w.read) != 0 {
		t.Errorf("deadlines of a call with a token: %d %v", w.Code, w.read)
	}
}

// TestPagesAreBounded reads each page more often at once than one address may,
// taking nothing of the answers.
func TestPagesAreBounded(t *testing.T) {
	for _, path := range []string{"/docs", "/openapi.yaml", "/.well-known/jwks.json"} {
		t.Run(path, func(t *testing.T) {
			s, _, _, _ := newFakeServer(t)
			hold, writing := make(chan struct{}), make(chan struct{})
			var all []*deadlines
			done := make(chan struct{})
			for range s.limits.OpenPerAddress {
				w := &deadlines{ResponseRecorder: httptest.NewRecorder(), hold: hold, writing: writing}
				all = append(all, w)
				go func() {
					s.ServeHTTP(w, request("GET", path, "", ""))
					done <- struct{}{}
				}()
				<-writing
			}
			if w, p := ask(t, s, request("GET", path, "", "")); w.Code != 429 || p["code"] != "rate_limited" {
				t.Errorf("one more: %d", w.Code)
			}
			other := request("GET", path, "", "")
			other.RemoteAddr = "[2001:db8::1]:9"
			if w, _ := ask(t, s, other); w.Code != 200 {
				t.Errorf("another address: %d", w.Code)
			}
			close(hold)
			for range all {
				<-done
			}
			for _, w := range all {
				if w.Code != 200 {
					t.Errorf("status %d", w.Code)
				}
			}
			if w, _ := ask(t, s, request("GET", path, "", "")); w.Code != 200 {
				t.Errorf("afterwards: %d", w.Code)
			}
			if w := all[0]; len(w.write) != 1 || time.Until(w.write[0]) > pageWrites {
				t.Error(fmt.Sprint("deadlines of a page: ", w.write))
			}
		})
	}
}
