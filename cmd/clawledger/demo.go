package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// demoCmd fills a running server with a workspace that looks lived in.
type demoCmd struct {
	URL       string `help:"The running server." default:"http://127.0.0.1:8080"`
	TokenFile string `help:"File with the operator token." default:"ledger-data/keys/operator.token" type:"path" placeholder:"FILE"`
	Events    int    `help:"About how many events to record." default:"3000"`
	Workspace string `help:"Id of the workspace to make; a new one if empty." placeholder:"ID"`
	JSON      bool   `name:"json" help:"Answer as JSON."`
}

// demoPerson is somebody, or an agent, with a token to try.
type demoPerson struct {
	Name  string `json:"name"`
	Roles string `json:"roles"`
	ID    string `json:"id"`
	Token string `json:"token"`
}

// demoReport is what a script may want of the demo.
type demoReport struct {
	Workspace  string       `json:"workspace"`
	Tokens     []demoPerson `json:"tokens"`
	Executions int64        `json:"executions"`
	Waiting    int64        `json:"approvals_waiting"`
}

// demo is a demo under way.
type demo struct {
	api      *api.Client
	ws       string
	operator string
	people   map[string]demoPerson // by role
	agents   []demoAgent

	events, executions, waiting atomic.Int64
}

// Run fills the server and says what to try next.
func (c demoCmd) Run(p *program) error {
	token, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return fmt.Errorf("reading the operator token: %w; the server says where it is when it starts, give that with --token-file", err)
	}
	client, err := api.NewClient(strings.TrimRight(c.URL, "/"))
	if err != nil {
		return err
	}
	d := &demo{api: client, ws: c.Workspace, operator: strings.TrimSpace(string(token)), people: map[string]demoPerson{}}
	if d.ws == "" {
		d.ws = "demo-" + strings.TrimPrefix(benchWorkspace(), "bench-")[:6]
	}
	if err := d.found(p.ctx); err != nil {
		return fmt.Errorf("setting up the workspace: %w", err)
	}
	if err := d.live(p, c.Events); err != nil {
		return err
	}
	return d.report(p, c)
}

// live lets the agents work until there are enough events.
func (d *demo) live(p *program, events int) error {
	bar := newBar(p.err, "recording", int64(events))
	defer bar.done()
	ctx, cancel := context.WithCancelCause(p.ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2026)) // the same story each time
			for d.events.Load() < int64(events) && ctx.Err() == nil {
				if err := d.run(ctx, r); err != nil {
					cancel(err)
				}
				bar.at(min(d.events.Load(), int64(events)))
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	return nil
}

func (d *demo) report(p *program, c demoCmd) error {
	report := demoReport{Workspace: d.ws, Executions: d.executions.Load(), Waiting: d.waiting.Load()}
	for _, role := range demoRoles {
		report.Tokens = append(report.Tokens, d.people[role])
	}
	for _, a := range d.agents {
		report.Tokens = append(report.Tokens, a.demoPerson)
	}
	if c.JSON {
		return json.NewEncoder(p.out).Encode(report)
	}
	p.answer("Workspace %s: about %d events in %d executions; %d approvals are waiting.\n", d.ws, d.events.Load(), report.Executions, report.Waiting)
	for _, t := range report.Tokens {
		p.answer("  %-16s %-22s %s", t.Name, t.Roles, t.Token)
	}
	owner, supervisor := d.people["owner"].Token, d.people["operations_supervisor"].Token
	p.answer(`
Try:
  curl -s -H "Authorization: Bearer %s" "%s/v1/workspaces/%s/executions?limit=3"
  curl -s -H "Authorization: Bearer %s" "%s/v1/workspaces/%s/approvals?status=pending"
  clawledger verify --data ledger-data`, owner, c.URL, d.ws, supervisor, c.URL, d.ws)
	return nil
}

// bearer puts a token on a request.
func bearer(token string) api.RequestEditorFn {
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

// errDemo is an answer that the demo did not expect.
var errDemo = errors.New("the server refused")

const (
	jsonType  = "application/json"
	answerMax = 1 << 20
)

// read reads an answer into out, which may be nil. An answer that is refused is
// an error, unless its problem's code is one of those expected.
func read(out any, expected ...string) func(*http.Response, error) (refused bool, err error) {
	return func(r *http.Response, err error) (bool, error) {
		if err != nil {
			return false, err
		}
		defer func() { _ = r.Body.Close() }()
		body, err := io.ReadAll(io.LimitReader(r.Body, answerMax))
		if err != nil {
			return false, err
		}
		if r.StatusCode >= 300 {
			var problem struct{ Code, Detail string }
			_ = json.Unmarshal(body, &problem)
			for _, code := range expected {
				if problem.Code == code {
					return true, nil
				}
			}
			return true, fmt.Errorf("%w: %s %s: %s", errDemo, r.Request.Method, r.Request.URL.Path, body)
		}
		if out == nil {
			return false, nil
		}
		return false, json.Unmarshal(body, out)
	}
}

// body is a request's body.
func body(format string, args ...any) io.Reader {
	return strings.NewReader(fmt.Sprintf(format, args...))
}

// pause is as long as a model might think, in a demo's time.
func pause(ctx context.Context, r *rand.Rand) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(r.IntN(3)) * time.Millisecond):
	}
}
