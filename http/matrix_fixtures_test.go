package http

import (
	"maps"
	"strings"
	"time"
)

// fixture is how an operation is called rightly, from which the matrix makes
// every wrong call. Words in braces in path and body are filled in from what
// prepare answers.
type fixture struct {
	token   string // owner, agent, super, auditor, operator or "" for none
	prepare func(m *matrix) map[string]string
	body    string
	other   string // another body as right as body, for a reused idempotency key
	status  int
	// what a caller without the right is told, where it is not 403 permission_denied
	lacking string
	// cases of the matrix that can't be, each with the reason
	without map[string]string
}

func none(*matrix) map[string]string { return nil }

func (m *matrix) member() map[string]string {
	_, id := m.join(m.unique("p")+"@acme.test", "P", "member")
	return map[string]string{"id": id}
}

func (m *matrix) newAgent() map[string]string {
	return map[string]string{"id": m.must(201, "POST", "/v1/workspaces/acme/agents", m.owner, `{"name":"a"}`).text("id")}
}

func (m *matrix) token() map[string]string {
	made := m.must(201, "POST", "/v1/workspaces/acme/agents/"+m.agentID+"/tokens", m.owner, `{"name":"t"}`)
	return map[string]string{"tid": made.text("id")}
}

func (m *matrix) role() map[string]string {
	name := m.unique("role")
	m.must(200, "PUT", "/v1/workspaces/acme/roles/"+name, m.owner, `{"permissions":[]}`)
	return map[string]string{"role": name}
}

func (m *matrix) policy() map[string]string {
	name := m.unique("policy")
	m.must(200, "PUT", "/v1/workspaces/acme/policies/"+name, m.owner, `{"workflow":"other","mode":"shadow","rules":[],"default":"allow"}`)
	return map[string]string{"policy": name}
}

func (m *matrix) budget() map[string]string {
	name := m.unique("budget")
	m.must(200, "PUT", "/v1/workspaces/acme/budgets/"+name, m.owner, `{"scope":{"workflow":"other"},"window":"day","limits":{"calls":1000}}`)
	return map[string]string{"budget": name}
}

func (m *matrix) requested() map[string]string {
	made := m.must(201, "POST", "/v1/workspaces/acme/executions", m.agent, `{"workflow":"invoices","action":{"kind":"llm.call","params":{}}}`)
	return map[string]string{"id": made.text("id"), "permit": made.text("permit")}
}

func (m *matrix) running() map[string]string { return map[string]string{"id": m.started()} }

func (m *matrix) furtherAction() map[string]string {
	id := m.started()
	made := m.must(201, "POST", "/v1/workspaces/acme/executions/"+id+"/actions", m.agent, `{"action":{"kind":"llm.call","params":{}}}`)
	return map[string]string{"id": id, "aid": made.text("action_id"), "permit": made.text("permit")}
}

func (m *matrix) prompt() map[string]string {
	id := m.started()
	made := m.must(201, "POST", "/v1/workspaces/acme/executions/"+id+"/prompts", m.agent, `{"model":"m","content":"c","max_output_tokens":1}`)
	return map[string]string{"id": id, "pid": made.text("prompt_id")}
}

func (m *matrix) approval() map[string]string {
	made := m.must(201, "POST", "/v1/workspaces/acme/executions", m.agent, `{"workflow":"invoices","action":{"kind":"payment.initiate","params":{}}}`)
	return map[string]string{"id": made.text("approval_id"), "digest": made.text("action_digest")}
}

// absence is a member whom the supervisor may have stand in, and a time for it.
func (m *matrix) absence() map[string]string {
	_, id := m.join(m.unique("p")+"@acme.test", "P", "operations_supervisor")
	return map[string]string{"to": id, "start": inDays(1), "until": inDays(30)}
}

func inDays(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.RFC3339) }

func (m *matrix) delegation() map[string]string {
	v := m.absence()
	made := m.must(201, "POST", "/v1/workspaces/acme/delegations", m.super, fill(`{"to":"{to}","until":"{until}"}`, v))
	return map[string]string{"id": made.text("id")}
}

