package http

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMembersAndRoles(t *testing.T) {
	w := newWorld(t)
	const ws = "/v1/workspaces/acme"
	if a := w.must(200, "GET", ws, w.agent, ""); a.text("name") != "Acme GmbH" || a.text("status") != "active" {
		t.Errorf("workspace %s", a.raw)
	}
	list := w.must(200, "GET", ws+"/members?limit=1", w.owner, "")
	if items := list.at("items").([]any); len(items) != 1 || list.text("next") == "" {
		t.Errorf("first page %s", list.raw)
	}
	rest := w.must(200, "GET", ws+"/members?cursor="+list.text("next"), w.owner, "")
	if items := rest.at("items").([]any); len(items) != 1 || rest.text("next") != "" {
		t.Errorf("second page %s", rest.raw)
	}
	position := w.must(200, "PUT", ws+"/members/"+w.superID+"/roles", w.owner, `{"roles":["operations_supervisor","auditor"]}`).header.Get("Ledger-Position")
	got := w.must(200, "GET", ws+"/members/"+w.superID+"?min_position="+position, w.super, "")
	if got.text("email") != "sam@acme.test" || got.text("name") != "Sam" || len(got.at("roles").([]any)) != 2 {
		t.Errorf("member %s", got.raw)
	}
	tag := got.header.Get("ETag")
	w.must(200, "PUT", ws+"/members/"+w.superID+"/roles", w.owner, `{"roles":["operations_supervisor"]}`, "If-Match", tag)
	w.refused(412, "version_mismatch", "PUT", ws+"/members/"+w.superID+"/roles", w.owner, `{"roles":["auditor"]}`, "If-Match", tag)
	w.refused(409, "last_owner", "DELETE", ws+"/members/"+w.ownerID, w.owner, "")

	role := w.must(200, "PUT", ws+"/roles/clerk", w.owner, `{"permissions":["budget.read"],"description":"reads"}`, "If-Match", `"0"`)
	if role.header.Get("ETag") != `"1"` {
		t.Errorf("tag %s", role.header.Get("ETag"))
	}
	w.refused(412, "version_mismatch", "PUT", ws+"/roles/clerk", w.owner, `{"permissions":[]}`, "If-Match", `"0"`)
	w.refused(409, "builtin_role", "PUT", ws+"/roles/owner", w.owner, `{"permissions":[]}`)
	w.refused(400, "permission_unknown", "PUT", ws+"/roles/other", w.owner, `{"permissions":["nothing.real"]}`)
	if a := w.must(200, "GET", ws+"/roles/clerk", w.agent, ""); a.at("builtin") != false || a.text("description") != "reads" {
		t.Errorf("role %s", a.raw)
	}
	if a := w.must(200, "GET", ws+"/roles", w.agent, ""); len(a.at("items").([]any)) != 8 {
		t.Errorf("roles %s", a.raw)
	}
	if a := w.must(200, "GET", ws+"/permissions", w.agent, ""); len(a.at("items").([]any)) != 24 {
		t.Errorf("permissions %s", a.raw)
	}
	w.must(204, "DELETE", ws+"/roles/clerk", w.owner, "")
	w.refused(404, "not_found", "GET", ws+"/roles/clerk", w.agent, "")

	w.must(204, "DELETE", ws+"/members/"+w.superID, w.owner, "")
	w.refused(401, "unauthenticated", "GET", ws, w.super, "")
}

func TestInvitationWorksOnce(t *testing.T) {
	w := newWorld(t)
	const members = "/v1/workspaces/acme/members"
	body := `{"email":"eve@acme.test","name":"Eve","roles":["auditor"]}`
	first := w.must(201, "POST", members, w.owner, body, "Idempotency-Key", "invite-eve")
	if first.text("status") != "invited" || first.at("secret_shown") != true {
		t.Errorf("invitation %s", first.raw)
	}
	again := w.must(201, "POST", members, w.owner, body, "Idempotency-Key", "invite-eve")
	if again.text("id") != first.text("id") || again.at("secret_shown") != false || again.text("invitation_token") != "" {
		t.Errorf("repeated %s", again.raw)
	}
	accept := `{"invitation_token":"` + first.text("invitation_token") + `"}`
	joined := w.must(201, "POST", "/v1/invitations:accept", "", accept, "Idempotency-Key", "j")
	if joined.text("workspace") != "acme" || joined.text("member") != first.text("id") {
		t.Errorf("joined %s", joined.raw)
	}
	w.must(200, "GET", "/v1/workspaces/acme", joined.text("token"), "")
	if a := w.do("POST", "/v1/invitations:accept", "", accept); a.status != 409 {
		t.Errorf("a used invitation: %d %s", a.status, a.raw)
	}
	w.refused(404, "invitation_unknown", "POST", "/v1/invitations:accept", "", `{"invitation_token":"clwin_nothing"}`)
}

