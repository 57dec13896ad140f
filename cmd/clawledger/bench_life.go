package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/clawoffice/ledger/internal/load"
)

// benchLife is executions from request to end, one call at a time: request,
// start, a prompt, its answer, completion. One execution in askedEvery waits for
// a person, who approves it.
type benchLife struct {
	benchWorker
	wrote func(position uint64)
	turn  int

	steps  []func() error // what is left of the present execution
	path   string
	action string
	permit string
	prompt string

	approval, digest string
}

// What the executions of a round of askedEvery write, and in how many calls.
const (
	askedEvery = 7
	lifeCalls  = 5*(askedEvery-1) + 7
	lifeEvents = 9*(askedEvery-1) + 13
)

// The workspace of the scenario lets a person agree to payments.
const (
	benchPayment = `{"kind":"payment.initiate","params":` + benchParams + `}`
	benchPolicy  = `{"workflow":"bench","mode":"enforce","default":"allow","rules":[{"id":"pay","actions":["payment.initiate"],
		"when":"action.params.amount_cents > 100.0","effect":"require_approval","reason":"Payments need the owner.",
		"approval":{"roles":["owner"],"count":1,"expires_in":"4h","separation_of_duties":false,"risk":"high"}}]}`
)

// setUpLife is setUp and what an execution that waits for a person needs.
func (t *benchTarget) setUpLife() error {
	if err := t.setUp(); err != nil {
		return err
	}
	c, err := load.Dial(t.address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = call(c, "PUT", "/v1/workspaces/"+t.ws+"/policies/bench", t.owner, benchPolicy)
	return err
}

// Prepare has nothing to do: an execution begins with a call like any other.
func (w *benchLife) Prepare(int) error { return nil }

// Do makes the next call. After an error the next execution begins.
func (w *benchLife) Do() error {
	if len(w.steps) == 0 {
		w.begin()
	}
	next := w.steps[0]
	w.steps = w.steps[1:]
	err := next()
	if err != nil {
		w.steps = nil
	}
	return err
}

func (w *benchLife) begin() {
	w.action, w.steps = filled(benchAction), []func() error{w.request}
	if w.turn++; w.turn%askedEvery == 0 {
		w.action = filled(benchPayment)
		w.steps = append(w.steps, w.approve, w.fetch)
	}
	w.steps = append(w.steps, w.start, w.ask, w.answer, w.complete)
}

// write posts, and tells where the ledger was when that was answered.
func (w *benchLife) write(token, path string, body []byte) ([]byte, error) {
	status, answer, err := w.conn.Do("POST", path, token, body)
	if err != nil {
		return nil, err
	}
	if status >= 300 {
		return nil, fmt.Errorf("POST %s answered %d: %s", path, status, answer)
	}
	if w.conn.Position() == 0 {
		return nil, fmt.Errorf("POST %s was answered without a Ledger-Position", path)
	}
	w.wrote(w.conn.Position())
	return answer, nil
}

func (w *benchLife) request() error {
	answer, err := w.write(w.t.agent, w.base, []byte(`{"workflow":"`+benchWorkflow+`","action":`+w.action+`}`))
	if err != nil {
		return err
	}
	var got struct {
		ID       string
		Permit   string
		Approval string `json:"approval_id"`
		Digest   string `json:"action_digest"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return err
	}
	w.path, w.permit, w.approval, w.digest = w.base+"/"+got.ID, got.Permit, got.Approval, got.Digest
	return nil
}

func (w *benchLife) approve() error {
	path := strings.TrimSuffix(w.base, "executions") + "approvals/" + w.approval + "/decision"
	_, err := w.write(w.t.owner, path, fmt.Appendf(nil, `{"decision":"approve","reason":"Checked against the order.","action_digest":%q}`, w.digest))
	return err
}

// fetch reads the permit that the approval brought.
func (w *benchLife) fetch() error {
	status, answer, err := w.conn.Do("GET", w.path, w.t.agent, nil)
	if err != nil {
		return err
	}
	if w.permit = load.Field(answer, "permit"); status != 200 || w.permit == "" {
		return fmt.Errorf("GET %s answered %d without a permit: %s", w.path, status, answer)
	}
	return nil
}

func (w *benchLife) start() error {
	_, err := w.write(w.t.agent, w.path+"/start", fmt.Appendf(nil, `{"permit":%q,"action":%s}`, w.permit, w.action))
	return err
}

func (w *benchLife) ask() error {
	answer, err := w.write(w.t.agent, w.path+"/prompts", fmt.Appendf(nil, `{"model":"m-1","content":%q,"prompt_tokens":24,"max_output_tokens":200}`,
		strings.Repeat("Write a short and friendly payment reminder for invoice INV-2026-004711. ", 6)))
	w.prompt = load.Field(answer, "prompt_id")
	return err
}

func (w *benchLife) answer() error {
	_, err := w.write(w.t.agent, w.path+"/prompts/"+w.prompt+"/completion", fmt.Appendf(nil,
		`{"content":%q,"usage":{"prompt_tokens":24,"output_tokens":80},"finish_reason":"stop"}`, strings.Repeat("Dear customer, may we remind you of our invoice. ", 8)))
	return err
}

func (w *benchLife) complete() error {
	_, err := w.write(w.t.agent, w.path+"/complete", []byte(`{"reason":"done"}`))
	return err
}

var _ load.Worker = (*benchLife)(nil)
