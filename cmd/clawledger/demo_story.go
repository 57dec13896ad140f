package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/clawoffice/ledger/http/api"
)

// demoRoles are the people of the demo, one for each.
var demoRoles = []string{"owner", "admin", "operations_supervisor", "policy_author", "auditor"}

var demoNames = map[string]string{"owner": "Olivia Owner", "admin": "Adam Admin", "operations_supervisor": "Sofia Supervisor",
	"policy_author": "Paul Policy", "auditor": "Aisha Auditor"}

// demoAgent is an agent and what it does all day.
type demoAgent struct {
	demoPerson
	workflow string
	model    string
	actions  []string // kind and params, as JSON
	prompt   string
	reply    string
}

func demoAgents() []demoAgent {
	return []demoAgent{
		{demoPerson: demoPerson{Name: "billing-bot"}, workflow: "invoices", model: "gpt-large",
			actions: []string{
				`{"kind":"payment.initiate","params":{"invoice":"INV-%d","amount_cents":%d,"currency":"EUR","iban":"AT611904300234573201"}}`,
				`{"kind":"tool.read","params":{"table":"invoices","id":%d,"columns":%d}}`},
			prompt: "Check invoice %d against its order and say whether it can be paid.",
			reply:  "The invoice matches the order in all positions; it can be paid."},
		{demoPerson: demoPerson{Name: "support-bot"}, workflow: "support", model: "small-fast",
			actions: []string{
				`{"kind":"communication.send","params":{"channel":"mail","ticket":%d,"template":%d}}`,
				`{"kind":"llm.call","params":{"ticket":%d,"tries":%d}}`},
			prompt: "Draft a friendly answer to ticket %d, in which a customer asks where the parcel is.",
			reply:  "Your parcel left our warehouse yesterday and should reach you tomorrow."},
		{demoPerson: demoPerson{Name: "research-bot"}, workflow: "research", model: "gpt-large",
			actions: []string{
				`{"kind":"tool.read","params":{"source":"filings","page":%d,"limit":%d}}`,
				`{"kind":"llm.call","params":{"topic":%d,"depth":%d}}`},
			prompt: "Summarise filing %d in five sentences for a reader without a legal background.",
			reply:  "The company reports rising revenue and names two risks, supply and currency."},
		{demoPerson: demoPerson{Name: "crm-bot"}, workflow: "crm", model: "small-fast",
			actions: []string{
				`{"kind":"table.update","params":{"table":"contacts","row":%d,"score":%d}}`,
				`{"kind":"data.export","params":{"rows":%d,"columns":%d}}`},
			prompt: "Decide from the last mails whether contact %d is a lead.",
			reply:  "The contact asked for a price list twice and is a lead."},
	}
}

// The demo's policies: small payments need nobody, large ones two people, and
// nobody exports data.
var demoPolicies = map[string]string{
	"payments": `{"workflow":"invoices","mode":"enforce","default":"allow","rules":[
		{"id":"small","actions":["payment.initiate"],"when":"action.params.amount_cents < 20000.0","effect":"allow","reason":"Small invoices are paid without asking."},
		{"id":"large","actions":["payment.initiate"],"when":"action.params.amount_cents >= 20000.0","effect":"require_approval","reason":"Payments from 200 EUR need a supervisor.",
		 "approval":{"roles":["operations_supervisor"],"count":1,"expires_in":"4h","separation_of_duties":false,"risk":"high"}}]}`,
	"no-exports":  `{"workflow":"*","mode":"enforce","default":"allow","rules":[{"id":"exports","actions":["data.export"],"effect":"deny","reason":"Customer data does not leave the company."}]}`,
	"night-watch": `{"workflow":"*","mode":"shadow","default":"allow","rules":[{"id":"night","actions":["communication.send"],"when":"now.getHours('Europe/Vienna') < 6","effect":"deny","reason":"No mails at night."}]}`,
}