func TestAgentsAndTokens(t *testing.T) {
	w := newWorld(t)
	const ws = "/v1/workspaces/acme"
	if a := w.must(200, "GET", ws+"/agents/"+w.agentID, w.owner, ""); a.text("name") != "billing bot" || a.text("created_by") != "member:"+w.ownerID {
		t.Errorf("agent %s", a.raw)
	}
	if a := w.must(200, "GET", ws+"/agents", w.owner, ""); len(a.at("items").([]any)) != 1 {
		t.Errorf("agents %s", a.raw)
	}
	issued := w.must(201, "POST", ws+"/agents/"+w.agentID+"/tokens", w.owner, `{"name":"second"}`, "Idempotency-Key", "k")
	w.must(200, "GET", ws, issued.text("token"), "")
	if a := w.must(201, "POST", ws+"/agents/"+w.agentID+"/tokens", w.owner, `{"name":"second"}`, "Idempotency-Key", "k"); a.text("token") != "" || a.text("id") != issued.text("id") {
		t.Errorf("repeated %s", a.raw)
	}
	w.refused(409, "idempotency_key_reused", "POST", ws+"/agents/"+w.agentID+"/tokens", w.owner, `{"name":"third"}`, "Idempotency-Key", "k")
	w.refused(404, "not_found", "DELETE", ws+"/tokens/"+issued.text("id"), w.super, "")
	w.must(204, "DELETE", ws+"/tokens/"+issued.text("id"), w.owner, "")
	w.refused(401, "unauthenticated", "GET", ws, issued.text("token"), "")
	w.must(204, "DELETE", ws+"/tokens/"+issued.text("id"), w.owner, "")

	mine := w.must(201, "POST", ws+"/members/"+w.superID+"/tokens", w.super, `{"name":"laptop"}`)
	w.refused(403, "permission_denied", "POST", ws+"/members/"+w.superID+"/tokens", w.owner, `{"name":"not mine"}`)
	w.must(204, "DELETE", ws+"/tokens/"+mine.text("id"), w.super, "")
	w.refused(401, "unauthenticated", "GET", ws, mine.text("token"), "")

	narrow := w.must(201, "POST", ws+"/agents", w.owner, `{"name":"narrow","workflows":["invoices"]}`)
	token := w.must(201, "POST", ws+"/agents/"+narrow.text("id")+"/tokens", w.owner, `{"name":"t"}`).text("token")
	w.refused(403, "workflow_not_allowed", "POST", ws+"/executions", token, `{"workflow":"payroll","action":{"kind":"llm.call","params":{}}}`)
	w.must(204, "DELETE", ws+"/agents/"+narrow.text("id"), w.owner, "")
	w.refused(401, "unauthenticated", "GET", ws, token, "")
}

func TestOperator(t *testing.T) {
	w := newWorld(t)
	w.must(201, "POST", "/v1/workspaces", w.operator, `{"id":"bare","name":"Bare","currency":"USD"}`)
	w.refused(409, "workspace_exists", "POST", "/v1/workspaces", w.operator, `{"id":"acme","name":"Acme","currency":"EUR"}`)
	if a := w.must(200, "GET", "/v1/workspaces", w.operator, ""); len(a.at("items").([]any)) != 2 {
		t.Errorf("workspaces %s", a.raw)
	}
	w.refused(404, "not_found", "GET", "/v1/workspaces/acme", w.operator, "")
	w.refused(404, "not_found", "GET", "/v1/workspaces/acme/members", w.operator, "")
	if a := w.must(200, "POST", "/v1/workspaces/acme:suspend", w.operator, `{"reason":"unpaid"}`); a.text("status") != "suspended" {
		t.Errorf("suspended %s", a.raw)
	}
	w.refused(409, "workspace_suspended", "POST", "/v1/workspaces/acme/executions", w.agent, `{"workflow":"w","action":{"kind":"llm.call","params":{}}}`)
	w.must(200, "GET", "/v1/workspaces/acme", w.agent, "")
	if a := w.must(200, "POST", "/v1/workspaces/acme:resume", w.operator, ""); a.text("status") != "active" {
		t.Errorf("resumed %s", a.raw)
	}
	w.refused(404, "workspace_unknown", "POST", "/v1/workspaces/nothing:suspend", w.operator, `{}`)
}

