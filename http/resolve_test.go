package http

import (
	"slices"
	"strings"
	"testing"
)

// unresolvedIDs lists the executions that are unresolved, as of now.
func (w *world) unresolvedIDs(position string) (ids []string) {
	w.t.Helper()
	list := w.must(200, "GET", "/v1/workspaces/acme/executions?unresolved=true&min_position="+position, w.super, "")
	for _, item := range list.at("items").([]any) {
		e := item.(map[string]any)
		if e["unresolved"] != true {
			w.t.Errorf("listed as unresolved is %v", e)
		}
		ids = append(ids, e["id"].(string))
	}
	return ids
}

func (w *world) positionAfter(a answer) string { return a.header.Get("Ledger-Position") }

// What was started and never closed stays visible until somebody says what
// became of it.
func TestUnresolved(t *testing.T) {
	w := newWorld(t)
	left, done, open := w.started(), w.started(), w.started()
	prompt := w.must(201, "POST", "/v1/workspaces/acme/executions/"+open+"/prompts", w.agent, `{"model":"m","content":"c","max_output_tokens":10}`).text("prompt_id")
	w.must(200, "POST", "/v1/workspaces/acme/executions/"+done+"/complete", w.agent, "")
	last := w.must(200, "POST", "/v1/workspaces/acme/executions/"+open+"/complete", w.agent, "")
	got := w.unresolvedIDs(w.positionAfter(last))
	slices.Sort(got)
	want := []string{left, open}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("unresolved are %v, want %v", got, want)
	}
	if metrics := w.must(200, "GET", "/metrics", "", ""); !strings.Contains(string(metrics.raw), "\nclawledger_unresolved_executions 2\n") {
		t.Error("the gauge does not say 2")
	}
	if n := w.must(200, "GET", "/readyz", w.operator, "").at("unresolved_executions"); n != 2.0 {
		t.Errorf("the health page says %v to the operator, want 2", n)
	}
	if n := w.must(200, "GET", "/readyz", "", "").at("unresolved_executions"); n != nil {
		t.Errorf("the health page says %v to anybody", n)
	}
	if e := w.must(200, "GET", "/v1/workspaces/acme/executions/"+left, w.super, ""); e.at("unresolved") != true || e.at("outcome") != nil {
		t.Errorf("the execution shows %v, %v", e.at("unresolved"), e.at("outcome"))
	}

	why := `{"outcome":"failed","reason":"the bank has no such payment"}`
	w.refused(403, "permission_denied", "POST", "/v1/workspaces/acme/executions/"+left+"/resolve", w.agent, why)
	w.refused(400, "invalid_body", "POST", "/v1/workspaces/acme/executions/"+left+"/resolve", w.super, `{"outcome":"failed"}`)
	w.refused(400, "invalid_body", "POST", "/v1/workspaces/acme/executions/"+left+"/resolve", w.super, `{"outcome":"failed","reason":""}`)
	w.refused(400, "invalid_body", "POST", "/v1/workspaces/acme/executions/"+left+"/resolve", w.super, `{"outcome":"perhaps","reason":"r"}`)
	w.refused(409, "execution_ended", "POST", "/v1/workspaces/acme/executions/"+open+"/resolve", w.super, why)
	w.refused(404, "not_found", "POST", "/v1/workspaces/acme/executions/ex_none/resolve", w.super, why)
	w.must(200, "POST", "/v1/workspaces/acme/executions/"+left+"/resolve", w.super, why)
	shown := w.must(200, "GET", "/v1/workspaces/acme/executions/"+left, w.super, "")
	if shown.text("status") != "resolved" || shown.text("outcome") != "failed" || shown.at("unresolved") != nil || shown.text("ended_at") == "" {
		t.Errorf("it shows %s", shown.raw)
	}
	history := shown.at("history").([]any)
	if e := history[len(history)-1].(map[string]any); e["actor"] != "member:"+w.superID || !strings.Contains(string(shown.raw), "the bank has no such payment") {
		t.Errorf("the history ends with %v", e)
	}

	closed := w.must(200, "POST", "/v1/workspaces/acme/executions/"+open+"/prompts/"+prompt+"/resolve", w.super, `{"usage":{"prompt_tokens":0,"output_tokens":0},"reason":"it was refused"}`)
	if closed.text("status") != "resolved" || closed.text("prompt_id") != prompt {
		t.Errorf("answered %s", closed.raw)
	}
	w.refused(409, "prompt_closed", "POST", "/v1/workspaces/acme/executions/"+open+"/prompts/"+prompt+"/resolve", w.super, `{"reason":"r"}`)
	if rest := w.unresolvedIDs(w.positionAfter(closed)); len(rest) != 0 {
		t.Errorf("still unresolved are %v", rest)
	}
	resolved := w.must(200, "GET", "/v1/workspaces/acme/executions?status=resolved", w.super, "")
	if items := resolved.at("items").([]any); len(items) != 1 || items[0].(map[string]any)["id"] != left {
		t.Errorf("by status there are %s", resolved.raw)
	}
}

// An agent that was given the right to control executions by a role can't say
// what became of one: that is a person's word.
func TestAgentsResolveNothing(t *testing.T) {
	w := newWorld(t)
	id := w.started()
	w.must(200, "PUT", "/v1/workspaces/acme/roles/controller", w.owner, `{"permissions":["execution.control","execution.request"]}`)
	bot := w.must(201, "POST", "/v1/workspaces/acme/agents", w.owner, `{"name":"controller","roles":["controller"]}`).text("id")
	token := w.must(201, "POST", "/v1/workspaces/acme/agents/"+bot+"/tokens", w.owner, `{"name":"t"}`).text("token")
	w.refused(403, "human_required", "POST", "/v1/workspaces/acme/executions/"+id+"/resolve", token, `{"outcome":"completed","reason":"I did it"}`)
}

// Usage of nothing is settled as one call; no usage gives the reservation back.
func TestResolvedUsage(t *testing.T) {
	w := newWorld(t)
	w.must(200, "PUT", "/v1/workspaces/acme/budgets/calls", w.owner, `{"scope":{"workspace":true},"window":"day","limits":{"calls":10}}`)
	id := w.started()
	prompt := func() string {
		return w.must(201, "POST", "/v1/workspaces/acme/executions/"+id+"/prompts", w.agent, `{"model":"m","content":"c","max_output_tokens":10}`).text("prompt_id")
	}
	calls := func() (used, reserved any) {
		for _, l := range w.must(200, "GET", "/v1/workspaces/acme/budgets/calls/usage", w.super, "").at("lines").([]any) {
			if line := l.(map[string]any); line["amount"] == "calls" {
				return line["used"], line["reserved"]
			}
		}
		return nil, nil
	}
	first, second := prompt(), prompt()
	w.must(200, "POST", "/v1/workspaces/acme/executions/"+id+"/prompts/"+first+"/resolve", w.super, `{"reason":"not sent"}`)
	if used, reserved := calls(); used != 0.0 || reserved != 1.0 {
		t.Errorf("after one was given back %v are used and %v reserved", used, reserved)
	}
	w.must(200, "POST", "/v1/workspaces/acme/executions/"+id+"/prompts/"+second+"/resolve", w.super, `{"usage":{"prompt_tokens":0,"output_tokens":0},"reason":"sent, says the provider"}`)
	if used, reserved := calls(); used != 1.0 || reserved != 0.0 {
		t.Errorf("after one was settled %v are used and %v reserved", used, reserved)
	}
}