func (m *matrix) grant() map[string]string {
	made := m.must(201, "POST", "/v1/workspaces/acme/grants", m.super, `{"kinds":["communication.send"],"max_uses":1,"until":"`+soon()+`","reason":"r"}`)
	return map[string]string{"id": made.text("id")}
}

// soon is a time within what a grant may last.
func soon() string { return time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339) }

func (m *matrix) event() map[string]string {
	id := m.started()
	list := m.must(200, "GET", "/v1/workspaces/acme/events?limit=1&stream=execution-"+id+"&min_position="+m.position(), m.auditor, "")
	return map[string]string{"eid": list.at("items").([]any)[0].(map[string]any)["id"].(string)}
}

func (m *matrix) invitation() map[string]string {
	made := m.must(201, "POST", "/v1/workspaces/acme/members", m.owner, `{"email":"`+m.unique("i")+`@acme.test","name":"I","roles":["member"]}`)
	return map[string]string{"invitation": made.text("invitation_token")}
}

func (m *matrix) workspace() map[string]string {
	id := strings.ReplaceAll(m.unique("ws"), "_", "-")
	m.must(201, "POST", "/v1/workspaces", m.operator, `{"id":"`+id+`","name":"N","currency":"EUR"}`)
	return map[string]string{"ws": id}
}

func (m *matrix) webhook() map[string]string {
	made := m.must(201, "POST", "/v1/workspaces/acme/webhooks", m.owner, `{"url":"https://hooks.example.com/`+m.unique("h")+`"}`)
	return map[string]string{"id": made.text("webhook", "id")}
}

func (m *matrix) name() map[string]string {
	return map[string]string{"new": strings.ReplaceAll(m.unique("n"), "_", "-")}
}

// fixtures has one for every operation of the specification but the service's
// own pages; see TestMatrix.
func fixtures() map[string]fixture {
	all := peopleFixtures()
	maps.Copy(all, workFixtures())
	maps.Copy(all, searchFixtures())
	return all
}

func peopleFixtures() map[string]fixture {
	return map[string]fixture{
		"listWorkspaces":   {token: "operator", status: 200},
		"createWorkspace":  {token: "operator", prepare: (*matrix).name, status: 201, body: `{"id":"{new}","name":"N","currency":"EUR","owner":{"email":"x@y.test","name":"X"}}`, other: `{"id":"{new}","name":"M","currency":"EUR"}`},
		"getWorkspace":     {token: "agent", status: 200},
		"suspendWorkspace": {token: "operator", prepare: (*matrix).workspace, status: 200, body: `{"reason":"r"}`, other: `{"reason":"s"}`},
		"resumeWorkspace":  {token: "operator", prepare: (*matrix).workspace, status: 200},

		"listMembers":      {token: "super", status: 200},
		"inviteMember":     {token: "owner", prepare: (*matrix).name, status: 201, body: `{"email":"{new}@acme.test","name":"N","roles":["member"]}`, other: `{"email":"{new}@acme.test","name":"M","roles":["member"]}`},
		"acceptInvitation": {prepare: (*matrix).invitation, status: 201, body: `{"invitation_token":"{invitation}"}`, without: map[string]string{"idempotency": "the body names the caller, so another body is another caller's key"}},
		"getMember":        {token: "super", prepare: (*matrix).member, status: 200},
		"removeMember":     {token: "owner", prepare: (*matrix).member, status: 204},
		"setMemberRoles":   {token: "owner", prepare: (*matrix).member, status: 200, body: `{"roles":["auditor"],"until":"2999-01-01T00:00:00Z"}`, other: `{"roles":["member"]}`},
		"createMemberToken": {token: "super", prepare: func(m *matrix) map[string]string { return map[string]string{"id": m.superID} }, status: 201,
			body: `{"name":"n","expires_at":"2999-01-01T00:00:00Z"}`, other: `{"name":"m"}`},

		"eraseSubject": {token: "owner", prepare: (*matrix).member, status: 200, body: `{"member":"{id}","reason":"request 7"}`, other: `{"member":"{id}","reason":"request 8"}`},

		"listRoles":       {token: "agent", status: 200},
		"getRole":         {token: "agent", prepare: (*matrix).role, status: 200},
		"putRole":         {token: "owner", prepare: (*matrix).role, status: 200, body: `{"permissions":["budget.read"],"description":"d"}`, other: `{"permissions":[]}`},
		"deleteRole":      {token: "owner", prepare: (*matrix).role, status: 204},
		"getAccess":       {token: "super", without: map[string]string{"good": "its question is in the query; see TestAccess"}},
		"listPermissions": {token: "agent", status: 200},

		"listAgents":       {token: "owner", status: 200},
		"createAgent":      {token: "owner", status: 201, body: `{"name":"n","roles":["agent"],"workflows":["w"]}`, other: `{"name":"m"}`},
		"getAgent":         {token: "owner", prepare: (*matrix).newAgent, status: 200},
		"removeAgent":      {token: "owner", prepare: (*matrix).newAgent, status: 204},
		"createAgentToken": {token: "owner", prepare: (*matrix).newAgent, status: 201, body: `{"name":"n"}`, other: `{"name":"m"}`},
		"revokeToken":      {token: "owner", prepare: (*matrix).token, status: 204, lacking: "404 not_found"},
	}
}