func TestPolicies(t *testing.T) {
	w := newWorld(t)
	const policies = "/v1/workspaces/acme/policies"
	body := `{"workflow":"invoices","mode":"enforce","default":"deny","rules":[
		{"id":"small","actions":["payment.initiate"],"when":"action.params.amount <= 100.0","effect":"allow","reason":"small"},
		{"id":"large","actions":["payment.initiate"],"when":"action.params.amount > 100.0","effect":"require_approval",
		 "approval":{"roles":["operations_supervisor"],"count":1,"expires_in":"2h","separation_of_duties":true,"risk":"high","escalate":{"after":"1h","roles":["admin"]}}}],
		"sandbox":{"network":"none"}}`
	put := w.must(200, "PUT", policies+"/invoices", w.owner, body, "If-Match", `"0"`)
	got := w.must(200, "GET", policies+"/invoices", w.super, "")
	for _, p := range []answer{put, got} {
		if p.header.Get("ETag") != `"1"` || p.at("version") != float64(1) || !strings.Contains(string(p.raw), `"escalate":{"after":"1h","roles":["admin"]}`) || p.at("sandbox", "network") != "none" {
			t.Errorf("policy %s", p.raw)
		}
	}
	w.refused(412, "version_mismatch", "PUT", policies+"/invoices", w.owner, body, "If-Match", `"7"`)
	bad := w.refused(400, "invalid_condition", "PUT", policies+"/bad", w.owner, strings.Replace(body, "amount <= 100.0", "amount <= ", 1))
	if bad.at("line") == nil || bad.at("column") == nil {
		t.Errorf("condition %s", bad.raw)
	}
	w.must(200, "PUT", policies+"/invoices", w.owner, strings.Replace(body, `"deny"`, `"allow"`, 1))
	versions := w.must(200, "GET", policies+"/invoices/versions?limit=1", w.super, "")
	if versions.text("next") == "" {
		t.Errorf("versions %s", versions.raw)
	}
	older := w.must(200, "GET", policies+"/invoices/versions?cursor="+versions.text("next"), w.super, "")
	if items := older.at("items").([]any); len(items) != 1 || items[0].(map[string]any)["version"] != float64(1) {
		t.Errorf("older versions %s", older.raw)
	}
	if a := w.must(200, "GET", policies, w.super, ""); len(a.at("items").([]any)) != 1 {
		t.Errorf("policies %s", a.raw)
	}
	ask := `{"workflow":"invoices","action":{"kind":"payment.initiate","params":{"amount":500}}}`
	if a := w.must(200, "POST", policies+":evaluate", w.super, ask); a.text("effect") != "require_approval" || a.text("rule") != "large" {
		t.Errorf("decision %s", a.raw)
	}
	w.refused(404, "policy_unknown", "POST", policies+":evaluate", w.super, strings.Replace(ask, "{", `{"policy":"none",`, 1))
}

