package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// operate gives the fake API executions, approvals, grants, delegations, budgets
// and prices in which every text is name.
func (w *world) operate(name string) {
	at := day.Add(-time.Hour)
	decision := api.Decision{Effect: "require_approval", Policy: name, Version: 2, Rule: name, Reason: name, Approval: api.ApprovalRequirement{Roles: api.Roles{name}, Count: 1, Risk: "high"},
		Errors: []api.RuleError{{Policy: name, Rule: name, Detail: name}}, Shadow: []api.Shadowed{{Policy: name, Version: 1, Rule: name, Effect: "deny"}}}
	execution := api.Execution{ID: "ex_1", Workflow: name, Status: "started", Requester: "agent:" + name, RequestedAt: at, Unresolved: true, Reason: name,
		Context: raw(map[string]any{name: name}), Prompts: []api.Prompt{{ID: "pr_2", Model: name, Status: "open", RecordedAt: at}}, History: someHistory(name, decision)}
	summary := api.ExecutionSummary{ID: "ex_1", Workflow: name, Kind: name, Status: "started", Requester: "agent:" + name, RequestedAt: at, Unresolved: true}
	ap := someApproval("ap_2", name, map[string]any{"amount": 2, name: name, "more": []any{map[string]any{name: name}}})
	before := someApproval("ap_1", name, map[string]any{"amount": 1, name: "other"})
	before.RequestedAt, before.Status = at.Add(-time.Minute), "denied"
	before.Votes = []api.Vote{{By: "member:" + name, OnBehalfOf: "member:x", Decision: "deny", Reason: name, At: at, Roles: api.Roles{name}}}
	grant := api.Grant{ID: "gr_1", Kinds: []string{name}, Workflows: []string{name, "*"}, Agents: []string{name}, MaxUses: 5, Used: 2, Reason: name, When: name, GivenBy: "member:" + name, GivenAt: at,
		Until: day.Add(time.Hour), Status: "active", Roles: []string{name}, Uses: []api.GrantUse{{Execution: "ex_1", Kind: name, Requester: name, ActionDigest: name, At: at, Use: 1}}}
	delegation := api.Delegation{ID: "dg_1", From: "mb_bo", To: "mb_ada", Reason: name, Roles: []string{name}, Start: at, Until: day.Add(time.Hour)}
	budget := someBudget("month", name)
	usage := someUsage(name)
	for pattern, body := range map[string]any{
		"executions": api.ExecutionList{Items: []api.ExecutionSummary{summary}, Next: "cur"}, "executions/ex_1": execution,
		"approvals": api.ApprovalList{Items: []api.Approval{ap, before}}, "approvals/ap_2": ap, "approvals/ap_1": before,
		"grants": api.GrantList{Items: []api.Grant{grant}}, "grants/gr_1": grant, "delegations": api.DelegationList{Items: []api.Delegation{delegation}},
		"budgets": api.BudgetList{Items: []api.Budget{budget}}, "budgets/month": budget, "budgets/month/usage": usage,
		"prices": api.PriceTable{Version: 4, Models: map[string]api.Price{name: {PromptMicrosPerMillion: 2_500_000, OutputMicrosPerMillion: 10_000_000, MicrosPerCall: 1}}},
		"search": api.SearchResult{Items: []api.SearchHit{{Type: "budget.settled.v1", Model: name, PromptTokens: 31, OutputTokens: 20, CostMicros: 4200}}},
	} {
		w.api.on("GET /v1/workspaces/acme/"+pattern, 200, body)
	}
}

