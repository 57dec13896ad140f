package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clawoffice/ledger/internal/load"
)

// benchTarget is the server under load and what the load needs of it.
type benchTarget struct {
	address  string // host:port
	operator string // token
	ws       string // a workspace of this run's own
	owner    string // token
	agent    string // token
}

// benchWorkflow and the kinds are allowed without a human, so that a request
// answers with its permit.
const (
	benchWorkflow = "bench"
	benchAction   = `{"kind":"llm.call","params":` + benchParams + `}`
	benchTool     = `{"action":{"kind":"tool.read","params":` + benchParams + `}}`
	benchBudgets  = 5
)

// benchParams are parameters of 300 bytes.
var benchFiller = strings.Repeat("a", 196)

const benchParams = `{"invoice":"INV-2026-004711","customer":"C-1002","amount_cents":129900,"currency":"EUR","note":"NOTE"}`

// setUp makes a workspace with an agent, and budgets that every prompt of it
// counts against and that never hold one back.
func (t *benchTarget) setUp() error {
	c, err := load.Dial(t.address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	made, err := call(c, "POST", "/v1/workspaces", t.operator, fmt.Sprintf(
		`{"id":%q,"name":"Bench","currency":"EUR","owner":{"email":"bench@example.com","name":"Bench"}}`, t.ws))
	if err != nil {
		return err
	}
	if t.owner = load.Field(made, "token"); t.owner == "" {
		return fmt.Errorf("creating workspace %s answered without a token: %s", t.ws, made)
	}
	base := "/v1/workspaces/" + t.ws
	agent, err := call(c, "POST", base+"/agents", t.owner, `{"name":"bench","roles":["agent"]}`)
	if err != nil {
		return err
	}
	token, err := call(c, "POST", base+"/agents/"+load.Field(agent, "id")+"/tokens", t.owner, `{"name":"bench"}`)
	if err != nil {
		return err
	}
	t.agent = load.Field(token, "token")
	for i := range benchBudgets {
		_, err := call(c, "PUT", fmt.Sprintf("%s/budgets/b%d", base, i), t.owner,
			`{"scope":{"workspace":true},"window":"day","timezone":"Europe/Vienna","limits":{"total_tokens":1000000000000,"calls":1000000000},"mode":"enforce","alert_at":[80,100]}`)
		if err != nil {
			return err
		}
	}
	return nil
}

// callTime is for how long a call is tried again while the server is behind.
const callTime = 10 * time.Second

// call does one request that must succeed. A server that is not sure enough of
// who may do what has done nothing, and is asked again.
func call(c *load.Conn, method, path, token, body string) ([]byte, error) {
	for end := time.Now().Add(callTime); ; time.Sleep(10 * time.Millisecond) {
		status, answer, err := c.Do(method, path, token, []byte(body))
		switch {
		case err != nil:
			return nil, err
		case status < 300:
			return answer, nil
		case load.Field(answer, "code") != "stale_model" || time.Now().After(end):
			return answer, fmt.Errorf("%s %s answered %d: %s", method, path, status, answer)
		}
	}
}

// benchWorker is a connection and the target it loads.
type benchWorker struct {
	conn *load.Conn
	t    *benchTarget
	base string // path of the executions
}

func newBenchWorker(t *benchTarget) (benchWorker, error) {
	c, err := load.Dial(t.address)
	return benchWorker{c, t, "/v1/workspaces/" + t.ws + "/executions"}, err
}

// Close ends the connection.
func (w benchWorker) Close() error { return w.conn.Close() }

func (w benchWorker) post(path string, body []byte) ([]byte, error) {
	status, answer, err := w.conn.Do("POST", path, w.t.agent, body)
	if err == nil && status >= 300 {
		err = fmt.Errorf("POST %s answered %d: %s", path, status, answer)
	}
	return answer, err
}

// begin requests an execution and starts it.
func (w benchWorker) begin() (path string, err error) {
	answer, err := w.post(w.base, benchRequest())
	if err != nil {
		return "", err
	}
	var got struct{ ID, Permit string }
	if err := json.Unmarshal(answer, &got); err != nil {
		return "", err
	}
	path = w.base + "/" + got.ID
	_, err = w.post(path+"/start", fmt.Appendf(nil, `{"permit":%q,"action":%s}`, got.Permit, filled(benchAction)))
	return path, err
}

func filled(body string) string { return strings.Replace(body, "NOTE", benchFiller, 1) }

func benchRequest() []byte {
	return []byte(`{"workflow":"` + benchWorkflow + `","action":` + filled(benchAction) + `}`)
}

// create asks for executions, each a stream of its own: authorized, recorded,
// and answered with a signed permit.
type benchCreate struct {
	benchWorker
	body []byte
}

func (w *benchCreate) Prepare(int) error { w.body = benchRequest(); return nil }

func (w *benchCreate) Do() error {
	answer, err := w.post(w.base, w.body)
	if err == nil && load.Field(answer, "permit") == "" {
		err = fmt.Errorf("an execution was answered without a permit: %s", answer)
	}
	return err
}

// complete ends executions that were started before: one record each.
type benchComplete struct {
	benchWorker
	paths []string
}

func (w *benchComplete) Prepare(n int) error {
	for len(w.paths) < n {
		path, err := w.begin()
		if err != nil {
			return err
		}
		w.paths = append(w.paths, path+"/complete")
	}
	return nil
}

func (w *benchComplete) Do() error {
	path := w.paths[len(w.paths)-1]
	w.paths = w.paths[:len(w.paths)-1]
	_, err := w.post(path, []byte(`{"reason":"done"}`))
	return err
}

// prompts reserves in every budget of one spending book and records a prompt.
type benchPrompts struct {
	benchWorker
	path string
}

func (w *benchPrompts) Prepare(int) (err error) {
	if w.path == "" {
		w.path, err = w.begin()
		w.path += "/prompts"
	}
	return err
}

func (w *benchPrompts) Do() error {
	_, err := w.post(w.path, []byte(`{"model":"m-1","content":"Write a short and friendly payment reminder for invoice INV-2026-004711.","prompt_tokens":24,"max_output_tokens":200}`))
	return err
}

// hotStream asks for further actions of one execution, all connections for the
// same one.
type benchHot struct {
	benchWorker
	shared *atomic.Pointer[string]
	body   []byte
}

func (w *benchHot) Prepare(int) error {
	w.body = []byte(filled(benchTool))
	return nil
}

func (w *benchHot) Do() error {
	_, err := w.post(*w.shared.Load()+"/actions", w.body)
	return err
}

var (
	_ load.Worker = (*benchCreate)(nil)
	_ load.Worker = (*benchComplete)(nil)
	_ load.Worker = (*benchPrompts)(nil)
	_ load.Worker = (*benchHot)(nil)
)
