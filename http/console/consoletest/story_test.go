package consoletest

import (
	"fmt"
	"time"
)

// person is a member with a token.
type person struct {
	name, id string
	*client
}

// agent is a machine identity with a token.
type agent struct {
	name, id string
	*client
}

// office is a workspace and who is in it.
type office struct {
	ws     string
	people map[string]person // by role
	agents map[string]agent  // by name
}

// in is the office as another test knows it.
func (o office) in(t failer) office {
	out := office{o.ws, map[string]person{}, map[string]agent{}}
	for role, p := range o.people {
		out.people[role] = person{p.name, p.id, p.client.in(t)}
	}
	for name, a := range o.agents {
		out.agents[name] = agent{a.name, a.id, a.client.in(t)}
	}
	return out
}

// at is an address of the API below the workspace.
func (o office) at(path string) string { return "/v1/workspaces/" + o.ws + path }

// page is an address of the console below the workspace.
func (o office) page(path string) string { return "/console/" + o.ws + path }

// story is the office of the tests, as it would look after some work.
type story struct {
	office
	finished, running, failed, denied, cancelled string // executions
	small, grave                                 string // approvals that wait
	graveExecution                               string
	decided                                      string // an approval that was given
	grant, saved                                 string
	invoice                                      string // what a prompt is about
}

func (o office) join(role, name string, roles ...string) person {
	owner := o.people["owner"]
	invited := owner.do(201, "POST", o.at("/members"), fields{"email": role + "@" + o.ws + ".example", "name": name, "roles": roles})
	joined := owner.as("").do(201, "POST", "/v1/invitations:accept", fields{"invitation_token": invited.text("invitation_token")})
	p := person{name, joined.text("member"), owner.as(joined.text("token"))}
	o.people[role] = p
	return p
}

func (o office) hire(name string, workflows ...string) agent {
	owner := o.people["owner"]
	body := fields{"name": name, "roles": []string{"agent"}}
	if len(workflows) > 0 {
		body["workflows"] = workflows
	}
	id := owner.do(201, "POST", o.at("/agents"), body).text("id")
	token := owner.do(201, "POST", o.at("/agents/"+id+"/tokens"), fields{"name": "production"}).text("token")
	a := agent{name, id, owner.as(token)}
	o.agents[name] = a
	return a
}

func openOffice(operator *client, ws, name, owner string) office {
	made := operator.do(201, "POST", "/v1/workspaces", fields{"id": ws, "name": name, "currency": "EUR", "owner": fields{"email": "owner@" + ws + ".example", "name": owner}})
	first := made.under("owner")
	return office{ws, map[string]person{"owner": {owner, first.text("id"), operator.as(first.text("token"))}}, map[string]agent{}}
}

// request asks for an execution; action is {kind, params}.
func (o office) request(by *client, workflow string, action fields) fields {
	return by.do(201, "POST", o.at("/executions"), fields{"workflow": workflow, "action": action, "subject": "customer-7", "context": fields{"queue": "night", "ticket": 4711}})
}

func (o office) start(by *client, asked, action fields) string {
	id := asked.text("id")
	by.do(200, "POST", o.at("/executions/"+id+"/start"), fields{"permit": asked.text("permit"), "action": action})
	return id
}

// talk records a prompt and, if answer is not empty, its completion.
func (o office) talk(by *client, execution, model, question, answer string, in, out int) {
	made := by.do(201, "POST", o.at("/executions/"+execution+"/prompts"), fields{"model": model, "provider": "example", "max_output_tokens": 400, "subject": "customer-7",
		"messages": []fields{{"role": "system", "content": "You check invoices and answer in one sentence."}, {"role": "user", "content": question}}})
	if answer == "" {
		return
	}
	by.do(201, "POST", o.at("/executions/"+execution+"/prompts/"+made.text("prompt_id")+"/completion"), fields{"content": answer, "usage": fields{"prompt_tokens": in, "output_tokens": out}, "finish_reason": "stop"})
}

func action(kind string, params fields) fields { return fields{"kind": kind, "params": params} }

var callModel = action("llm.call", fields{"purpose": "check an invoice"})

func tellStory(operator *client) story {
	s := story{office: openOffice(operator, "acme", "Acme Robotics", "Olga Owner")}
	s.found()
	s.work()
	s.wait()
	return s
}

