package consoletest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// client calls the API as one actor.
type client struct {
	t     failer
	url   string
	http  *http.Client
	token string
}

// as is the client of another token.
func (c *client) as(token string) *client { return &client{c.t, c.url, c.http, token} }

// in is the client that fails another test.
func (c *client) in(t failer) *client { return &client{t, c.url, c.http, c.token} }

// fields is a JSON object.
type fields map[string]any

func (f fields) text(name string) string { s, _ := f[name].(string); return s }

func (f fields) under(name string) fields { m, _ := f[name].(map[string]any); return m }

func (f fields) items() []fields {
	var out []fields
	list, _ := f["items"].([]any)
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// try makes a call and answers the status and the body. The body sent is a JSON
// text, or a value that becomes one.
func (c *client) try(method, path string, body any) (int, fields) {
	c.t.Helper()
	var content []byte
	switch b := body.(type) {
	case nil:
	case string:
		content = []byte(b)
	default:
		var err error
		if content, err = json.Marshal(b); err != nil {
			c.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	req, err := http.NewRequest(method, c.url+path, bytes.NewReader(content))
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	var out fields
	if len(raw) > 0 && json.Unmarshal(raw, &out) != nil {
		c.t.Fatalf("%s %s: answered what is no JSON: %s", method, path, raw)
	}
	if position := resp.Header.Get("Ledger-Position"); position != "" && out != nil {
		out["position"] = position
	}
	return resp.StatusCode, out
}

// do makes a call that has to answer a status.
func (c *client) do(want int, method, path string, body any) fields {
	c.t.Helper()
	status, out := c.try(method, path, body)
	if status != want {
		c.t.Fatalf("%s %s: got %d %v, want %d", method, path, status, out, want)
	}
	return out
}
