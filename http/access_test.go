package http

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// rightsIn lists the rights of an answer as actor permission role.
func rightsIn(a answer) []string {
	list := []string{}
	for _, r := range a.at("rights").([]any) {
		right := r.(map[string]any)
		list = append(list, fmt.Sprint(right["actor"], " ", right["permission"], " ", right["role"]))
	}
	return list
}

func (w *world) access(query string, at ...time.Time) answer {
	w.t.Helper()
	for _, t := range at {
		query += "&at=" + url.QueryEscape(t.UTC().Format(time.RFC3339Nano))
	}
	return w.must(200, "GET", "/v1/workspaces/acme/access?"+query, w.super, "")
}

func TestAccess(t *testing.T) {
	w := newWorld(t)
	super, owner, agent := "member:"+w.superID, "member:"+w.ownerID, "agent:"+w.agentID
	what := rightsIn(w.access("actor=" + super))
	if !slices.Contains(what, super+" approval.decide operations_supervisor") || slices.ContainsFunc(what, func(s string) bool { return strings.Contains(s, "policy.write") }) {
		t.Errorf("a supervisor may %v", what)
	}
	who := rightsIn(w.access("permission=approval.decide"))
	slices.Sort(who)
	want := []string{owner + " approval.decide owner", super + " approval.decide operations_supervisor"}
	slices.Sort(want)
	if !slices.Equal(who, want) {
		t.Errorf("approvals are decided by %v, want %v", who, want)
	}
	if both := rightsIn(w.access("actor=" + agent + "&permission=execution.request")); !slices.Equal(both, []string{agent + " execution.request agent"}) {
		t.Errorf("the agent requests by %v", both)
	}
	for _, query := range []string{"actor=" + agent + "&permission=approval.decide", "actor=member:mb_unknown", "actor=operator:operator"} {
		if none := rightsIn(w.access(query)); len(none) != 0 {
			t.Errorf("%s: %v, want none", query, none)
		}
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	_, mia := w.join("mia@acme.test", "Mia", "member")
	w.must(200, "PUT", "/v1/workspaces/acme/members/"+mia+"/roles", w.owner, `{"roles":["auditor"],"until":"`+until.Format(time.RFC3339)+`"}`)
	first := w.access("actor=member:" + mia).at("rights").([]any)[0].(map[string]any)
	if first["granted_by"] != owner || first["until"] != until.Format(time.RFC3339) || first["role"] != "auditor" {
		t.Errorf("a right that ends is shown as %v", first)
	}
}

func TestAccessRefuses(t *testing.T) {
	w := newWorld(t)
	future := url.QueryEscape(time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	for query, code := range map[string]string{
		"":                                   "access_question",
		"at=2026-01-01T00:00:00Z":            "access_question",
		"permission=nothing.such":            "invalid_parameter",
		"permission=Nonsense":                "invalid_parameter",
		"actor=nobody":                       "invalid_parameter",
		"actor=stranger:x":                   "invalid_parameter",
		"permission=role.write&at=" + future: "invalid_parameter",
		"permission=role.write&at=soon":      "invalid_parameter",
	} {
		w.refused(400, code, "GET", "/v1/workspaces/acme/access?"+query, w.owner, "")
	}
	w.refused(403, "permission_denied", "GET", "/v1/workspaces/acme/access?permission=role.write", w.agent, "")
}

// Who held what when: each answer about the past is that of the moment, not
// colored by what came since, and a moment between two changes belongs to the
// earlier one.
func TestAccessHistory(t *testing.T) {
	w := newWorld(t)
	later := func() time.Time { // a moment that no record shares
		time.Sleep(2 * time.Millisecond)
		at := time.Now()
		time.Sleep(2 * time.Millisecond)
		return at
	}
	before := later()
	w.must(200, "PUT", "/v1/workspaces/acme/roles/reader", w.owner, `{"permissions":["budget.read"]}`)
	_, mia := w.join("mia@acme.test", "Mia", "reader")
	joined := later()
	end := time.Now().Add(250 * time.Millisecond)
	w.must(200, "PUT", "/v1/workspaces/acme/members/"+mia+"/roles", w.owner, `{"roles":["reader","auditor"],"until":"`+end.UTC().Format(time.RFC3339Nano)+`"}`)
	promoted := later()
	w.must(200, "PUT", "/v1/workspaces/acme/roles/reader", w.owner, `{"permissions":["policy.read"]}`)
	redefined := later()
	time.Sleep(time.Until(end) + 20*time.Millisecond)
	ended := later()
	w.must(200, "PUT", "/v1/workspaces/acme/members/"+mia+"/roles", w.owner, `{"roles":["member"]}`)
	again := later()
	w.must(204, "DELETE", "/v1/workspaces/acme/members/"+mia, w.owner, "")
	gone := later()

	has := func(at time.Time, permission, role string) bool {
		return slices.Contains(rightsIn(w.access("actor=member:"+mia, at)), "member:"+mia+" "+permission+" "+role)
	}
	for _, row := range []struct {
		name             string
		at               time.Time
		permission, role string
		want             bool
		some             bool // holds any right
	}{
		{"before there was anybody", before, "budget.read", "reader", false, false},
		{"as invited", joined, "budget.read", "reader", true, true},
		{"not yet promoted", joined, "audit.search", "auditor", false, true},
		{"promoted", promoted, "audit.search", "auditor", true, true},
		{"the role as it was", promoted, "budget.read", "reader", true, true},
		{"the role as it was made", redefined, "budget.read", "reader", false, true},
		{"and what it got", redefined, "policy.read", "reader", true, true},
		{"after the end", ended, "policy.read", "reader", false, false},
		{"given anew", again, "member.read", "member", true, true},
		{"removed", gone, "member.read", "member", false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := has(row.at, row.permission, row.role); got != row.want {
				t.Errorf("%s through %s: %v, want %v", row.permission, row.role, got, row.want)
			}
			if some := len(rightsIn(w.access("actor=member:"+mia, row.at))) > 0; some != row.some {
				t.Errorf("holds any right: %v, want %v", some, row.some)
			}
		})
	}
	if who := rightsIn(w.access("permission=audit.search", promoted)); !slices.Contains(who, "member:"+mia+" audit.search auditor") {
		t.Errorf("then the audit was searched by %v", who)
	}
	if now := rightsIn(w.access("actor=member:" + mia)); len(now) != 0 {
		t.Errorf("now it holds %v", now)
	}
	if early := rightsIn(w.access("permission=role.write", time.Now().Add(-24*time.Hour))); len(early) != 0 {
		t.Errorf("before the workspace: %v", early)
	}
}
