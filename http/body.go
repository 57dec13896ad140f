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
	"time"

	"github.com/gorilla/mux"

	"github.com/clawoffice/ledger/domain"
)

// openBodyTime is how long the body of a call without a token may take.
const openBodyTime = 5 * time.Second

// readBody reads and checks the request's body, keeps its bytes in the call
// and leaves the request with a body that can be read once more.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, c *call) (err error) {
	if r.ContentLength == 0 || r.Body == nil {
		return c.noBody()
	}
	// A length over the limit is refused before a byte is read.
	if r.ContentLength > c.op.maxBody {
		w.Header().Set("Connection", "close")
		return &http.MaxBytesError{Limit: c.op.maxBody}
	}
	if c.op.rule.open {
		// Without it back to the usual limit the end of this one would end the
		// call too. A writer that knows no deadlines has none to keep.
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(openBodyTime))
		defer func() { _ = control.SetReadDeadline(c.started.Add(readTime)) }()
	}
	if c.body, err = s.readAll(http.MaxBytesReader(w, r.Body, c.op.maxBody), c, r.ContentLength); err != nil {
		return bodyError(err)
	}
	if len(c.body) == 0 {
		return c.noBody()
	}
	if !jsonType(r.Header.Get("Content-Type")) {
		return domain.Refuse(domain.Invalid, "unsupported_media_type", "Send the body as Content-Type: application/json.")
	}
	if places := checkBody(s.scans, c.body, c.op.inBody); len(places) > 0 {
		return invalidBody(places)
	}
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	return nil
}

// noBody decides about a request without a body.
func (c *call) noBody() error {
	if c.op.needsBody {
		return invalidBody([]fieldError{{"", "The body is empty; this call needs a JSON object."}})
	}
	return nil
}

// firstBuffer is how much memory a body gets before a byte of it came.
const firstBuffer = 4 << 10

// readAll reads a body; length is what was announced, or negative. The buffer
// grows, and counts against the memory that bodies may take together, as bytes
// arrive: announcing much costs the sender as much.
func (s *Server) readAll(r io.Reader, c *call, length int64) (b []byte, err error) {
	most := length
	if length < 0 {
		most = c.op.maxBody + 1 // so that the end, or one byte too many, can be seen
	}
	for err == nil && int64(len(b)) != length {
		if len(b) == cap(b) {
			if b, err = s.grow(c, b, most); err != nil {
				return b, err
			}
		}
		var n int
		n, err = r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
	}
	switch {
	case int64(len(b)) == length, length < 0 && err == io.EOF:
		return b, nil
	case err == io.EOF:
		return b, io.ErrUnexpectedEOF
	}
	return b, err
}

// grow doubles a buffer, up to most.
func (s *Server) grow(c *call, b []byte, most int64) ([]byte, error) {
	size := min(max(2*int64(cap(b)), firstBuffer), most)
	more := size - int64(cap(b))
	if !take(&s.limits.bodyBytes, more, s.limits.BodyBytes) {
		return b, errOverloaded
	}
	c.reserved += more
	return append(make([]byte, 0, size), b...), nil
}

// bodyError keeps the refusals of a body that is too large, or one too many, and
// calls anything else what it is: a request that did not arrive whole.
func bodyError(err error) error {
	if err == error(errOverloaded) {
		return err
	}
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
