package console

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/clawoffice/ledger/http/api"
)

func TestExecutions(t *testing.T) {
	w := signedIn(t)
	w.operate("invoices")
	page := w.must("/console/acme/executions?status=started&workflow=invoices&requester=agent%3Aag_1")
	page.has(t, "/console/acme/executions/ex_1", "no outcome", "1 h 0 min so far", "cursor=cur", `aria-current="true">started`, "/console/acme/executions?workflow=invoices")
	q := w.api.last("GET /v1/workspaces/acme/executions").URL.Query()
	if q.Get("status") != "started" || q.Get("workflow") != "invoices" || q.Get("requester") != "agent:ag_1" || q.Has("unresolved") {
		t.Errorf("asked %v", q)
	}
	w.must("/console/acme/executions?unresolved=true&actor=agent%3Aag_2&cursor=c2").has(t, "Back to the newest")
	if q = w.api.last("GET /v1/workspaces/acme/executions").URL.Query(); q.Get("unresolved") != "true" || q.Get("requester") != "agent:ag_2" || q.Get("cursor") != "c2" {
		t.Errorf("asked %v", q)
	}
	w.api.on("GET /v1/workspaces/acme/executions", 200, api.ExecutionList{})
	w.must("/console/acme/executions").has(t, "Nothing has run yet")
	w.must("/console/acme/executions?status=failed").has(t, "No execution fits these filters")
	w.api.on("GET /v1/workspaces/acme/executions", 503, problem(503, "stale_model", "The lists are behind."))
	if page = w.get("/console/acme/executions"); page.StatusCode != 503 {
		t.Errorf("answered %d", page.StatusCode)
	}
	page.has(t, "The lists are behind.", "req-1")
}

func TestAnExecutionFromRequestToOutcome(t *testing.T) {
	w := signedIn(t)
	w.operate("invoices")
	page := w.must("/console/acme/executions/ex_1")
	page.has(t, "Asked to run invoices", "The policies were asked again", "/console/acme/approvals/ap_2", `<span class="tag allow">approved</span>`, `<span class="tag ">open</span>`,
		"/console/acme/policies/invoices#rule-invoices", "rule=invoices", "0.0042 EUR", "31</a> tokens in, 20 out", "143 bytes of content", "/console/acme/events/018f3c5e-0000-8000-8000-000000000004",
		"/console/acme/search?execution=ex_1&amp;type=budget.settled.v1", "/console/acme/search?execution=ex_1&amp;type=execution.completion_recorded.v1", "/console/acme/search?execution=ex_1&amp;type=execution.prompt_recorded.v1",
		"A prompt has no recorded outcome.", "+ 1.0 s", "execution.invoices.v1", "/console/acme/executions/ex_1/prompts/pr_2/resolve", "What the agent said beside it")
	w.api.on("GET /v1/workspaces/acme/search", 503, problem(503, "index_unavailable", "Not now."))
	w.must("/console/acme/executions/ex_1").has(t, "not known", "Asked to run invoices")
	w.api.on("GET /v1/workspaces/acme/executions/ex_1", 404, problem(404, "not_found", "There is no such thing here."))
	if page = w.get("/console/acme/executions/ex_1"); page.StatusCode != 404 {
		t.Errorf("answered %d", page.StatusCode)
	}
}

func TestClosingAnExecution(t *testing.T) {
	w := signedIn(t)
	w.operate("invoices")
	at := "/console/acme/executions/ex_1"
	w.api.on("POST /v1/workspaces/acme/executions/ex_1/resolve", 200, api.ExecutionChanged{ID: "ex_1", Status: "resolved"})
	w.api.on("POST /v1/workspaces/acme/executions/ex_1/cancel", 200, api.ExecutionChanged{ID: "ex_1", Status: "cancelled"})
	w.api.on("POST /v1/workspaces/acme/executions/ex_1/prompts/pr_2/resolve", 200, api.PromptResolved{PromptID: "pr_2"})
	if done := w.post(at, at+"/resolve", url.Values{"outcome": {"failed"}, "reason": {" seen in the bank "}}); done.Header.Get("Location") != at {
		t.Fatalf("%d %s", done.StatusCode, done.main())
	}
	if got := w.api.last("POST /v1/workspaces/acme/executions/ex_1/resolve").body; got != `{"outcome":"failed","reason":"seen in the bank"}` {
		t.Errorf("sent %s", got)
	}
	w.must(at).has(t, "The execution is closed")
	w.post(at, at+"/cancel", url.Values{"reason": {"twice"}})
	if got := w.api.last("POST /v1/workspaces/acme/executions/ex_1/cancel").body; got != `{"reason":"twice"}` {
		t.Errorf("sent %s", got)
	}
	w.post(at, at+"/prompts/pr_2/resolve", url.Values{"reason": {"bill"}, "in": {"10"}, "out": {"20"}, "cost": {"0.5"}})
	if got := w.api.last("POST /v1/workspaces/acme/executions/ex_1/prompts/pr_2/resolve").body; got != `{"cost_micros":500000,"reason":"bill","usage":{"output_tokens":20,"prompt_tokens":10}}` {
		t.Errorf("sent %s", got)
	}
	w.post(at, at+"/prompts/pr_2/resolve", url.Values{"reason": {"unknown"}})
	if got := w.api.last("POST /v1/workspaces/acme/executions/ex_1/prompts/pr_2/resolve").body; got != `{"reason":"unknown"}` {
		t.Errorf("a prompt of which nothing is known is sent as %s", got)
	}
	calls := len(w.api.calls)
	for path, fields := range map[string]url.Values{"/resolve": {"outcome": {"failed"}}, "/cancel": {"reason": {"  "}}, "/prompts/pr_2/resolve": {"in": {"1"}}} {
		w.post(at, at+path, fields).has(t, "A reason is needed")
	}
	w.post(at, at+"/prompts/pr_2/resolve", url.Values{"reason": {"x"}, "in": {"many"}}).has(t, "Prompt tokens must be a whole number", `value="many"`)
	w.post(at, at+"/prompts/pr_2/resolve", url.Values{"reason": {"x"}, "cost": {"1,5"}}).has(t, "This is no amount", `value="1,5"`)
	for _, c := range w.api.calls[calls:] {
		if c.Method == http.MethodPost {
			t.Errorf("what can't be sent was sent: %s %s", c.URL.Path, c.body)
		}
	}
}
