package http

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
)

const (
	executionsPath  = "/v1/workspaces/acme/executions"
	delegationsPath = "/v1/workspaces/acme/delegations"
	transfer        = `{"kind":"payment.initiate","params":{"amount":12,"to":"DE02 <&> ü"}}`
)

// waiting is an action that waits for approval, as its requester was answered.
type waiting struct{ execution, approval, digest string }

func (w *world) waits(token string) waiting {
	w.t.Helper()
	made := w.must(201, "POST", executionsPath, token, `{"workflow":"invoices","action":`+transfer+`}`)
	return waiting{made.text("id"), made.text("approval_id"), made.text("action_digest")}
}

// ballot is the body of a decision.
func ballot(decision, digest, onBehalf string) string {
	if onBehalf != "" {
		onBehalf = `,"on_behalf_of":"` + onBehalf + `"`
	}
	return `{"decision":"` + decision + `","reason":"seen","action_digest":"` + digest + `"` + onBehalf + `}`
}

func (a waiting) decision() string { return inboxPath + "/" + a.approval + "/decision" }

// Two hundred starts with one permit that humans approved: one 200, and 409 to
// all the others; another action is not started with it at any time.
func TestOnePermitOverHTTP(t *testing.T) {
	w := newWorld(t)
	ask := w.waits(w.agent)
	w.must(200, "POST", ask.decision(), w.super, ballot("approve", ask.digest, ""))
	permit := w.must(200, "GET", executionsPath+"/"+ask.execution, w.agent, "").text("permit")
	start := func(action string) answer {
		return w.do("POST", executionsPath+"/"+ask.execution+"/start", w.agent, `{"permit":"`+permit+`","action":`+action+`}`)
	}
	if got := start(`{"kind":"payment.initiate","params":{"amount":13,"to":"DE02 <&> ü"}}`); got.status != 409 || got.text("code") != "action_changed" {
		t.Errorf("changed params: %d %s", got.status, got.raw)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	begin, ended := make(chan struct{}), map[string]int{}
	for range 200 {
		all.Go(func() {
			<-begin
			got := start(transfer)
			mu.Lock()
			defer mu.Unlock()
			ended[fmt.Sprint(got.status, " ", got.text("code"))]++
		})
	}
	close(begin)
	all.Wait()
	if diff := cmp.Diff(map[string]int{"200 ": 1, "409 permit_used": 199}, ended); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each way to decide or start wrongly has its own answer.
func TestDecisionsRefused(t *testing.T) {
	w := newWorld(t)
	ask := w.waits(w.agent)
	w.refused(409, "action_changed", "POST", ask.decision(), w.super, ballot("approve", w.waits(w.agent).digest, ""))
	w.refused(403, "permission_denied", "POST", ask.decision(), w.agent, ballot("approve", ask.digest, ""))

	mine := w.waits(w.owner)
	w.refused(403, "requester_may_not_decide", "POST", mine.decision(), w.owner, ballot("approve", mine.digest, ""))

	w.must(200, "POST", ask.decision(), w.super, ballot("approve", ask.digest, ""))
	permit := w.must(200, "GET", executionsPath+"/"+ask.execution, w.agent, "").text("permit")
	w.ahead.Store(int64(16 * time.Minute))
	w.refused(409, "permit_expired", "POST", executionsPath+"/"+ask.execution+"/start", w.agent, `{"permit":"`+permit+`","action":`+transfer+`}`)

	w.ahead.Store(int64(25 * time.Hour))
	w.refused(409, "approval_expired", "POST", mine.decision(), w.super, ballot("approve", mine.digest, ""))
	if got := w.must(200, "GET", executionsPath+"/"+mine.execution, w.owner, ""); got.text("status") != "denied" {
		t.Errorf("after the expiry the execution is %s", got.text("status"))
	}
}

// What an approval shows is all that its digest covers, so that a person's
// client can take the digest itself.
func TestApprovalShowsWhatWillRun(t *testing.T) {
	w := newWorld(t)
	ask := w.waits(w.agent)
	shown := w.must(200, "GET", inboxPath+"/"+ask.approval, w.super, "")
	params, err := json.Marshal(shown.at("action", "params"))
	if err != nil {
		t.Fatal(err)
	}
	version, _ := shown.at("version").(float64)
	digest, err := ledgercrypto.ActionDigest("acme", domain.ExecutionID(shown.text("execution")), domain.ActionKind(shown.text("action", "kind")), params,
		domain.PolicyID(shown.text("policy")), int(version))
	if err != nil || string(digest) != ask.digest || shown.text("action_digest") != ask.digest {
		t.Errorf("the digest of what is shown is %s (%v), the action's %s", digest, err, ask.digest)
	}
	if shown.text("action", "params", "to") != "DE02 <&> ü" {
		t.Errorf("the params are shown as %s", params)
	}
}

// delegates has the supervisor's place taken, and answers the delegation.
func (w *world) delegates(token, to string, more string) string {
	w.t.Helper()
	return w.must(201, "POST", delegationsPath, token, `{"to":"`+to+`","until":"`+inDays(3)+`"`+more+`}`).text("id")
}

func TestStandingInOverHTTP(t *testing.T) {
	w := newWorld(t)
	tess, tessID := w.join("tess@acme.test", "Tess", "operations_supervisor")
	ask := w.waits(w.agent)
	w.refused(403, "delegation_required", "POST", ask.decision(), tess, ballot("approve", ask.digest, w.superID))
	w.delegates(w.super, tessID, `,"roles":["operations_supervisor"],"reason":"leave"`)
	w.refused(409, "delegation_exists", "POST", delegationsPath, w.super, `{"to":"`+tessID+`","until":"`+inDays(2)+`"}`)
	w.refused(400, "delegation_invalid", "POST", delegationsPath, w.super, `{"to":"`+w.ownerID+`","until":"`+inDays(91)+`"}`)
	w.refused(400, "delegation_invalid", "POST", delegationsPath, w.super, `{"to":"`+w.ownerID+`","until":"`+inDays(2)+`","roles":["owner"]}`)

	got := w.must(200, "POST", ask.decision(), tess, ballot("approve", ask.digest, w.superID))
	votes := got.at("votes").([]any)
	vote, _ := votes[0].(map[string]any)
	if len(votes) != 1 || vote["by"] != "member:"+tessID || vote["on_behalf_of"] != "member:"+w.superID || got.text("status") != "approved" {
		t.Errorf("the vote is shown as %v, the approval as %s", votes, got.text("status"))
	}
	// The absent member requested this one, so nobody stands in for it here.
	mine := w.waits(w.owner)
	w.delegates(w.owner, tessID, "")
	w.refused(403, "requester_may_not_decide", "POST", mine.decision(), tess, ballot("approve", mine.digest, w.ownerID))
}

func TestDelegationsAreShownAndEnded(t *testing.T) {
	w := newWorld(t)
	tess, tessID := w.join("tess@acme.test", "Tess", "operations_supervisor")
	second := w.delegates(w.super, tessID, `,"start":"`+inDays(1)+`"`)
	first := w.delegates(w.owner, w.superID, "")
	seen := func(token string) (ids []string) {
		for _, item := range w.must(200, "GET", delegationsPath, token, "").at("items").([]any) {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		return ids
	}
	if diff := cmp.Diff([]string{first, second}, seen(tess)); diff != "" {
		t.Errorf("who may read members sees (-want +got):\n%s", diff)
	}
	w.must(200, "PUT", "/v1/workspaces/acme/roles/decider", w.owner, `{"permissions":["approval.decide"]}`)
	dan, danID := w.join("dan@acme.test", "Dan", "decider")
	third := w.delegates(dan, w.superID, "")
	if diff := cmp.Diff([]string{third}, seen(dan)); diff != "" {
		t.Errorf("who may not sees (-want +got):\n%s", diff)
	}
	if ids := seen(w.agent); ids != nil {
		t.Errorf("an agent sees %v", ids)
	}
	w.refused(403, "permission_denied", "DELETE", delegationsPath+"/"+first, dan, "")
	w.refused(404, "delegation_unknown", "DELETE", delegationsPath+"/dg_none", dan, "")
	w.must(204, "DELETE", delegationsPath+"/"+first, w.super, "")  // who stands in
	w.must(204, "DELETE", delegationsPath+"/"+second, w.super, "") // who is absent
	w.must(204, "DELETE", "/v1/workspaces/acme/members/"+danID, w.owner, "")
	if ids := seen(w.owner); ids != nil {
		t.Errorf("%v are left", ids)
	}
	ask := w.waits(w.agent)
	w.refused(403, "delegation_required", "POST", ask.decision(), tess, ballot("approve", ask.digest, w.superID))
}

func TestWithdrawApproval(t *testing.T) {
	w := newWorld(t)
	nobody, _ := w.join("nob@acme.test", "Nob", "auditor")
	for _, row := range []struct{ name, token, by string }{
		{"by its requester", w.agent, "agent:" + w.agentID},
		{"by whoever controls executions", w.super, "member:" + w.superID},
	} {
		t.Run(row.name, func(t *testing.T) {
			ask := w.waits(w.agent)
			path := inboxPath + "/" + ask.approval + "/withdraw"
			w.refused(404, "not_found", "POST", path, nobody, "")
			w.refused(404, "not_found", "POST", inboxPath+"/ap_none/withdraw", row.token, "")
			if got := w.must(200, "POST", path, row.token, `{"reason":"not needed"}`); got.text("status") != "withdrawn" || got.at("roles") != nil {
				t.Errorf("the approval is shown as %s", got.raw)
			}
			if got := w.must(200, "GET", executionsPath+"/"+ask.execution, w.agent, ""); got.text("status") != "denied" {
				t.Errorf("the execution is %s", got.text("status"))
			}
			w.refused(409, "approval_decided", "POST", ask.decision(), w.super, ballot("approve", ask.digest, ""))
			done := w.waits(w.agent)
			w.must(200, "POST", done.decision(), w.super, ballot("deny", done.digest, ""))
			w.refused(409, "approval_decided", "POST", inboxPath+"/"+done.approval+"/withdraw", row.token, "")
		})
	}
}

func TestEscalationIsShown(t *testing.T) {
	w := newWorld(t)
	w.must(200, "PUT", "/v1/workspaces/acme/policies/p", w.owner, `{"workflow":"*","mode":"enforce","default":"allow","rules":[
		{"id":"r","actions":["payment.initiate"],"effect":"require_approval","reason":"money","approval":
		{"roles":["operations_supervisor"],"count":1,"escalate":{"after":"30m","roles":["owner"]}}}]}`)
	ask := w.waits(w.agent)
	before := w.must(200, "GET", inboxPath+"/"+ask.approval, w.owner, "")
	asked, err := time.Parse(time.RFC3339Nano, before.text("requested_at"))
	if err != nil {
		t.Fatal(err)
	}
	due, err := time.Parse(time.RFC3339Nano, before.text("escalates_at"))
	if err != nil || due.Sub(asked) != 30*time.Minute || before.at("escalated") == true || len(before.at("roles").([]any)) != 1 {
		t.Errorf("before: %s", before.raw)
	}
	w.refused(403, "role_required", "POST", ask.decision(), w.owner, ballot("approve", ask.digest, ""))
	w.ahead.Store(int64(31 * time.Minute))
	if after := w.must(200, "GET", inboxPath+"/"+ask.approval, w.owner, ""); after.at("escalated") != true || len(after.at("roles").([]any)) != 2 {
		t.Errorf("after: %s", after.raw)
	}
	if got := w.must(200, "POST", ask.decision(), w.owner, ballot("approve", ask.digest, "")); got.text("status") != "approved" || got.at("escalated") != true {
		t.Errorf("decided: %s", got.raw)
	}
}