// found makes people, agents, rules and limits.
func (s *story) found() {
	s.join("admin", "Adam Admin", "admin")
	s.join("supervisor", "Sofia Supervisor", "operations_supervisor")
	dora := s.join("deputy", "Dora Deputy", "operations_supervisor")
	s.join("author", "Paul Policy", "policy_author")
	s.join("auditor", "Aisha Auditor", "auditor")
	s.join("member", "Mia Member", "member")
	owner := s.people["owner"]
	owner.do(201, "POST", s.at("/members"), fields{"email": "ivan@acme.example", "name": "Ivan Invited", "roles": []string{"member"}})
	owner.do(200, "PUT", s.at("/roles/night_desk"), fields{"permissions": []string{"approval.read", "approval.decide", "execution.read"}, "description": "Looks after the night shift"})
	s.join("night", "Nora Night", "night_desk", "member", "policy_author")
	for _, name := range []string{"billing-bot", "support-bot", "research-bot"} {
		s.hire(name)
	}
	rule := func(cents float64) fields {
		return fields{"workflow": "invoices", "mode": "enforce", "default": "allow", "rules": []fields{
			{"id": "small", "actions": []string{"payment.initiate"}, "when": fmt.Sprintf("action.params.amount_cents < %.1f", cents), "effect": "allow", "reason": "Small invoices are paid without asking."},
			{"id": "large", "actions": []string{"payment.initiate"}, "when": fmt.Sprintf("action.params.amount_cents >= %.1f", cents), "effect": "require_approval", "reason": "Large payments need a supervisor.",
				"approval": fields{"roles": []string{"operations_supervisor"}, "count": 1, "expires_in": "4h", "separation_of_duties": true, "risk": "high"}}}}
	}
	owner.do(200, "PUT", s.at("/policies/payments"), rule(10000))
	owner.do(200, "PUT", s.at("/policies/payments"), rule(20000))
	owner.do(200, "PUT", s.at("/policies/no-exports"), fields{"workflow": "*", "mode": "enforce", "default": "allow", "rules": []fields{{"id": "exports", "actions": []string{"data.export"}, "effect": "deny", "reason": "Customer data does not leave the company."}}})
	owner.do(200, "PUT", s.at("/policies/mails"), fields{"workflow": "support", "mode": "enforce", "default": "allow", "rules": []fields{{"id": "outside", "actions": []string{"communication.send"}, "effect": "require_approval", "reason": "Mails leave the house.",
		"approval": fields{"roles": []string{"operations_supervisor"}, "count": 1, "expires_in": "2h", "risk": "low"}}}})
	owner.do(200, "PUT", s.at("/policies/night-watch"), fields{"workflow": "*", "mode": "shadow", "default": "allow", "rules": []fields{{"id": "night", "actions": []string{"communication.send"}, "when": "now.getHours('Europe/Vienna') < 6", "effect": "deny", "reason": "No mails at night."}}})
	owner.do(200, "PUT", s.at("/prices"), fields{"models": fields{"gpt-large": fields{"prompt_micros_per_million": 2500000, "output_micros_per_million": 10000000}, "small-fast": fields{"prompt_micros_per_million": 150000, "output_micros_per_million": 600000}}})
	for id, budget := range map[string]fields{
		"company-month":  {"scope": fields{"workspace": true}, "window": "month", "timezone": "Europe/Vienna", "limits": fields{"cost_micros": 40000, "total_tokens": 400000}, "mode": "enforce", "alert_at": []int{50, 80, 100}},
		"research-day":   {"scope": fields{"workflow": "research"}, "window": "day", "limits": fields{"total_tokens": 60000}, "mode": "enforce", "alert_at": []int{80}},
		"large-model":    {"scope": fields{"model": "gpt-large"}, "window": "week", "timezone": "America/New_York", "limits": fields{"cost_micros": 9000}, "mode": "observe", "alert_at": []int{50, 80}},
		"support-hourly": {"scope": fields{"workflow": "support"}, "window": "hour", "limits": fields{"calls": 1}, "mode": "enforce"},
	} {
		owner.do(200, "PUT", s.at("/budgets/"+id), budget)
	}
	owner.do(201, "POST", s.at("/webhooks"), fields{"url": "https://hooks.example.com/claw", "description": "to the night desk", "disabled": true})
	s.grant = s.people["supervisor"].do(201, "POST", s.at("/grants"), fields{"kinds": []string{"communication.send"}, "workflows": []string{"support"}, "max_uses": 20, "until": time.Now().Add(48 * time.Hour).UTC(), "reason": "answers to tickets during the fair"}).text("id")
	s.people["supervisor"].do(201, "POST", s.at("/delegations"), fields{"to": dora.id, "until": time.Now().Add(72 * time.Hour).UTC(), "reason": "away at the fair"})
	s.saved = s.people["auditor"].do(201, "POST", s.at("/searches"), fields{"name": "denied actions", "q": "outcome:denied", "order": "newest"}).text("id")
}