// savedSearch is one of the auditor's.
func (m *matrix) savedSearch() map[string]string {
	made := m.must(201, "POST", "/v1/workspaces/acme/searches", m.auditor, `{"name":"`+m.unique("s")+`","q":"outcome:denied"}`)
	return map[string]string{"id": made.text("id")}
}

func searchFixtures() map[string]fixture {
	const question = `"q":"outcome:denied","filters":{"action":["payment.*"]},"saved":"{id}","from":"2026-01-01T00:00:00Z","to":"2999-01-01T00:00:00Z"`
	return map[string]fixture{
		"getMe":      {token: "agent", status: 200},
		"listTokens": {token: "owner", status: 200},

		"filterEvents": {token: "auditor", status: 200},
		"searchEvents": {token: "auditor", prepare: (*matrix).savedSearch, status: 200, body: `{` + question + `,"order":"oldest","limit":5,"open":{"reason":"why"}}`},
		"searchFacets": {token: "auditor", prepare: (*matrix).savedSearch, status: 200, body: `{` + question + `,"fields":["action"],"top":3}`},
		"searchHistogram": {token: "auditor", prepare: (*matrix).savedSearch, status: 200, body: `{` + question + `,"every":86400}`,
			without: map[string]string{"good": "a span of a day is too short for a thousand years; see TestSearch"}},
		"exportSearch": {token: "auditor", prepare: (*matrix).savedSearch, status: 200, body: `{` + question + `,"order":"oldest","format":"csv","reason":"why"}`,
			other: `{"q":"","format":"ndjson","reason":"because"}`},
		"tailSearch": {token: "auditor", prepare: (*matrix).savedSearch, status: 200, body: `{"q":"outcome:denied","filters":{"action":["payment.*"]},"saved":"{id}","after":"1"}`,
			without: map[string]string{"good": "it does not end; see TestTail"}},

		"listSearches": {token: "auditor", status: 200},
		"saveSearch":   {token: "auditor", status: 201, body: `{"name":"n","q":"outcome:denied","order":"oldest"}`, other: `{"name":"m","q":""}`},
		"getSearch":    {token: "auditor", prepare: (*matrix).savedSearch, status: 200},
		"deleteSearch": {token: "auditor", prepare: (*matrix).savedSearch, status: 204},

		"getRetention": {token: "auditor", status: 200},
		"putRetention": {token: "owner", status: 200, body: `{"classes":[{"class":"content","days":90}]}`, other: `{"classes":[]}`},
		"getStatus":    {token: "agent", status: 200},
		"rebuildIndex": {token: "operator", status: 503, without: map[string]string{"good": "this server's index is never made again; see cmd/clawledger: TestRebuildTheIndex"}},
	}
}

