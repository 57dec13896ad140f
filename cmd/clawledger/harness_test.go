package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test binary be the program: servers that tests start are
// real processes, which can be killed.
const asProgram = "CLAWLEDGER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "1" {
		main()
	}
	os.Exit(m.Run())
}

// rounds answers how often something is tried: more in a soak.
func rounds(usual, soak int) int {
	if os.Getenv("CLAWLEDGER_SOAK") == "1" {
		return soak
	}
	return usual
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// tool runs a command of the program in this process.
func tool(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e buffer
	code = run(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

// must is tool, for commands that have to succeed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := tool(t, args...)
	if code != 0 {
		t.Fatalf("clawledger %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// child is a clawledger process.
type child struct {
	t       *testing.T
	cmd     *exec.Cmd
	out     buffer
	errs    buffer
	address string // what follows the first "at " or ": " on its first line
	ended   chan struct{}
}

// spawn starts a process and waits for the line that says where it answers.
func spawn(t *testing.T, prefix string, args ...string) *child {
	t.Helper()
	p := &child{t: t, ended: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = &p.errs
	pipe, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			_, _ = p.out.Write(append(lines.Bytes(), '\n'))
			if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
				found <- rest
			}
		}
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	select {
	case p.address = <-found:
	case <-p.ended:
		t.Fatalf("clawledger %s ended at once: %s\n%s", strings.Join(args, " "), p.cmd.ProcessState, p.errs.String())
	case <-time.After(time.Minute):
		t.Fatalf("clawledger %s said nothing\n%s", strings.Join(args, " "), p.errs.String())
	}
	return p
}

// kill ends the process as a crash would.
func (p *child) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop ends the process as an operator would, and answers its exit code.
func (p *child) stop() int {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.t.Fatalf("the process does not stop\n%s", p.errs.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// serving starts a serve process on a free port and waits until it is ready.
func serving(t *testing.T, args ...string) (*child, *client) {
	t.Helper()
	p := spawn(t, "ClawOffice ledger at ", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	c := &client{t: t, url: p.address}
	c.ready()
	return p, c
}

// facing starts a face over a new log.
func facing(t *testing.T, data, listen string) *child {
	t.Helper()
	return spawn(t, "EventStoreDB face: ", "face", "--data", data, "--listen", listen)
}

// startNode starts a server in this process. It is stopped at the end of the
// test, or by the function that is answered.
func startNode(t *testing.T, c serveCmd, logs io.Writer) (*node, *client, func()) {
	t.Helper()
	return startNodeAt(t, c, logs, time.Now)
}

// startNodeAt is startNode by another clock.
func startNodeAt(t *testing.T, c serveCmd, logs io.Writer, now func() time.Time) (*node, *client, func()) {
	t.Helper()
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.DrainTime == 0 {
		c.DrainTime = 10 * time.Second
	}
	p := &program{ctx: context.Background(), out: io.Discard, err: io.Discard, now: now,
		log: slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	n, err := newNode(p.ctx, c, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ran, n.Close()); err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	})
	t.Cleanup(stop)
	cl := &client{t: t, url: n.URL()}
	cl.ready()
	return n, cl, stop
}

// client calls a server as one actor.
type client struct {
	t     *testing.T
	url   string
	token string
	http  *http.Client
}

func (c *client) as(token string) *client {
	other := *c
	other.token = token
	return &other
}

// operator is the client of whoever holds the operator token of these keys.
func (c *client) operator(keys string) *client {
	c.t.Helper()
	token, err := os.ReadFile(filepath.Join(keys, "operator.token"))
	if err != nil {
		c.t.Fatal(err)
	}
	return c.as(strings.TrimSpace(string(token)))
}

// reply is an answer; status 0 means that none came.
type reply struct {
	status int
	raw    []byte
	fields map[string]any
	header http.Header
	err    error
}

func (r reply) text(name string) string { s, _ := r.fields[name].(string); return s }

func (r reply) under(name string) reply {
	fields, _ := r.fields[name].(map[string]any)
	return reply{fields: fields}
}

func (r reply) String() string { return fmt.Sprintf("%d %s %v", r.status, r.raw, r.err) }

// try makes a call. key is the idempotency key, "" for none.
func (c *client) try(method, path, key, body string) reply {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, c.url+path, content)
	if err != nil {
		return reply{err: err}
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	h := c.http
	if h == nil {
		h = http.DefaultClient
	}
	resp, err := h.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	r := reply{status: resp.StatusCode, header: resp.Header}
	if r.raw, err = io.ReadAll(resp.Body); err != nil {
		return reply{err: err} // the answer did not come whole
	}
	_ = json.Unmarshal(r.raw, &r.fields)
	return r
}

// late reports whether a call was refused, and nothing done, because the server
// is behind: on a busy machine it may be, and clients try again.
func (r reply) late() bool {
	code := r.text("code")
	return r.status == http.StatusServiceUnavailable && (code == "stale_model" || code == "catching_up" || code == "overloaded")
}

// patient is try, again as long as the server is behind.
func (c *client) patient(method, path, key, body string) reply {
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if r := c.try(method, path, key, body); !r.late() || time.Now().After(end) {
			return r
		}
	}
}

// do makes a call that has to answer a status.
func (c *client) do(want int, method, path, body string) reply {
	c.t.Helper()
	r := c.patient(method, path, "", body)
	if r.status != want {
		c.t.Fatalf("%s %s: got %s, want %d", method, path, r, want)
	}
	return r
}

// ready waits until the server is ready.
func (c *client) ready() {
	c.t.Helper()
	last := reply{}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if last = c.try("GET", "/readyz", "", ""); last.status == 200 {
			return
		}
	}
	c.t.Fatalf("the server does not get ready: %s", last)
}

// waitBusy waits until the server has so many calls under way, with the one
// that asks.
func (c *client) waitBusy(n int) {
	c.t.Helper()
	want := fmt.Sprintf("\nclawledger_http_in_flight %d\n", n)
	for end := time.Now().Add(time.Minute); !bytes.Contains(c.as("").do(200, "GET", "/metrics", "").raw, []byte(want)); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("there are never %d calls under way", n)
		}
	}
}

// office is a workspace with an owner and an agent.
type office struct {
	ws, agentID, tokenID string
	owner, agent         *client
}

// openOffice makes a workspace with an owner and an agent.
func openOffice(op *client, ws string) office {
	op.t.Helper()
	made := op.do(201, "POST", "/v1/workspaces", `{"id":"`+ws+`","name":"Office","currency":"EUR","owner":{"email":"owner@`+ws+`.test","name":"Olga Owner"}}`)
	o := office{ws: ws, owner: op.as(made.under("owner").text("token"))}
	o.agentID = o.owner.do(201, "POST", "/v1/workspaces/"+ws+"/agents", `{"name":"bot","roles":["agent"]}`).text("id")
	token := o.owner.do(201, "POST", "/v1/workspaces/"+ws+"/agents/"+o.agentID+"/tokens", `{"name":"t"}`)
	o.tokenID, o.agent = token.text("id"), op.as(token.text("token"))
	return o
}

const callModel = `{"workflow":"chat","action":{"kind":"llm.call","params":{}}}`

// path is below the office's workspace.
func (o office) path(rest string) string { return "/v1/workspaces/" + o.ws + rest }

// startExecution requests and starts an execution.
func (o office) startExecution() string {
	o.agent.t.Helper()
	made := o.agent.do(201, "POST", o.path("/executions"), callModel)
	id := made.text("id")
	o.agent.do(200, "POST", o.path("/executions/"+id+"/start"),
		fmt.Sprintf(`{"permit":%q,"action":{"kind":"llm.call","params":{}}}`, made.text("permit")))
	return id
}