func TestBudgetsAndPrices(t *testing.T) {
	w := newWorld(t)
	const ws = "/v1/workspaces/acme"
	put := w.must(200, "PUT", ws+"/budgets/daily", w.owner, `{"scope":{"workspace":true},"window":"day","limits":{"calls":1,"cost_micros":0}}`)
	if put.header.Get("ETag") != `"1"` || put.text("timezone") != "UTC" || put.text("mode") != "enforce" || put.at("limits", "cost_micros") != float64(0) {
		t.Errorf("budget %s", put.raw)
	}
	w.refused(412, "version_mismatch", "PUT", ws+"/budgets/daily", w.owner, `{"scope":{"workspace":true},"window":"day","limits":{"calls":2}}`, "If-Match", `"9"`)
	ex := w.started()
	unpriced := w.refused(402, "price_unknown", "POST", ws+"/executions/"+ex+"/prompts", w.agent, `{"model":"m","content":"hi","max_output_tokens":5}`)
	if unpriced.at("limit") == nil && unpriced.at("budget") == nil && unpriced.at("model") == nil {
		t.Errorf("no figures: %s", unpriced.raw)
	}
	prices := w.must(200, "PUT", ws+"/prices", w.owner, `{"models":{"m":{"prompt_micros_per_million":0,"output_micros_per_million":0}}}`, "If-Match", `"0"`)
	if prices.header.Get("ETag") != `"1"` {
		t.Errorf("prices %s", prices.raw)
	}
	if a := w.must(200, "GET", ws+"/prices", w.super, ""); a.at("models", "m") == nil {
		t.Errorf("prices %s", a.raw)
	}
	w.must(201, "POST", ws+"/executions/"+ex+"/prompts", w.agent, `{"model":"m","content":"hi","max_output_tokens":5}`)
	over := w.refused(402, "budget_exceeded", "POST", ws+"/executions/"+ex+"/prompts", w.agent, `{"model":"m","content":"hi","max_output_tokens":5}`)
	for _, fact := range []string{"budget", "limit", "used", "reserved", "requested"} {
		if over.at(fact) == nil {
			t.Errorf("no %s in %s", fact, over.raw)
		}
	}
	usage := w.must(200, "GET", ws+"/budgets/daily/usage", w.super, "")
	line := usage.at("lines").([]any)[0].(map[string]any)
	if line["amount"] != "calls" || line["reserved"] != float64(1) || line["free"] != float64(0) {
		t.Errorf("usage %s", usage.raw)
	}
	if a := w.must(200, "GET", ws+"/budgets", w.super, ""); len(a.at("items").([]any)) != 1 {
		t.Errorf("budgets %s", a.raw)
	}
	w.must(204, "DELETE", ws+"/budgets/daily", w.owner, "")
	w.refused(404, "not_found", "GET", ws+"/budgets/daily", w.super, "")
}

func TestExecutionFromRequestToEnd(t *testing.T) {
	w := newWorld(t)
	const executions = "/v1/workspaces/acme/executions"
	request := `{"workflow":"invoices","action":{"kind":"llm.call","params":{"n":1}},"subject":"customer-1","context":{"why":"test"}}`
	made := w.must(201, "POST", executions, w.agent, request, "Idempotency-Key", "r1")
	if made.text("status") != "authorized" || made.text("permit") == "" || made.text("decision", "effect") != "allow" || len(made.text("action_digest")) != 43 {
		t.Fatalf("requested %s", made.raw)
	}
	again := w.must(201, "POST", executions, w.agent, request, "Idempotency-Key", "r1")
	if string(again.raw) != string(made.raw) || again.header.Get("Ledger-Position") != made.header.Get("Ledger-Position") {
		t.Errorf("repeated: %s %s\nfirst: %s %s", again.raw, again.header.Get("Ledger-Position"), made.raw, made.header.Get("Ledger-Position"))
	}
	one := executions + "/" + made.text("id")
	start := `{"permit":"` + made.text("permit") + `","action":{"kind":"llm.call","params":{"n":1}}}`
	w.refused(409, "action_changed", "POST", one+"/start", w.agent, strings.Replace(start, `"n":1`, `"n":2`, 1))
	w.refused(403, "permission_denied", "POST", one+"/start", w.super, start)
	if a := w.must(200, "POST", one+"/start", w.agent, start); a.text("status") != "started" {
		t.Errorf("started %s", a.raw)
	}
	w.refused(409, "permit_used", "POST", one+"/start", w.agent, start)

	prompt := w.must(201, "POST", one+"/prompts", w.agent, `{"model":"m","messages":[{"role":"user","content":"äb"},{"role":"user","content":"c"}],"max_output_tokens":9}`)
	if prompt.at("reservation", "prompt_tokens") != float64(18) || prompt.at("reservation", "output_tokens") != float64(9) || prompt.at("reservation", "calls") != float64(1) {
		t.Errorf("reservation %s", prompt.raw)
	}
	closing := one + "/prompts/" + prompt.text("prompt_id")
	w.must(201, "POST", closing+"/completion", w.agent, `{"content":"done","usage":{"prompt_tokens":10,"output_tokens":3},"finish_reason":"stop"}`)
	w.refused(409, "prompt_closed", "POST", closing+"/failure", w.agent, `{"reason":"late"}`)
	second := w.must(201, "POST", one+"/prompts", w.agent, `{"model":"m","content":"x","prompt_tokens":4,"max_output_tokens":1}`)
	w.must(201, "POST", one+"/prompts/"+second.text("prompt_id")+"/failure", w.agent, `{}`)

	further := w.must(201, "POST", one+"/actions", w.agent, `{"action":{"kind":"tool.read","params":{}}}`)
	w.must(200, "POST", one+"/actions/"+further.text("action_id")+"/start", w.agent, `{"permit":"`+further.text("permit")+`","action":{"kind":"tool.read","params":{}}}`)
	end := w.must(200, "POST", one+"/complete", w.agent, `{"result":{"ok":true},"reason":"done"}`)
	if end.text("status") != "completed" {
		t.Errorf("ended %s", end.raw)
	}
	w.refused(409, "execution_ended", "POST", one+"/fail", w.agent, `{}`)

	got := w.must(200, "GET", one, w.super, "")
	if got.text("status") != "completed" || len(got.at("actions").([]any)) != 2 || len(got.at("prompts").([]any)) != 2 || len(got.at("history").([]any)) < 8 {
		t.Errorf("execution %s", got.raw)
	}
	list := w.must(200, "GET", executions+"?status=completed&workflow=invoices&requester=agent:"+w.agentID+"&min_position="+end.header.Get("Ledger-Position"), w.super, "")
	if items := list.at("items").([]any); len(items) != 1 {
		t.Errorf("list %s", list.raw)
	}
	w.refused(403, "permission_denied", "GET", executions, w.agent, "")
	w.must(200, "GET", one, w.agent, "")
	w.refused(400, "invalid_parameter", "GET", executions+"?cursor=nonsense", w.super, "")
}

