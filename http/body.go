package http

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"github.com/clawoffice/ledger/domain"
)

// readBody reads and checks the request's body, keeps its bytes in the call
// and leaves the request with a body that can be read once more.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, c *call) (done func(), err error) {
	done = func() {}
	if r.ContentLength == 0 || r.Body == nil {
		return done, c.noBody()
	}
	// A length over the limit is refused before a byte is read.
	if r.ContentLength > c.op.maxBody {
		w.Header().Set("Connection", "close")
		return done, &http.MaxBytesError{Limit: c.op.maxBody}
	}
	if done, err = s.reserve(r, c); err != nil {
		return done, err
	}
	if c.body, err = readAll(http.MaxBytesReader(w, r.Body, c.op.maxBody), r.ContentLength); err != nil {
		return done, bodyError(err)
	}
	if len(c.body) == 0 {
		return done, c.noBody()
	}
	if !jsonType(r.Header.Get("Content-Type")) {
		return done, domain.Refuse(domain.Invalid, "unsupported_media_type", "Send the body as Content-Type: application/json.")
	}
	if places := checkBody(s.scans, c.body, c.op.inBody); len(places) > 0 {
		return done, invalidBody(places)
	}
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	return done, nil
}

// noBody decides about a request without a body.
func (c *call) noBody() error {
	if c.op.needsBody {
		return invalidBody([]fieldError{{"", "The body is empty; this call needs a JSON object."}})
	}
	return nil
}

// reserve counts the body against the memory that bodies may take together. A
// body of unknown length counts as the largest the operation takes.
func (s *Server) reserve(r *http.Request, c *call) (func(), error) {
	n := r.ContentLength
	if n < 0 {
		n = c.op.maxBody
	}
	if !take(&s.limits.bodyBytes, n, s.limits.BodyBytes) {
		return func() {}, errOverloaded
	}
	return func() { s.limits.bodyBytes.Add(-n) }, nil
}

// readAll reads a body of the announced length into a slice of that size. The
// slice grows as bytes arrive, so that announcing much costs the sender as much.
func readAll(r io.Reader, length int64) ([]byte, error) {
	if length > 0 && length <= 64<<10 {
		b := make([]byte, length)
		n, err := io.ReadFull(r, b)
		return b[:n], err
	}
	return io.ReadAll(r)
}

// bodyError keeps the refusal of a body that is too large and calls anything
// else what it is: a request that did not arrive whole.
func bodyError(err error) error {
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return large
	}
	return &invalid{"invalid_body", "The body could not be read to its end.", nil}
}

func jsonType(header string) bool {
	if header == "application/json" {
		return true
	}
	kind, params, err := mime.ParseMediaType(header)
	charset := params["charset"]
	return err == nil && kind == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// checkParameters holds path, query and headers against the specification.
func (c *call) checkParameters(r *http.Request) error {
	var query url.Values
	if r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return invalidParameter("", "The query string is not well-formed.")
		}
	}
	vars, known := mux.Vars(r), 0
	for _, p := range c.op.params {
		values := p.values(r, vars, query)
		if p.in == "query" && len(values) > 0 {
			known++
		}
		if len(values) > 1 {
			return invalidParameter(p.name, "This may be given only once.")
		}
		if len(values) == 1 {
			if wrong := p.check(values[0]); wrong != "" {
				return invalidParameter(p.name, wrong)
			}
		}
	}
	if known < len(query) {
		return c.unknownParameter(query)
	}
	return nil
}

func (p parameter) values(r *http.Request, vars map[string]string, query url.Values) []string {
	switch p.in {
	case "path":
		return []string{vars[p.name]}
	case "query":
		return query[p.name]
	}
	return r.Header.Values(p.name)
}

func (c *call) unknownParameter(query url.Values) error {
	var names []string
	for _, p := range c.op.params {
		if p.in == "query" {
			names = append(names, p.name)
		}
	}
	for name := range query {
		if !contains(names, name) {
			return invalidParameter(cut(name), fmt.Sprintf("This call takes no such query parameter; it takes %v.", names))
		}
	}
	return nil
}
