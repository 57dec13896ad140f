package console

import (
	"net/url"
	"testing"

	"github.com/clawoffice/ledger/http/api"
)

func TestGrants(t *testing.T) {
	w := signedIn(t)
	w.operate("communication.send")
	w.must("/console/acme/grants").has(t, "/console/acme/grants/gr_1", "2 of 5", "communication.send")
	w.must("/console/acme/grants?status=revoked").has(t, "No grant is in this state")
	w.api.on("POST /v1/workspaces/acme/grants", 201, api.Grant{ID: "gr_1"})
	done := w.post("/console/acme/grants", "/console/acme/grants", url.Values{"kinds": {"communication.send, table.update"}, "workflows": {""}, "agents": {"ag_1"}, "max_uses": {"20"}, "until": {"2026-12-01T10:00"}, "when": {"true"}, "reason": {"routine"}})
	if done.Header.Get("Location") != "/console/acme/grants/gr_1" {
		t.Fatalf("%d %s", done.StatusCode, done.main())
	}
	if got := w.api.last("POST /v1/workspaces/acme/grants").body; got != `{"agents":["ag_1"],"kinds":["communication.send","table.update"],"max_uses":20,"reason":"routine","until":"2026-12-01T10:00:00Z","when":"true"}` {
		t.Errorf("sent %s", got)
	}
	w.post("/console/acme/grants", "/console/acme/grants", url.Values{"kinds": {"a.b"}, "max_uses": {"many"}, "reason": {"r"}}).has(t, "How often must be a whole number", `value="a.b"`)
	w.post("/console/acme/grants", "/console/acme/grants", url.Values{"kinds": {"a.b"}, "max_uses": {"1"}}).has(t, "A reason is needed")
	w.must("/console/acme/grants/gr_1").has(t, "/console/acme/executions/ex_1", "Revoke the grant", `max="5" value="2"`)
	w.api.on("DELETE /v1/workspaces/acme/grants/gr_1", 204, nil)
	w.post("/console/acme/grants/gr_1", "/console/acme/grants/gr_1/revoke", url.Values{"reason": {"over"}})
	if got := w.api.last("DELETE /v1/workspaces/acme/grants/gr_1").body; got != `{"reason":"over"}` {
		t.Errorf("sent %s", got)
	}
	w.api.on("GET /v1/workspaces/acme/grants", 200, api.GrantList{})
	w.must("/console/acme/grants").has(t, "Nothing is approved in advance")
}

func TestDelegations(t *testing.T) {
	w := signedIn(t)
	w.populate("Bo")
	w.operate("owner")
	page := w.must("/console/acme/delegations")
	page.has(t, "/console/acme/delegations/dg_1/end", "/console/acme/people/members/mb_bo", "you", `<option value="mb_bo"`)
	w.api.on("POST /v1/workspaces/acme/delegations", 201, api.Delegation{ID: "dg_2"})
	w.post("/console/acme/delegations", "/console/acme/delegations", url.Values{"to": {"mb_bo"}, "until": {"2026-12-01T10:00"}, "roles": {"owner"}, "reason": {"holiday"}})
	if got := w.api.last("POST /v1/workspaces/acme/delegations").body; got != `{"reason":"holiday","roles":["owner"],"to":"mb_bo","until":"2026-12-01T10:00:00Z"}` {
		t.Errorf("sent %s", got)
	}
	w.api.on("DELETE /v1/workspaces/acme/delegations/dg_1", 204, nil)
	w.post("/console/acme/delegations", "/console/acme/delegations/dg_1/end", nil)
	w.must("/console/acme/delegations").has(t, "Ended. Nobody votes under it any more.")
	w.api.on("GET /v1/workspaces/acme/delegations", 200, api.DelegationList{})
	w.must("/console/acme/delegations").has(t, "Nobody stands in for anybody")
}
