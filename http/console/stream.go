package console

import (
	"bytes"
	"net/http"
)

// pass runs a request of the API and passes the answer on as it comes. A refusal
// becomes one of the page. Each time that the API writes, rewrite may make
// something else of it; nil leaves it as it is.
func (v *visit) pass(req *http.Request, rewrite func([]byte) []byte) error {
	out := &passing{to: v.w, header: http.Header{}, rewrite: rewrite}
	req = req.WithContext(v.ctx())
	req.Header.Set("Authorization", "Bearer "+v.session.Token)
	v.Console.api.ServeHTTP(out, doer{v.Console.api, v.r, v.w.Header().Get("X-Request-Id")}.dress(req))
	if out.status >= 300 {
		return newRefusal(&http.Response{StatusCode: out.status, Header: out.header}, out.refused.Bytes())
	}
	return nil
}

// passed are the headers of the API that an answer of the console may carry on.
// All others are the console's own.
var passed = []string{"Content-Type", "Content-Disposition", "X-Accel-Buffering", "Ledger-Position"}

// passing is a ResponseWriter between the API and the browser.
type passing struct {
	to      http.ResponseWriter
	header  http.Header
	status  int
	refused bytes.Buffer
	rewrite func([]byte) []byte
}

func (p *passing) Header() http.Header { return p.header }

func (p *passing) WriteHeader(status int) {
	if p.status != 0 || status < 200 {
		return
	}
	if p.status = status; status >= 300 {
		return
	}
	for _, name := range passed {
		if value := p.header.Get(name); value != "" {
			p.to.Header().Set(name, value)
		}
	}
	p.to.WriteHeader(status)
}

func (p *passing) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	if p.status >= 300 {
		if p.refused.Len() < 1<<16 {
			p.refused.Write(b)
		}
		return len(b), nil
	}
	out := b
	if p.rewrite != nil {
		out = p.rewrite(b)
	}
	if len(out) > 0 {
		if _, err := p.to.Write(out); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// Unwrap lets http.ResponseController flush and reach the connection.
func (p *passing) Unwrap() http.ResponseWriter { return p.to }