func TestBodiesThatMayBeLeftOut(t *testing.T) {
	w := newWorld(t)
	for _, how := range []string{"complete", "fail", "cancel"} {
		w.must(200, "POST", "/v1/workspaces/acme/executions/"+w.started()+"/"+how, w.agent, "")
	}
	id := w.started()
	prompt := w.must(201, "POST", "/v1/workspaces/acme/executions/"+id+"/prompts", w.agent, `{"model":"m","content":[{"type":"text"}],"max_output_tokens":1}`)
	w.must(201, "POST", "/v1/workspaces/acme/executions/"+id+"/prompts/"+prompt.text("prompt_id")+"/failure", w.agent, "")
	w.refused(400, "invalid_body", "POST", "/v1/workspaces/acme/executions/"+id+"/prompts", w.agent, `{"model":"m","content":null,"max_output_tokens":1}`)
	w.must(200, "POST", "/v1/workspaces/acme:suspend", w.operator, "")
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	id := w.started()
	path := "/v1/workspaces/acme/executions/" + id + "/cancel"
	other := w.must(201, "POST", "/v1/workspaces/acme/agents", w.owner, `{"name":"other"}`).text("id")
	token := w.must(201, "POST", "/v1/workspaces/acme/agents/"+other+"/tokens", w.owner, `{"name":"t"}`).text("token")
	w.refused(403, "not_requester", "POST", path, token, `{}`)
	w.refused(404, "not_found", "GET", "/v1/workspaces/acme/executions/"+id, token, "")
	if a := w.must(200, "POST", path, w.super, `{"reason":"wrong customer"}`); a.text("status") != "cancelled" {
		t.Errorf("cancelled %s", a.raw)
	}
}

