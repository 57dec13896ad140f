package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/clawoffice/ledger/http/api"
)

// maxAnswer bounds an answer of the API that is held in memory.
const maxAnswer = 32 << 20

// doer runs the API's handler in process. The request it makes up comes from the
// same address as the browser's, so that limits by address count it, and bears the
// same request id, so that a page's calls are found together.
type doer struct {
	handler http.Handler
	from    *http.Request
	id      string
}

// Do answers as a connection would. Answers are buffered; what streams goes
// through [visit.pass].
func (d doer) Do(req *http.Request) (*http.Response, error) {
	a := &answer{header: http.Header{}}
	d.handler.ServeHTTP(a, d.dress(req))
	if a.tooLarge {
		return nil, errors.New("the API's answer is too large to show")
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: req}, nil
}

// dress gives a request what a server's would have.
func (d doer) dress(req *http.Request) *http.Request {
	req.RemoteAddr, req.Host, req.TLS, req.RequestURI = d.from.RemoteAddr, d.from.Host, d.from.TLS, req.URL.RequestURI()
	for _, name := range []string{"Traceparent", "Tracestate", "X-Forwarded-For", "Forwarded"} {
		if given := d.from.Header[name]; given != nil {
			req.Header[name] = given
		}
	}
	if d.id != "" {
		req.Header.Set("X-Request-Id", d.id)
	}
	if req.Body == nil {
		req.Body = http.NoBody
	}
	return req
}

// answer is a ResponseWriter that keeps what is written.
type answer struct {
	header   http.Header
	status   int
	body     bytes.Buffer
	tooLarge bool
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.body.Len()+len(b) > maxAnswer {
		a.tooLarge = true
		return 0, io.ErrShortBuffer
	}
	return a.body.Write(b)
}

// client is the API with a token.
func (c *Console) client(w http.ResponseWriter, r *http.Request, token string) *api.Client {
	return &api.Client{
		Server: "http://ledger/",
		Client: doer{c.api, r, w.Header().Get("X-Request-Id")},
		RequestEditors: []api.RequestEditorFn{func(_ context.Context, req *http.Request) error {
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			return nil
		}},
	}
}

// reply is what a call answered: its body, and the headers that a page needs.
type reply[T any] struct {
	Body     T
	ETag     string
	Position string // Ledger-Position, of a change
}

// read is the body of an answer of the API, or a *refusal:
//
//	me, err := read[api.Me](v.api.GetMe(v.ctx()))
func read[T any](resp *http.Response, err error) (T, error) {
	r, err := send[T](resp, err)
	return r.Body, err
}

// none is the body of an answer that has none.
type none struct{}

// send is read with the headers too, for changes and for what has a version.
func send[T any](resp *http.Response, err error) (reply[T], error) {
	var out reply[T]
	if err != nil {
		return out, fmt.Errorf("ask the API: %w", err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return out, fmt.Errorf("read the API's answer: %w", err)
	}
	if resp.StatusCode >= 300 {
		return out, newRefusal(resp, body)
	}
	out.ETag, out.Position = resp.Header.Get("ETag"), resp.Header.Get("Ledger-Position")
	if resp.StatusCode == http.StatusNoContent || len(body) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(body, &out.Body); err != nil {
		return out, fmt.Errorf("understand the API's answer: %w", err)
	}
	return out, nil
}

// given is a parameter that may be missing: nil for the zero value.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
