package http

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/clawoffice/ledger/domain"
)

// Part is one part of the service and whether it can do its work.
type Part struct {
	Name   string `json:"name"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"` // holds no content
}

type health struct {
	Status     string `json:"status"`
	Parts      []Part `json:"parts"`
	Unresolved *int   `json:"unresolved_executions,omitempty"` // for the operator
}

// healthz says that the process is alive, and asks nothing else.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, health{Status: "alive", Parts: []Part{}})
}

// readyz says whether every part is ready. A stopping server is not. Why a part
// is not ready may name streams and places in files, and is for the operator.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	answer := health{Status: "ready", Parts: append([]Part{}, s.parts()...)}
	select {
	case <-s.stopping:
		answer.Parts = append(answer.Parts, Part{Name: "server", Reason: "stopping"})
	default:
	}
	status, detailed := http.StatusOK, s.operatorAsks(r)
	for i, p := range answer.Parts {
		if !p.Ready {
			answer.Status, status = "not_ready", http.StatusServiceUnavailable
		}
		if !detailed {
			answer.Parts[i].Reason = plainReason(p)
		}
	}
	if detailed {
		if n, err := s.unresolved(r.Context()); err == nil {
			answer.Unresolved = &n
		}
	}
	writeJSON(w, status, answer)
}

// operatorAsks reports whether a request to an open page has the operator's
// token. Another token is no error there: the page is anybody's.
func (s *Server) operatorAsks(r *http.Request) bool {
	token, ok := bearer(r)
	if !ok {
		return false
	}
	leave, err := s.limits.enterOpen(r, &s.limits.pages) // asking about a token may take a moment
	if err != nil {
		return false
	}
	defer leave()
	caller, err := s.gate.Identify(r.Context(), token)
	return err == nil && caller.Actor.Kind == domain.KindOperator
}

// plainReason is what anybody may know of a part that is not ready.
func plainReason(p Part) string {
	switch {
	case p.Ready:
		return ""
	case p.Name == "log":
		return "the log can't be read or written now"
	case p.Name == "clock":
		return "the clock can't be trusted now"
	case p.Name == "server":
		return "stopping"
	}
	return "not up to date"
}

// pageWrites is how long a client may take to receive an open page.
const pageWrites = 15 * time.Second

// openPage bounds what a page that needs no token costs, at all and for one
// address.
func (s *Server) openPage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, err := s.limits.enterOpen(r, &s.limits.pages)
		if err != nil {
			s.problems.write(w, callOf(r.Context()), err)
			return
		}
		defer leave()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pageWrites)) // one that knows none has none to keep
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(v); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = buf.WriteTo(w)
}

// jwks answers the public keys. They may be cached for a minute: rotation
// publishes a key long before it signs everything.
func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=60")
	_, _ = w.Write(s.keys())
}

// metricsPage serves Prometheus to the operator, or to this very machine.
func (s *Server) metricsPage() http.Handler {
	page := promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(r.Context())
		if !local(r) {
			if err := s.authenticate(r, c); err != nil {
				s.problems.write(w, c, err)
				return
			}
			if err := s.authorize(r, c); err != nil {
				s.problems.write(w, c, err)
				return
			}
		}
		page.ServeHTTP(w, r)
	})
}

// local reports whether the request comes straight from this machine. A
// request that a proxy passed on does not, wherever the proxy runs.
func local(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via", "Authorization"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
