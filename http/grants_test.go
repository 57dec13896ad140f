package http

import (
	"strings"
	"testing"
	"time"
)

// lowRisk makes letters need one supervisor, at low risk.
func (w *world) lowRisk() {
	w.t.Helper()
	w.must(200, "PUT", "/v1/workspaces/acme/policies/letters", w.owner, `{"workflow":"invoices","mode":"enforce","default":"allow","rules":[
		{"id":"letters","actions":["communication.send"],"effect":"require_approval",
		 "approval":{"roles":["operations_supervisor"],"count":1,"risk":"low"}}]}`)
}

func TestGrants(t *testing.T) {
	w := newWorld(t)
	const ws = "/v1/workspaces/acme"
	w.lowRisk()
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	body := `{"kinds":["communication.send"],"when":"action.params.amount < 20.0","max_uses":1,"until":"` + until + `","reason":"reminders"}`
	made := w.must(201, "POST", ws+"/grants", w.super, body, "Idempotency-Key", "g")
	if made.text("status") != "active" || made.at("used") != float64(0) || made.at("workflows").([]any)[0] != "*" || made.text("until") != until ||
		made.text("given_by") != "member:"+w.superID || made.at("roles").([]any)[0] != "operations_supervisor" || made.at("revoked_at") != nil {
		t.Errorf("given %s", made.raw)
	}
	if again := w.must(201, "POST", ws+"/grants", w.super, body, "Idempotency-Key", "g"); again.text("id") != made.text("id") {
		t.Errorf("given again %s", again.raw)
	}
	action := func(amount string) string { return `{"kind":"communication.send","params":{"amount":` + amount + `}}` }
	ask := func(amount string) answer {
		return w.must(201, "POST", ws+"/executions", w.agent, `{"workflow":"invoices","action":`+action(amount)+`}`)
	}
	if dear := ask("20"); dear.text("status") != "awaiting_approval" {
		t.Errorf("beyond the condition: %s", dear.raw)
	}
	covered := ask("12")
	if covered.text("status") != "authorized" || covered.text("permit") == "" {
		t.Fatalf("not covered: %s", covered.raw)
	}
	w.must(200, "POST", ws+"/executions/"+covered.text("id")+"/start", w.agent, `{"permit":"`+covered.text("permit")+`","action":`+action("12")+`}`)
	if next := ask("12"); next.text("status") != "awaiting_approval" {
		t.Errorf("beyond the number of uses: %s", next.raw)
	}

	got := w.must(200, "GET", ws+"/grants/"+made.text("id"), w.owner, "")
	uses, _ := got.at("uses").([]any)
	if got.text("status") != "used_up" || got.at("used") != float64(1) || len(uses) != 1 {
		t.Fatalf("grant %s", got.raw)
	}
	use := uses[0].(map[string]any)
	if use["execution"] != covered.text("id") || use["action_digest"] != covered.text("action_digest") || use["requester"] != "agent:"+w.agentID || use["use"] != float64(1) {
		t.Errorf("use %v", use)
	}
	other := w.must(201, "POST", ws+"/grants", w.super, strings.Replace(body, `"max_uses":1`, `"max_uses":5`, 1))
	list := w.must(200, "GET", ws+"/grants", w.owner, "").at("items").([]any)
	if len(list) != 2 || list[0].(map[string]any)["id"] != other.text("id") || list[0].(map[string]any)["uses"] != nil {
		t.Errorf("list %v", list)
	}
	w.must(204, "DELETE", ws+"/grants/"+other.text("id"), w.super, `{"reason":"enough"}`)
	w.must(204, "DELETE", ws+"/grants/"+other.text("id"), w.super, "")
	if gone := w.must(200, "GET", ws+"/grants/"+other.text("id"), w.owner, ""); gone.text("status") != "revoked" || gone.text("revoked_at") == "" {
		t.Errorf("revoked %s", gone.raw)
	}
	if late := ask("12"); late.text("status") != "awaiting_approval" {
		t.Errorf("after the revocation: %s", late.raw)
	}
}

func TestGrantsRefused(t *testing.T) {
	w := newWorld(t)
	const grants = "/v1/workspaces/acme/grants"
	body := func(change ...string) string {
		return strings.NewReplacer(change...).Replace(`{"kinds":["communication.send"],"when":"true","max_uses":1,"until":"` + soon() + `","reason":"r"}`)
	}
	wrong := w.refused(400, "invalid_condition", "POST", grants, w.super, body(`"true"`, `"true &&\n workflow"`))
	if wrong.at("line") != float64(2) || wrong.at("column") != float64(2) || wrong.text("pointer") != "/when" {
		t.Errorf("condition %s", wrong.raw)
	}
	for name, change := range map[string][2]string{
		"over already": {soon(), "2020-01-01T00:00:00Z"},
		"far away":     {soon(), "2999-01-01T00:00:00Z"},
	} {
		if a := w.refused(400, "grant_invalid", "POST", grants, w.super, body(change[:]...)); a.text("pointer") != "/until" {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	for name, change := range map[string][2]string{
		"no kind":       {`["communication.send"]`, `[]`},
		"all kinds":     {"communication.send", "*"},
		"too many uses": {`:1,`, `:10001,`},
		"no reason":     {`"r"`, `""`},
	} {
		if a := w.do("POST", grants, w.super, body(change[:]...)); a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	w.refused(403, "permission_denied", "POST", grants, w.agent, body())
	w.refused(404, "not_found", "GET", grants+"/gr_none", w.super, "")
	w.refused(404, "grant_unknown", "DELETE", grants+"/gr_none", w.super, "")
}