// work lets the agents do what needs nobody.
func (s *story) work() {
	billing, support, research := s.agents["billing-bot"], s.agents["support-bot"], s.agents["research-bot"]
	s.invoice = "Zimtstern 2041"
	s.finished = s.start(billing.client, s.request(billing.client, "invoices", callModel), callModel)
	s.talk(billing.client, s.finished, "gpt-large", "Does invoice "+s.invoice+" match its order?", "Invoice "+s.invoice+" matches the order in all positions.", 812, 64)
	s.talk(billing.client, s.finished, "small-fast", "Say so to the accountant in a friendly way.", "Dear colleague, all is well with the invoice.", 120, 40)
	paid := action("payment.initiate", fields{"amount_cents": 4200, "currency": "EUR", "iban": "AT611904300234573201", "invoice": s.invoice})
	further := billing.do(201, "POST", s.at("/executions/"+s.finished+"/actions"), fields{"action": paid})
	billing.do(200, "POST", s.at("/executions/"+s.finished+"/actions/"+further.text("action_id")+"/start"), fields{"permit": further.text("permit"), "action": paid})
	billing.do(200, "POST", s.at("/executions/"+s.finished+"/complete"), fields{"result": fields{"paid": true}})

	s.running = s.start(research.client, s.request(research.client, "research", callModel), callModel)
	s.talk(research.client, s.running, "gpt-large", "Summarise the filing in five sentences.", "", 0, 0)
	mail := action("communication.send", fields{"channel": "mail", "template": "delay", "ticket": 88})
	s.failed = s.start(support.client, s.request(support.client, "support", mail), mail) // by the grant
	s.talk(support.client, s.failed, "small-fast", "Draft an answer to ticket 88.", "Your parcel left the warehouse yesterday.", 90, 60)
	support.do(200, "POST", s.at("/executions/"+s.failed+"/fail"), fields{"reason": "the mail server did not answer"})
	s.denied = s.request(support.client, "support", action("data.export", fields{"table": "contacts", "rows": 40000})).text("id")
	status, refused := support.try("POST", s.at("/executions/"+s.running+"/prompts"), fields{"model": "small-fast", "content": "not mine", "max_output_tokens": 10})
	if status < 400 {
		support.t.Fatalf("a prompt in the execution of another agent: got %d %v", status, refused)
	}
	for n := range 6 { // some more, so that lists are lists
		id := s.start(billing.client, s.request(billing.client, "invoices", callModel), callModel)
		s.talk(billing.client, id, "gpt-large", fmt.Sprintf("Does invoice %d match its order?", 3000+n), "It does.", 300+20*n, 12)
		billing.do(200, "POST", s.at("/executions/"+id+"/complete"), fields{})
	}
}

// wait leaves approvals in every state.
func (s *story) wait() {
	billing, research := s.agents["billing-bot"], s.agents["research-bot"]
	s.small = s.request(research.client, "crm", action("table.update", fields{"table": "contacts", "row": 8812, "set": fields{"lead": true, "score": 71}})).text("approval_id")
	params := fields{"amount_cents": 1284000, "currency": "EUR", "iban": "AT611904300234573201", "invoice": "INV-2044", "positions": []fields{{"text": "Servo motors", "count": 40}}}
	asked := s.request(billing.client, "invoices", callModel)
	s.graveExecution = s.start(billing.client, asked, callModel)
	billing.do(201, "POST", s.at("/executions/"+s.graveExecution+"/actions"), fields{"action": action("payment.initiate", params)})
	params["amount_cents"], params["iban"] = 1290000, "DE89370400440532013000"
	s.grave = billing.do(201, "POST", s.at("/executions/"+s.graveExecution+"/actions"), fields{"action": action("payment.initiate", params)}).text("approval_id")

	small := s.request(research.client, "crm", action("table.update", fields{"table": "contacts", "row": 17}))
	s.decided = small.text("approval_id")
	s.decide(s.people["supervisor"], s.decided, "approve")
	refused := s.request(research.client, "crm", action("table.update", fields{"table": "contacts", "row": 99}))
	s.decide(s.people["supervisor"], refused.text("approval_id"), "deny")
	gone := s.request(billing.client, "invoices", action("payment.initiate", fields{"amount_cents": 99000, "currency": "EUR"}))
	s.cancelled = gone.text("id")
	billing.do(200, "POST", s.at("/executions/"+s.cancelled+"/cancel"), fields{"reason": "the invoice was withdrawn"})
}

func (o office) decide(by person, approval, decision string) {
	digest := by.do(200, "GET", o.at("/approvals/"+approval), nil).text("action_digest")
	by.do(200, "POST", o.at("/approvals/"+approval+"/decision"), fields{"decision": decision, "reason": "checked against the order", "action_digest": digest})
}
