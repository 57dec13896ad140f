package http

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Part is one part of the service and whether it can do its work.
type Part struct {
	Name   string `json:"name"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"` // holds no content
}

type health struct {
	Status string `json:"status"`
	Parts  []Part `json:"parts"`
}

// healthz says that the process is alive, and asks nothing else.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, health{Status: "alive", Parts: []Part{}})
}

// readyz says whether every part is ready. A stopping server is not.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	answer := health{Status: "ready", Parts: append([]Part{}, s.parts()...)}
	select {
	case <-s.stopping:
		answer.Parts = append(answer.Parts, Part{Name: "server", Reason: "stopping"})
	default:
	}
	status := http.StatusOK
	for _, p := range answer.Parts {
		if !p.Ready {
			answer.Status, status = "not_ready", http.StatusServiceUnavailable
		}
	}
	writeJSON(w, status, answer)
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