var demoBudgets = map[string]string{
	"company-month":  `{"scope":{"workspace":true},"window":"month","timezone":"Europe/Vienna","limits":{"cost_micros":900000000,"total_tokens":400000000},"mode":"enforce","alert_at":[50,80,100]}`,
	"research-day":   `{"scope":{"workflow":"research"},"window":"day","timezone":"Europe/Vienna","limits":{"total_tokens":60000},"mode":"enforce","alert_at":[50,80,100]}`,
	"large-model":    `{"scope":{"model":"gpt-large"},"window":"day","timezone":"America/New_York","limits":{"cost_micros":50000000},"mode":"observe","alert_at":[80]}`,
	"support-hourly": `{"scope":{"workflow":"support"},"window":"hour","timezone":"Europe/Vienna","limits":{"calls":100000},"mode":"enforce","alert_at":[90]}`,
}

const demoPrices = `{"models":{"gpt-large":{"prompt_micros_per_million":2500000,"output_micros_per_million":10000000},"small-fast":{"prompt_micros_per_million":150000,"output_micros_per_million":600000}}}`

// found makes the workspace with its people, agents, policies and budgets.
func (d *demo) found(ctx context.Context) error {
	var made api.WorkspaceCreated
	_, err := read(&made)(d.api.CreateWorkspaceWithBody(ctx, nil, jsonType,
		body(`{"id":%q,"name":"Demo Company","currency":"EUR","owner":{"email":"olivia@demo.example","name":"Olivia Owner"}}`, d.ws), bearer(d.operator)))
	if err != nil {
		return err
	}
	d.people["owner"] = demoPerson{demoNames["owner"], "owner", string(made.Owner.ID), made.Owner.Token}
	for _, role := range demoRoles[1:] {
		if err := d.join(ctx, role); err != nil {
			return err
		}
	}
	for _, a := range demoAgents() {
		if err := d.register(ctx, a); err != nil {
			return err
		}
	}
	owner := bearer(d.people["owner"].Token)
	for id, text := range demoPolicies {
		if _, err := read(nil)(d.api.PutPolicyWithBody(ctx, d.ws, id, nil, jsonType, body("%s", text), owner)); err != nil {
			return err
		}
	}
	for id, text := range demoBudgets {
		if _, err := read(nil)(d.api.PutBudgetWithBody(ctx, d.ws, id, nil, jsonType, body("%s", text), owner)); err != nil {
			return err
		}
	}
	_, err = read(nil)(d.api.PutPricesWithBody(ctx, d.ws, nil, jsonType, body(demoPrices), owner))
	return err
}

// join invites a person and accepts for them.
func (d *demo) join(ctx context.Context, role string) error {
	var invited struct {
		Token string `json:"invitation_token"`
	}
	_, err := read(&invited)(d.api.InviteMemberWithBody(ctx, d.ws, nil, jsonType,
		body(`{"email":"%s@demo.example","name":%q,"roles":[%q]}`, role, demoNames[role], role), bearer(d.people["owner"].Token)))
	if err != nil {
		return err
	}
	var joined struct{ Member, Token string }
	_, err = read(&joined)(d.api.AcceptInvitationWithBody(ctx, nil, jsonType, body(`{"invitation_token":%q}`, invited.Token)))
	d.people[role] = demoPerson{demoNames[role], role, joined.Member, joined.Token}
	return err
}

// register makes an agent with a token.
func (d *demo) register(ctx context.Context, a demoAgent) error {
	var made, token struct{ ID, Token string }
	owner := bearer(d.people["owner"].Token)
	_, err := read(&made)(d.api.CreateAgentWithBody(ctx, d.ws, nil, jsonType,
		body(`{"name":%q,"roles":["agent"],"workflows":[%q]}`, a.Name, a.workflow), owner))
	if err != nil {
		return err
	}
	_, err = read(&token)(d.api.CreateAgentTokenWithBody(ctx, d.ws, made.ID, nil, jsonType, body(`{"name":"production"}`), owner))
	a.ID, a.Roles, a.Token = made.ID, "agent, "+a.workflow, token.Token
	d.agents = append(d.agents, a)
	return err
}

