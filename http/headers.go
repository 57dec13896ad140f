package http

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// requestID is the caller's X-Request-Id where it has a safe form, else a
// random one. It only helps to find a request again; nothing trusts it.
func requestID(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && safeID(given[0]) {
		return given[0]
	}
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(b[8:], rand.Uint64())
	return hex.EncodeToString(b[:])
}

func safeID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return true
}

// setHeaders sets what every answer carries. The values are shared slices:
// nothing below may append to them.
func (s *Server) setHeaders(h http.Header, c *call, r *http.Request) {
	h["X-Request-Id"] = []string{c.id}
	h["X-Content-Type-Options"] = s.fixed.nosniff
	h["Cache-Control"] = s.fixed.noStore
	h["Referrer-Policy"] = s.fixed.noReferrer
	h["Content-Security-Policy"] = s.fixed.csp
	h["X-Frame-Options"] = s.fixed.deny
	if r.TLS != nil {
		h["Strict-Transport-Security"] = s.fixed.hsts
	}
}

// fixedHeaders are header values that every answer shares.
type fixedHeaders struct{ nosniff, noStore, noReferrer, csp, deny, hsts []string }

func newFixedHeaders() fixedHeaders {
	return fixedHeaders{
		nosniff:    []string{"nosniff"},
		noStore:    []string{"no-store"},
		noReferrer: []string{"no-referrer"},
		csp:        []string{"default-src 'none'; frame-ancestors 'none'"},
		deny:       []string{"DENY"},
		hsts:       []string{"max-age=" + strconv.Itoa(365*24*60*60)},
	}
}