func workFixtures() map[string]fixture {
	const action = `"action":{"kind":"llm.call","params":{}}`
	return map[string]fixture{
		"listPolicies":       {token: "super", status: 200},
		"evaluatePolicy":     {token: "super", status: 200, body: `{"workflow":"w",` + action + `,"context":{}}`},
		"getPolicy":          {token: "super", prepare: (*matrix).policy, status: 200},
		"putPolicy":          {token: "owner", prepare: (*matrix).policy, status: 200, body: `{"workflow":"other","mode":"shadow","rules":[],"default":"deny","sandbox":{}}`, other: `{"workflow":"other","mode":"shadow","rules":[],"default":"allow"}`},
		"listPolicyVersions": {token: "super", prepare: (*matrix).policy, status: 200},

		"listBudgets":    {token: "super", status: 200},
		"getBudget":      {token: "super", prepare: (*matrix).budget, status: 200},
		"putBudget":      {token: "owner", prepare: (*matrix).budget, status: 200, body: `{"scope":{"workflow":"other"},"window":"day","timezone":"UTC","limits":{"calls":9},"mode":"observe","alert_at":[50]}`, other: `{"scope":{"workflow":"other"},"window":"day","limits":{"calls":8}}`},
		"deleteBudget":   {token: "owner", prepare: (*matrix).budget, status: 204},
		"getBudgetUsage": {token: "super", prepare: (*matrix).budget, status: 200},
		"getPrices":      {token: "super", status: 200},
		"putPrices":      {token: "owner", status: 200, body: `{"models":{"p":{"prompt_micros_per_million":1,"output_micros_per_million":1}}}`, other: `{"models":{}}`},

		"listExecutions":    {token: "super", status: 200},
		"requestExecution":  {token: "agent", status: 201, body: `{"workflow":"w",` + action + `,"subject":"s","context":{}}`, other: `{"workflow":"x",` + action + `}`},
		"getExecution":      {token: "super", prepare: (*matrix).requested, status: 200, lacking: "404 not_found"},
		"startExecution":    {token: "agent", prepare: (*matrix).requested, status: 200, body: `{"permit":"{permit}",` + action + `}`, other: `{"permit":"{permit}","action":{"kind":"llm.call","params":{"a":1}}}`},
		"requestAction":     {token: "agent", prepare: (*matrix).running, status: 201, body: `{` + action + `,"context":{}}`, other: `{"action":{"kind":"tool.read","params":{}}}`},
		"startAction":       {token: "agent", prepare: (*matrix).furtherAction, status: 200, body: `{"permit":"{permit}",` + action + `}`, other: `{"permit":"{permit}","action":{"kind":"llm.call","params":{"a":1}}}`},
		"completeExecution": {token: "agent", prepare: (*matrix).running, status: 200, body: `{"result":{"a":1},"reason":"r"}`, other: `{"reason":"s"}`},
		"failExecution":     {token: "agent", prepare: (*matrix).running, status: 200, body: `{"result":{"a":1},"reason":"r"}`, other: `{"reason":"s"}`},
		"cancelExecution":   {token: "super", prepare: (*matrix).running, status: 200, body: `{"reason":"r"}`, other: `{"reason":"s"}`, lacking: "403 not_requester"},
		"resolveExecution":  {token: "super", prepare: (*matrix).running, status: 200, body: `{"outcome":"failed","reason":"r"}`, other: `{"outcome":"unknown","reason":"r"}`},
		"resolvePrompt": {token: "super", prepare: (*matrix).prompt, status: 200, body: `{"usage":{"prompt_tokens":1,"output_tokens":1},"cost_micros":1,"reason":"r"}`,
			other: `{"reason":"s"}`},

		"recordPrompt": {token: "agent", prepare: (*matrix).running, status: 201, body: `{"model":"m","provider":"p","messages":[{"role":"user","content":"c"}],"prompt_tokens":1,"max_output_tokens":1,"subject":"s"}`,
			other: `{"model":"m","content":"c","max_output_tokens":2}`},
		"recordCompletion": {token: "agent", prepare: (*matrix).prompt, status: 201, body: `{"content":"c","usage":{"prompt_tokens":1,"output_tokens":1},"cost_micros":1,"finish_reason":"stop"}`,
			other: `{"content":"d","usage":{"prompt_tokens":1,"output_tokens":1},"finish_reason":"stop"}`},
		"failPrompt": {token: "agent", prepare: (*matrix).prompt, status: 201, body: `{"reason":"r"}`, other: `{"reason":"s"}`},

		"listApprovals":  {token: "super", status: 200, without: map[string]string{"permission": "whoever may read none is shown its own"}},
		"getApproval":    {token: "super", prepare: (*matrix).approval, status: 200, lacking: "404 not_found"},
		"decideApproval": {token: "super", prepare: (*matrix).approval, status: 200, body: `{"decision":"deny","reason":"r","action_digest":"{digest}"}`, other: `{"decision":"deny","reason":"s","action_digest":"{digest}"}`},

		"listWebhooks": {token: "owner", status: 200},
		"createWebhook": {token: "owner", status: 201, body: `{"url":"https://hooks.example.com/claw","types":["approval.requested"],"description":"d","disabled":true}`,
			other: `{"url":"https://hooks.example.com/other"}`},
		"getWebhook": {token: "owner", prepare: (*matrix).webhook, status: 200},
		"putWebhook": {token: "owner", prepare: (*matrix).webhook, status: 200, body: `{"url":"https://hooks.example.com/claw","types":["budget.alerted"],"description":"d","disabled":true}`,
			other: `{"url":"https://hooks.example.com/other"}`},
		"removeWebhook":       {token: "owner", prepare: (*matrix).webhook, status: 204},
		"rotateWebhookSecret": {token: "owner", prepare: (*matrix).webhook, status: 200},
		"testWebhook":         {token: "owner", prepare: (*matrix).webhook, status: 202},
		"listDeliveries":      {token: "owner", prepare: (*matrix).webhook, status: 200},

		"withdrawApproval": {token: "super", prepare: (*matrix).approval, status: 200, body: `{"reason":"r"}`, other: `{"reason":"s"}`, lacking: "404 not_found"},

		"listDelegations": {token: "agent", status: 200},
		"createDelegation": {token: "super", prepare: (*matrix).absence, status: 201, body: `{"to":"{to}","roles":["operations_supervisor"],"start":"{start}","until":"{until}","reason":"r"}`,
			other: `{"to":"{to}","until":"{until}"}`},
		"endDelegation": {token: "super", prepare: (*matrix).delegation, status: 204},

		"listGrants": {token: "super", status: 200},
		"giveGrant": {token: "super", status: 201, body: `{"kinds":["communication.send"],"workflows":["w"],"agents":["ag_1"],"when":"true","max_uses":1,"until":"` + soon() + `","reason":"r"}`,
			other: `{"kinds":["communication.send"],"max_uses":2,"until":"` + soon() + `","reason":"r"}`},
		"getGrant":    {token: "super", prepare: (*matrix).grant, status: 200},
		"revokeGrant": {token: "super", prepare: (*matrix).grant, status: 204, body: `{"reason":"r"}`, other: `{"reason":"s"}`},

		"listEvents":     {token: "auditor", status: 200},
		"streamEvents":   {token: "auditor", status: 200, without: map[string]string{"good": "it does not end; see TestStreamOfARunningServer"}},
		"getEvent":       {token: "auditor", prepare: (*matrix).event, status: 200},
		"getEventRecord": {token: "auditor", prepare: (*matrix).event, status: 200},
		"openEvents":     {token: "auditor", prepare: (*matrix).event, status: 200, body: `{"ids":["{eid}"],"reason":"why"}`, other: `{"ids":["{eid}"],"reason":"because"}`},
	}
}
