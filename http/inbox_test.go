package http

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const inboxPath = "/v1/workspaces/acme/approvals"

// asks requests an action that needs an approval, and answers the approval.
func (w *world) asks(token, kind, params string) string {
	w.t.Helper()
	made := w.must(201, "POST", "/v1/workspaces/acme/executions", token, `{"workflow":"invoices","action":{"kind":"`+kind+`","params":`+params+`}}`)
	if made.text("approval_id") == "" {
		w.t.Fatalf("nothing waits: %s", made.raw)
	}
	return made.text("approval_id")
}

// decides records a decision on what an approval shows.
func (w *world) decides(status int, token, id, decision string) answer {
	w.t.Helper()
	digest := w.must(200, "GET", inboxPath+"/"+id, w.owner, "").text("action_digest")
	return w.must(status, "POST", inboxPath+"/"+id+"/decision", token, `{"decision":"`+decision+`","reason":"looked at it","action_digest":"`+digest+`"}`)
}

// listed reads a list of approvals to its end, in pages, and answers the ids.
func (w *world) listed(token, query string, limit int) (ids []string) {
	w.t.Helper()
	for cursor := ""; ; {
		path := fmt.Sprintf("%s?limit=%d&min_position=%s&%s", inboxPath, limit, w.head(), query)
		if cursor != "" {
			path += "&cursor=" + url.QueryEscape(cursor)
		}
		page := w.must(200, "GET", path, token, "")
		for _, item := range page.at("items").([]any) {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		if cursor = page.text("next"); cursor == "" {
			return ids
		}
	}
}

func TestApprovalLists(t *testing.T) {
	w := newWorld(t)
	policy := `{"workflow":"invoices","mode":"enforce","default":"allow","rules":[
		{"id":"risky","actions":["payment.initiate"],"when":"true","effect":"require_approval","approval":{"roles":["operations_supervisor"],"count":2,"risk":"high","expires_in":"2h"}},
		{"id":"small","actions":["table.update"],"when":"true","effect":"require_approval","approval":{"roles":["operations_supervisor"],"count":1,"risk":"low","expires_in":"1h"}},
		{"id":"legal","actions":["contract.sign"],"when":"true","effect":"require_approval","approval":{"roles":["admin"],"count":1,"risk":"critical","expires_in":"3h"}}]}`
	w.must(200, "PUT", "/v1/workspaces/acme/policies/p1", w.owner, policy)
	second := w.must(201, "POST", "/v1/workspaces/acme/agents", w.owner, `{"name":"second bot"}`).text("id")
	other := w.must(201, "POST", "/v1/workspaces/acme/agents/"+second+"/tokens", w.owner, `{"name":"t"}`).text("token")
	tess, _ := w.join("tess@acme.test", "Tess", "operations_supervisor")
	audit, _ := w.join("aud@acme.test", "Aud", "auditor")

	risky := w.asks(w.agent, "payment.initiate", `{"n":1}`)
	small := w.asks(other, "table.update", `{"n":2}`)
	legal := w.asks(w.agent, "contract.sign", `{"n":3}`)
	denied := w.asks(w.agent, "table.update", `{"n":4}`)
	w.decides(200, w.super, denied, "deny")

	lists := []struct {
		name, token, query string
		want               []string
	}{
		{"all, newest first", w.super, "", []string{denied, legal, small, risky}},
		{"an auditor's", audit, "", []string{denied, legal, small, risky}},
		{"pending", w.super, "status=pending", []string{legal, small, risky}},
		{"denied", w.super, "status=denied", []string{denied}},
		{"of a requester", w.super, "requester=agent:" + second, []string{small}},
		{"of a kind", w.super, "kind=table.update", []string{denied, small}},
		{"of a risk", w.super, "risk=critical", []string{legal}},
		{"of all that", w.super, "kind=table.update&risk=low&status=denied&requester=agent:" + w.agentID, []string{denied}},
		{"a requester's own", w.agent, "", []string{denied, legal, risky}},
		{"a requester's own, pending", other, "status=pending", []string{small}},
		{"a requester asks for another's", other, "requester=agent:" + w.agentID, nil},
		{"a requester asks for its own", other, "requester=agent:" + second, []string{small}},
		{"mine, first to expire first", w.super, "mine=true", []string{small, risky}},
		{"not only mine", w.super, "mine=false", []string{denied, legal, small, risky}},
		{"mine of a risk", w.super, "mine=true&risk=high", []string{risky}},
		{"mine that are denied", w.super, "mine=true&status=denied", nil},
		{"mine of one who may decide nothing", audit, "mine=true", nil},
		{"mine of an agent", w.agent, "mine=true", nil},
	}
	for _, tt := range lists {
		t.Run(tt.name, func(t *testing.T) {
			for _, limit := range []int{1, 100} {
				if diff := cmp.Diff(tt.want, w.listed(tt.token, tt.query, limit), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("in pages of %d:\n%s", limit, diff)
				}
			}
		})
	}

	w.decides(200, w.super, risky, "approve") // the first of two
	if diff := cmp.Diff([]string{small}, w.listed(w.super, "mine=true", 10)); diff != "" {
		t.Errorf("after a vote:\n%s", diff)
	}
	if diff := cmp.Diff([]string{small, risky}, w.listed(tess, "mine=true", 10)); diff != "" {
		t.Errorf("for who has not voted:\n%s", diff)
	}
	w.decides(200, tess, risky, "approve")
	if diff := cmp.Diff([]string{small}, w.listed(tess, "mine=true", 10)); diff != "" {
		t.Errorf("after it was approved:\n%s", diff)
	}
	if diff := cmp.Diff([]string{risky}, w.listed(w.super, "status=approved", 10)); diff != "" {
		t.Errorf("approved:\n%s", diff)
	}
	one := w.must(200, "GET", inboxPath+"?status=approved&min_position="+w.head(), w.super, "").at("items").([]any)[0].(map[string]any)
	if one["action_digest"] != w.must(200, "GET", inboxPath+"/"+risky, w.super, "").text("action_digest") || len(one["votes"].([]any)) != 2 {
		t.Errorf("an item is not whole: %v", one)
	}
	for _, query := range []string{"cursor=x", "mine=true&cursor=bjAuMQ", "status=sleeping", "risk=none", "mine=perhaps", "min_position=-1"} {
		if a := w.do("GET", inboxPath+"?"+query, w.super, ""); a.status != 400 || a.text("code") != "invalid_parameter" {
			t.Errorf("%s: %d %s", query, a.status, a.raw)
		}
	}
}

// A member's inbox holds what it was delegated while somebody is absent.
func TestInboxOfAStandIn(t *testing.T) {
	w := newWorld(t)
	id := w.asks(w.agent, "payment.initiate", `{}`)
	if got := w.listed(w.owner, "mine=true", 10); len(got) != 0 {
		t.Fatalf("offered without the role: %v", got)
	}
	made := w.must(201, "POST", "/v1/workspaces/acme/delegations", w.super, `{"to":"`+w.ownerID+`","until":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`","reason":"holidays"}`)
	if diff := cmp.Diff([]string{id}, w.listed(w.owner, "mine=true", 10)); diff != "" {
		t.Errorf("in the place of another:\n%s", diff)
	}
	w.must(204, "DELETE", "/v1/workspaces/acme/delegations/"+made.text("id"), w.super, "")
	if got := w.listed(w.owner, "mine=true", 10); len(got) != 0 {
		t.Errorf("offered after the delegation ended: %v", got)
	}
}

// Actions with large parameters end a page early, and none is missed.
func TestLargeApprovalsEndAPageEarly(t *testing.T) {
	w := newWorld(t)
	params := `{"text":"` + strings.Repeat("x", 900<<10) + `"}`
	var want []string
	for range 2*loadsAtOnce + 1 {
		want = append(want, w.asks(w.agent, "payment.initiate", params))
	}
	slices.Reverse(want)
	page := w.must(200, "GET", inboxPath+"?min_position="+w.head(), w.super, "")
	if n := len(page.at("items").([]any)); n != loadsAtOnce || page.text("next") == "" {
		t.Errorf("a page of %d items, next %q", n, page.text("next"))
	}
	if diff := cmp.Diff(want, w.listed(w.super, "", 1000)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(w.listed(w.super, "mine=true", 2), w.listed(w.super, "mine=true", 1000)); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkApprovalList answers a page of 100 whole approvals.
func BenchmarkApprovalList(b *testing.B) {
	w := newWorld(b)
	for i := range 200 {
		w.asks(w.agent, "payment.initiate", fmt.Sprintf(`{"n":%d}`, i))
	}
	for _, query := range []string{"status=pending", "mine=true"} {
		b.Run(query, func(b *testing.B) {
			head := w.head()
			for b.Loop() {
				w.must(200, "GET", inboxPath+"?limit=100&min_position="+head+"&"+query, w.super, "")
			}
		})
	}
}