func raw(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func someHistory(name string, d api.Decision) []api.HistoryEntry {
	at := day.Add(-time.Hour)
	var out []api.HistoryEntry
	add := func(kind string, event map[string]any) {
		out = append(out, api.HistoryEntry{ID: "018f3c5e-0000-8000-8000-00000000000" + string(rune('0'+len(out))), Type: "execution." + kind + ".v1", Actor: "agent:" + name, Time: at.Add(time.Duration(len(out)) * time.Second), Event: raw(event)})
	}
	add("requested", map[string]any{"workflow": name, "action": map[string]any{"id": "ac_1", "kind": name, "params": map[string]any{name: name}}, "decision": d, "approval": "ap_2"})
	add("action_authorized", map[string]any{"action": "ac_1", "approval": "ap_2", "permit": map[string]any{"id": name, "expires_at": at}})
	add("action_started", map[string]any{"action": "ac_1", "permit": name, "decision": d})
	add("prompt_recorded", map[string]any{"prompt": "pr_1", "model": name, "provider": name, "prompt_tokens": 30, "max_output_tokens": 100, "cost_micros": 9000, "content": map[string]any{"size": 143}})
	add("completion_recorded", map[string]any{"prompt": "pr_1", "usage": map[string]any{"prompt_tokens": 31, "output_tokens": 20}, "finish_reason": name, "content": map[string]any{"size": 9}})
	add("prompt_recorded", map[string]any{"prompt": "pr_2", "model": name, "prompt_tokens": 5, "max_output_tokens": 6})
	add(name, map[string]any{"reason": name})
	return out
}

func someApproval(id, name string, params map[string]any) api.Approval {
	a := api.Approval{ID: id, Status: "pending", Workflow: name, Execution: "ex_1", Requester: "agent:ag_1", Policy: name, Version: 2, Rule: name, Reason: name,
		Action: api.ActionInput{Kind: "payment.initiate", Params: raw(params)}, RequestedAt: day.Add(-time.Hour), ExpiresAt: day.Add(40 * time.Minute),
		Roles: []string{"owner", name}, Excluded: []string{"member:" + name, "member:" + name}, EscalatesAt: day.Add(10 * time.Minute),
		Requirement: api.ApprovalRequirement{Roles: api.Roles{name}, Count: 2, Risk: "high", Escalate: api.Escalation{After: "10m", Roles: api.Roles{name}}}, Votes: []api.Vote{}}
	a.ActionDigest = digestIn(a)
	return a
}

func digestIn(a api.Approval) string {
	canonical, err := canonicalAction("acme", a.Execution, a.Policy, a.Version, a.Action)
	if err != nil {
		panic(err)
	}
	return sha256Text(canonical)
}

func someBudget(id, name string) api.Budget {
	return api.Budget{ID: id, Version: 3, Window: "month", Timezone: "Europe/Vienna", Mode: "enforce", AlertAt: []int{50, 80}, Limits: api.Limits{CostMicros: n(900_000_000), Calls: n(100)},
		Scope: api.Scope{Workflow: name, Model: name, Agent: "ag_1", Role: name}}
}

func someUsage(name string) api.BudgetUsage {
	start := time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC)
	return api.BudgetUsage{Budget: "month", Version: 3, WindowStart: start, WindowEnd: time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC), StepSeconds: 43200, Overruns: 3, Late: 1,
		Lines: []api.UsageLine{{Amount: "calls", Used: 95, Reserved: 10, Limit: n(100), Free: n(0), Forecast: n(1900)}, {Amount: "prompt_tokens", Used: 31}, {Amount: "output_tokens", Used: 20}, {Amount: "total_tokens", Used: 51},
			{Amount: "cost_micros", Used: 12_300_000, Reserved: 400_000, Limit: n(900_000_000), Free: n(887_300_000), Forecast: n(246_000_000)}},
		Steps:   []api.UsageStep{{Start: start, Calls: 40, CostMicros: 2_300_000}, {Start: start.Add(24 * time.Hour), Calls: 55, CostMicros: 10_000_000}},
		By:      []api.Share{{Actor: "agent:" + name, Model: name, Calls: 95, PromptTokens: 31, OutputTokens: 20, CostMicros: 12_300_000}, {Model: name, Calls: 1}},
		Windows: []api.PastWindow{{Start: start.AddDate(0, -1, 0), End: start, Calls: 7, CostMicros: 1_000_000_000, Overruns: 2}},
		Alerts:  []api.BudgetAlert{{Amount: "cost_micros", Threshold: 50, Used: 450_000_000, Limit: 900_000_000, At: day}}}
}