// run is one execution from its request to its end, as chance has it.
func (d *demo) run(ctx context.Context, r *rand.Rand) error {
	a := d.agents[r.IntN(len(d.agents))]
	action := fmt.Sprintf(a.actions[r.IntN(len(a.actions))], 1000+r.IntN(9000), 100+r.IntN(90_000))
	var asked api.ExecutionRequested
	_, err := read(&asked)(d.api.RequestExecutionWithBody(ctx, d.ws, nil, jsonType,
		body(`{"workflow":%q,"action":%s,"subject":"customer-%d","context":{"queue":"demo"}}`, a.workflow, action, r.IntN(50)), bearer(a.Token)))
	if err != nil {
		return err
	}
	d.executions.Add(1)
	d.events.Add(1)
	permit := asked.Permit
	if asked.ApprovalID != "" {
		d.events.Add(1)
		if permit, err = d.decide(ctx, r, a, asked); err != nil || permit == "" {
			return err
		}
	}
	if permit == "" { // denied by a policy
		return nil
	}
	_, err = read(nil)(d.api.StartExecutionWithBody(ctx, d.ws, asked.ID, nil, jsonType,
		body(`{"permit":%q,"action":%s}`, permit, action), bearer(a.Token)))
	if err != nil {
		return err
	}
	d.events.Add(1)
	for range 1 + r.IntN(2) {
		if err := d.prompt(ctx, r, a, asked.ID); err != nil {
			return err
		}
	}
	return d.end(ctx, r, a, asked.ID)
}

// decide lets the supervisor look at an approval. One in ten is left waiting.
func (d *demo) decide(ctx context.Context, r *rand.Rand, a demoAgent, asked api.ExecutionRequested) (permit string, err error) {
	n := r.IntN(10)
	if n == 0 {
		d.waiting.Add(1)
		return "", nil
	}
	decision, reason := "approve", "Checked against the order."
	if n <= 2 {
		decision, reason = "deny", "The amount does not match the order."
	}
	_, err = read(nil)(d.api.DecideApprovalWithBody(ctx, d.ws, asked.ApprovalID, nil, jsonType,
		body(`{"decision":%q,"reason":%q,"action_digest":%q}`, decision, reason, asked.ActionDigest), bearer(d.people["operations_supervisor"].Token)))
	if err != nil {
		return "", err
	}
	d.events.Add(3)
	var got struct{ Permit string }
	_, err = read(&got)(d.api.GetExecution(ctx, d.ws, asked.ID, nil, bearer(a.Token)))
	return got.Permit, err
}

// prompt records a prompt and its completion, or its failure.
func (d *demo) prompt(ctx context.Context, r *rand.Rand, a demoAgent, execution string) error {
	var made api.PromptRecorded
	refused, err := read(&made, "budget_exceeded")(d.api.RecordPromptWithBody(ctx, d.ws, execution, nil, jsonType,
		body(`{"model":%q,"provider":"demo","messages":[{"role":"user","content":%q}],"max_output_tokens":400}`, a.model, fmt.Sprintf(a.prompt, r.IntN(9999))), bearer(a.Token)))
	if err != nil || refused {
		return err
	}
	d.events.Add(3)
	pause(ctx, r)
	if r.IntN(20) == 0 {
		_, err = read(nil)(d.api.FailPromptWithBody(ctx, d.ws, execution, made.PromptID, nil, jsonType, body(`{"reason":"timeout"}`), bearer(a.Token)))
		return err
	}
	d.events.Add(3)
	_, err = read(nil)(d.api.RecordCompletionWithBody(ctx, d.ws, execution, made.PromptID, nil, jsonType,
		body(`{"content":%q,"usage":{"prompt_tokens":%d,"output_tokens":%d},"finish_reason":"stop"}`, a.reply, 30+r.IntN(60), 40+r.IntN(300)), bearer(a.Token)))
	return err
}

// end completes an execution, mostly.
func (d *demo) end(ctx context.Context, r *rand.Rand, a demoAgent, execution string) (err error) {
	switch n := r.IntN(30); {
	case n == 0: // left unresolved
		return nil
	case n <= 2:
		_, err = read(nil)(d.api.FailExecutionWithBody(ctx, d.ws, execution, nil, jsonType, body(`{"reason":"the upstream system did not answer"}`), bearer(a.Token)))
	default:
		_, err = read(nil)(d.api.CompleteExecutionWithBody(ctx, d.ws, execution, nil, jsonType, body(`{"result":{"ok":true}}`), bearer(a.Token)))
	}
	d.events.Add(1)
	return err
}