func TestApproval(t *testing.T) {
	w := newWorld(t)
	const ws = "/v1/workspaces/acme"
	action := `{"kind":"payment.initiate","params":{"amount":"250.00"}}`
	made := w.must(201, "POST", ws+"/executions", w.agent, `{"workflow":"invoices","action":`+action+`}`)
	if made.text("status") != "awaiting_approval" || made.text("permit") != "" {
		t.Fatalf("requested %s", made.raw)
	}
	path := ws + "/approvals/" + made.text("approval_id")
	seen := w.must(200, "GET", path, w.super, "")
	if seen.text("action_digest") != made.text("action_digest") || seen.at("action", "params", "amount") != "250.00" || seen.text("status") != "pending" {
		t.Errorf("approval %s", seen.raw)
	}
	w.must(200, "GET", path, w.agent, "")
	position := w.head()
	for token, want := range map[string]int{w.super: 1, w.agent: 1} {
		list := w.must(200, "GET", ws+"/approvals?status=pending&min_position="+position, token, "")
		if items := list.at("items").([]any); len(items) != want {
			t.Errorf("list %s", list.raw)
		}
	}
	say := func(decision, digest string) string {
		return `{"decision":"` + decision + `","reason":"checked","action_digest":"` + digest + `"}`
	}
	w.refused(403, "permission_denied", "POST", path+"/decision", w.agent, say("approve", made.text("action_digest")))
	w.refused(409, "action_changed", "POST", path+"/decision", w.super, say("approve", strings.Repeat("A", 43)))
	decided := w.must(200, "POST", path+"/decision", w.super, say("approve", made.text("action_digest")), "Idempotency-Key", "d")
	if decided.text("status") != "approved" || len(decided.at("votes").([]any)) != 1 {
		t.Errorf("decided %s", decided.raw)
	}
	w.must(200, "POST", path+"/decision", w.super, say("approve", made.text("action_digest")), "Idempotency-Key", "d")
	w.refused(409, "approval_decided", "POST", path+"/decision", w.super, say("deny", made.text("action_digest")))

	one := ws + "/executions/" + made.text("id")
	if a := w.must(200, "GET", one, w.super, ""); a.text("permit") != "" {
		t.Error("somebody else saw the permit")
	}
	permit := w.must(200, "GET", one, w.agent, "").text("permit")
	w.must(200, "POST", one+"/start", w.agent, `{"permit":"`+permit+`","action":`+action+`}`)
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	const events = "/v1/workspaces/acme/events"
	auditor, _ := w.join("ann@acme.test", "Ann", "auditor")
	id := w.started()
	last := w.must(201, "POST", "/v1/workspaces/acme/executions/"+id+"/prompts", w.agent, `{"model":"m","content":"a secret word","max_output_tokens":1}`).header.Get("Ledger-Position")
	all := w.must(200, "GET", events+"?min_position="+last, auditor, "").at("items").([]any)
	var paged []any
	for query := "?limit=3"; ; {
		page := w.must(200, "GET", events+query, auditor, "")
		paged = append(paged, page.at("items").([]any)...)
		if page.text("next") == "" {
			break
		}
		query = "?limit=3&after=" + page.text("next")
	}
	if len(all) < 10 || len(paged) < len(all) {
		t.Errorf("%d events, %d by pages", len(all), len(paged))
	}
	list := w.must(200, "GET", events+"?stream=execution-"+id+"&type=execution.requested.v1", auditor, "").at("items").([]any)
	if len(list) != 1 {
		t.Fatalf("requested: %v", list)
	}
	fact := list[0].(map[string]any)
	eid := fact["id"].(string)
	if fact["actor"] != "agent:"+w.agentID || fact["stream"] != "execution-"+id || fact["credential"] == "" || fact["time"] == nil {
		t.Errorf("event %v", fact)
	}
	if a := w.must(200, "GET", events+"/"+eid, auditor, ""); a.text("type") != "execution.requested.v1" {
		t.Errorf("event %s", a.raw)
	}
	record := w.must(200, "GET", events+"/"+eid+"/record", auditor, "")
	if strings.Count(record.text("jws"), ".") != 2 || record.text("ciphertext") == "" || record.text("position") != fact["position"] {
		t.Errorf("record %s", record.raw)
	}
	content := w.must(200, "GET", events+"?stream=execution-"+id+"&type=content.prompt.v1", auditor, "").at("items").([]any)
	if len(content) != 1 {
		t.Fatalf("content: %v", content)
	}
	cid := content[0].(map[string]any)["id"].(string)
	open, _ := json.Marshal(map[string]any{"ids": []string{eid, cid}, "reason": "complaint 7"})
	opened := w.must(200, "POST", events+":open", auditor, string(open))
	if !strings.Contains(string(opened.raw), "a secret word") || !strings.Contains(string(opened.raw), `"workflow":"invoices"`) {
		t.Errorf("opened %s", opened.raw)
	}
	w.refused(403, "permission_denied", "POST", events+":open", w.super, string(open))
	recorded := w.must(200, "GET", events+"?type=access.content_opened.v1&min_position="+opened.header.Get("Ledger-Position"), auditor, "")
	if len(recorded.at("items").([]any)) != 1 {
		t.Errorf("the opening is not recorded: %s", recorded.raw)
	}
	w.refused(404, "not_found", "GET", events+"/00000000-0000-8000-8000-000000000000", auditor, "")
	w.refused(404, "not_found", "GET", events+"/00000000-0000-8000-8000-000000000000/record", auditor, "")
}

func TestServicePagesOfARunningServer(t *testing.T) {
	w := newWorld(t)
	for path, has := range map[string]string{"/healthz": "alive", "/readyz": "ready", "/.well-known/jwks.json": `"kty"`, "/metrics": "clawledger_http_requests_total",
		"/openapi.yaml": "openapi: 3.0.3", "/docs": "<!doctype html>"} {
		if a := w.must(200, "GET", path, "", ""); !strings.Contains(string(a.raw), has) {
			t.Errorf("%s: %.200s", path, a.raw)
		}
	}
}