// operationPages is each page of this part of the console.
func operationPages() []string {
	return []string{"/console/acme/executions", "/console/acme/executions?status=started&workflow=x", "/console/acme/executions/ex_1",
		"/console/acme/approvals", "/console/acme/approvals?mine=true", "/console/acme/approvals?status=denied", "/console/acme/approvals?status=all&risk=high&kind=a&requester=b",
		"/console/acme/approvals/ap_2", "/console/acme/approvals/ap_1", "/console/acme/grants", "/console/acme/grants/gr_1", "/console/acme/delegations",
		"/console/acme/budgets", "/console/acme/budgets?window=month", "/console/acme/budgets/month", "/console/acme/budgets/month?amount=cost_micros",
		"/console/acme/budgets/month/edit", "/console/acme/budgets/new.one/edit", "/console/acme/prices"}
}

func TestHostileTextsInOperations(t *testing.T) {
	w := signedIn(t)
	w.populate("plain")
	w.operate(hostile)
	query := url.Values{"status": {hostile}, "workflow": {hostile}, "requester": {hostile}, "actor": {hostile}, "unresolved": {hostile}, "cursor": {hostile}, "risk": {hostile}, "kind": {hostile},
		"mine": {hostile}, "page": {hostile}, "window": {hostile}, "mode": {hostile}, "amount": {hostile}}
	for _, path := range operationPages() {
		safe(t, w.must(path))
		plain, _, _ := strings.Cut(path, "?")
		safe(t, w.get(plain+"?"+query.Encode()))
	}
}

// TestRefusedOperationsKeepWhatWasTyped refuses each form in turn. What was typed
// is there again, and nothing of it has become markup.
func TestRefusedOperationsKeepWhatWasTyped(t *testing.T) {
	w := signedIn(t)
	w.populate("plain")
	w.operate("plain")
	digest := someApproval("ap_2", "plain", map[string]any{"amount": 2, "plain": "plain", "more": []any{map[string]any{"plain": "plain"}}}).ActionDigest
	for _, tt := range []struct {
		call, from, path string
		fields           url.Values
		kept             []string
	}{
		{"POST executions/ex_1/cancel", "/executions/ex_1", "/executions/ex_1/cancel", url.Values{"reason": {hostile}}, []string{"reason"}},
		{"POST executions/ex_1/resolve", "/executions/ex_1", "/executions/ex_1/resolve", url.Values{"reason": {hostile}, "outcome": {"failed"}}, []string{"reason", `value="failed" required checked`}},
		{"POST executions/ex_1/prompts/pr_2/resolve", "/executions/ex_1", "/executions/ex_1/prompts/pr_2/resolve", url.Values{"reason": {hostile}, "in": {"12"}, "out": {"34"}, "cost": {"0.56"}}, []string{"reason", `value="12"`, `value="34"`, `value="0.56"`}},
		{"POST approvals/ap_2/decision", "/approvals/ap_2", "/approvals/ap_2/decision", url.Values{"decision": {"deny"}, "reason": {hostile}, "digest": {digest}, "on_behalf_of": {"mb_bo"}}, []string{"reason", `value="mb_bo" selected`}},
		{"POST approvals/ap_2/decision", "/approvals/ap_2", "/approvals/ap_2/decision", url.Values{"decision": {"approve"}, "reason": {hostile}, "digest": {digest}, "confirm": {digest[39:]}}, []string{"reason"}},
		{"POST approvals/ap_2/withdraw", "/approvals/ap_2", "/approvals/ap_2/withdraw", url.Values{"reason": {hostile}}, []string{"reason"}},
		{"POST grants", "/grants", "/grants", url.Values{"reason": {hostile}, "kinds": {"a.b"}, "workflows": {"wf"}, "agents": {"ag"}, "max_uses": {"7"}, "until": {"2026-12-01T10:00"}, "when": {hostile}},
			[]string{"reason", `value="a.b"`, `value="wf"`, `value="ag"`, `value="7"`, `value="2026-12-01T10:00"`}},
		{"DELETE grants/gr_1", "/grants/gr_1", "/grants/gr_1/revoke", url.Values{"reason": {hostile}}, []string{"reason"}},
		{"POST delegations", "/delegations", "/delegations", url.Values{"to": {"mb_bo"}, "until": {"2026-12-01T10:00"}, "start": {"2026-11-30T10:00"}, "reason": {hostile}, "roles": {"owner"}},
			[]string{"reason", `value="mb_bo" selected`, `value="2026-12-01T10:00"`, `value="2026-11-30T10:00"`, `value="owner" checked`}},
		{"PUT budgets/month", "/budgets/month", "/budgets/month/edit", url.Values{"etag": {`"3"`}, "workflow": {hostile}, "window": {"day"}, "timezone": {"Europe/Rome"}, "calls": {"5"}, "cost": {"1.5"}, "alert_at": {"10, 20"}, "mode": {"observe"}},
			[]string{`value="day" selected`, `value="Europe/Rome"`, `value="5"`, `value="1.5"`, `value="10, 20"`, `value="observe" selected`, `value="&#34;3&#34;"`}},
		{"DELETE budgets/month", "/budgets/month", "/budgets/month/delete", nil, nil},
		{"PUT prices", "/prices", "/prices", url.Values{"etag": {`"3"`}, "model": {hostile, "m"}, "prompt": {"1", "2"}, "output": {"3", "4"}, "call": {"", "0.5"}}, []string{`value="m"`, `value="0.5"`, `value="3"`}},
	} {
		method, path, _ := strings.Cut(tt.call, " ")
		pattern := method + " /v1/workspaces/acme/" + path
		w.api.on(pattern, 409, api.Problem{Status: 409, Code: "some_code", Title: "T " + hostile, Detail: "D " + hostile, RequestID: hostile, Errors: []api.FieldError{{Pointer: "/reason", Detail: hostile}, {Pointer: "/limits/calls", Detail: hostile}}})
		before := w.api.count(pattern)
		page := w.post("/console/acme"+tt.from, "/console/acme"+tt.path, tt.fields)
		if page.StatusCode != 409 || w.api.count(pattern) != before+1 {
			t.Errorf("%s: answered %d after %d calls\n%s", tt.path, page.StatusCode, w.api.count(pattern)-before, page.main())
		}
		safe(t, page)
		page.has(t, "D &#34;&gt;&lt;script&gt;alert(1)")
		for _, kept := range tt.kept {
			if kept == "reason" {
				kept = "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt; javascript:alert(3) &#39; {{.}} \\u003c"
			}
			page.has(t, kept)
		}
		w.post("/console/acme"+tt.from, "/console/acme"+tt.path, tt.fields)
		if w.api.count(pattern) != before+2 {
			t.Errorf("%s can't be sent again", tt.path)
		}
		if foreign := w.send("/console/acme"+tt.path, url.Values{"reason": {"x"}}); foreign.StatusCode != http.StatusForbidden || w.api.count(pattern) != before+2 {
			t.Errorf("%s without a form token: %d", tt.path, foreign.StatusCode)
		}
		if foreign := w.send("/console/acme"+tt.path, tt.fields, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); foreign.StatusCode != http.StatusForbidden || w.api.count(pattern) != before+2 {
			t.Errorf("%s from another site: %d", tt.path, foreign.StatusCode)
		}
	}
}

// TestOperationsForWhoMayOnlyRead hides what would be refused.
func TestOperationsForWhoMayOnlyRead(t *testing.T) {
	w := signedIn(t)
	w.populate("plain")
	w.operate("plain")
	w.api.permissions = []string{"execution.read", "approval.read", "budget.read", "policy.read"}
	for _, path := range operationPages() {
		if strings.HasSuffix(path, "/edit") {
			continue
		}
		page := w.must(path)
		page.lacks(t, `action="/console/acme/executions/`, `action="/console/acme/approvals/`, `action="/console/acme/grants`, `method="post" action="/console/acme/delegations"`, `action="/console/acme/budgets/`, `method="post" action="/console/acme/prices`, "/console/acme/search?")
	}
	w.must("/console/acme/executions/ex_1").has(t, "not known")
	w.must("/console/acme/approvals/ap_2").has(t, "You do not hold the permission approval.decide.")
	if w.api.count("GET /v1/workspaces/acme/search") != 0 {
		t.Error("the index was asked by somebody who may not search")
	}
}
