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

// hostile is text that would do something if a page took it for markup, an
// address or script.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)> javascript:alert(3) ' {{.}} \u003c`

// populate gives the fake API a workspace in which every text is name.
func (w *world) populate(name string) {
	at, later := day.Add(-time.Hour), day.Add(48*time.Hour)
	member := api.Member{ID: "mb_bo", Status: "joined", Name: name, Email: name, Roles: api.Roles{name, "auditor"}, Until: later, InvitedAt: at, JoinedAt: at}
	removed := api.Member{ID: "mb_gone", Status: "removed", Erased: true, Roles: api.Roles{}}
	agent := api.Agent{ID: "ag_1", Name: name, Roles: api.Roles{name}, Workflows: []string{name, "*"}, Status: api.AgentStatusActive, CreatedAt: at, CreatedBy: "member:" + name}
	builtin := api.Role{Name: "auditor", Description: name, Permissions: []string{"audit.search"}, Builtin: true}
	custom := api.Role{Name: "clerk", Description: name, Permissions: []string{"budget.read", "audit.search"}, Version: 3}
	policy := somePolicy(name, 2)
	w.api.mu.Lock()
	w.api.tokens["clw_hostile"] = api.Token{ID: "tk_h", Actor: "agent:ag_1", Name: name, Status: api.TokenStatusLive, IssuedAt: at, IssuedBy: name, ExpiresAt: later}
	w.api.tokens["clw_bo"] = api.Token{ID: "tk_bo", Actor: "member:mb_bo", Name: name, Status: api.TokenStatusLive, IssuedAt: at, IssuedBy: name}
	w.api.mu.Unlock()
	for pattern, body := range map[string]any{
		"GET members":                    api.MemberList{Items: []api.Member{member, removed}, Next: "cur"},
		"GET members/mb_bo":              member,
		"GET agents":                     api.AgentList{Items: []api.Agent{agent}},
		"GET agents/ag_1":                agent,
		"GET roles":                      api.RoleList{Items: []api.Role{builtin, custom, {Name: name, Description: name, Version: 1, Permissions: []string{}}}},
		"GET roles/clerk":                custom,
		"GET roles/auditor":              builtin,
		"GET permissions":                api.PermissionList{Items: []api.Permission{{Permission: "audit.search", Description: name}, {Permission: "budget.read", Description: name}, {Permission: name, Description: name}}},
		"GET access":                     api.Access{At: day, Rights: []api.Right{{Actor: "member:mb_bo", Permission: "audit.search", Role: name, GrantedBy: "member:" + name, Until: later}}},
		"GET policies":                   api.PolicyList{Items: []api.Policy{policy, somePolicy(name, 1)}},
		"GET policies/invoices":          policy,
		"GET policies/invoices/versions": api.PolicyList{Items: []api.Policy{policy, somePolicy("other", 1)}},
		"POST policies:evaluate": api.Decision{Effect: "require_approval", Policy: "invoices", Version: 2, Rule: "big", Reason: name,
			Approval: api.ApprovalRequirement{Roles: api.Roles{name}, Count: 2, Risk: "high"}, Errors: []api.RuleError{{Policy: name, Rule: name, Detail: name}},
			Shadow: []api.Shadowed{{Policy: name, Version: 1, Rule: name, Effect: "deny"}}},
		"GET status": api.Status{Parts: []api.StatusPart{{Name: name, Reason: name, BehindMs: 2100}, {Name: "access", Ready: true, BehindMs: 3}},
			Index: api.IndexStatus{Engine: "sqlite", Generation: 4, Reason: name, Rebuilding: true, Done: .42, BehindMs: 12}, UnresolvedExecutions: 1234},
	} {
		method, path, _ := strings.Cut(pattern, " ")
		at := "/v1/workspaces/acme/" + path
		if strings.HasPrefix(path, "policies:") {
			at = "/v1/workspaces/acme/" + path
		}
		w.api.on(method+" "+at, 200, body)
	}
	listed := api.MemberList{Items: []api.Member{member, removed}}
	w.api.with("GET /v1/workspaces/acme/members", func(c called) (int, any) {
		out := listed
		if c.URL.Query().Get("cursor") == "" && c.URL.Query().Get("limit") == "100" {
			out.Next = "cur"
		}
		return 200, out
	})
}

func somePolicy(name string, version int) api.Policy {
	return api.Policy{ID: "invoices", Version: version, Digest: strings.Repeat("d", 43), Workflow: name, Mode: "enforce", Default: "deny",
		Sandbox: json.RawMessage(`{"net":"none"}`), WrittenAt: day.Add(-time.Hour), WrittenBy: "member:" + name,
		Rules: []api.PolicyRule{{ID: "small", Actions: []string{"payment.initiate"}, When: "action.params.amount <= 100.0 && '" + name + "' != ''", Effect: "allow", Reason: name},
			{ID: "big", Actions: []string{"*"}, Effect: "require_approval", Approval: api.ApprovalRequirement{Roles: api.Roles{name}, Count: 2, ExpiresIn: "24h",
				SeparationOfDuties: true, Risk: "high", Escalate: api.Escalation{After: "2h", Roles: api.Roles{name}}}}}}
}

// adminPages is each page of this part of the console.
func adminPages() []string {
	return []string{"/console/acme/people", "/console/acme/people?status=joined&role=auditor", "/console/acme/people/invite", "/console/acme/people/members/mb_bo",
		"/console/acme/people/agents", "/console/acme/people/new-agent", "/console/acme/people/agents/ag_1", "/console/acme/people/roles",
		"/console/acme/people/roles/clerk", "/console/acme/people/roles/auditor", "/console/acme/people/new-role", "/console/acme/people/tokens", "/console/acme/people/tokens?status=all&kind=agent",
		"/console/acme/access", "/console/acme/access?actor=member%3Amb_bo", "/console/acme/access?permission=audit.search",
		"/console/acme/access?actor=member%3Amb_bo&permission=audit.search&at=2026-11-01T10%3A00",
		"/console/acme/policies", "/console/acme/policies?mode=enforce", "/console/acme/policies/invoices", "/console/acme/policies/invoices/edit",
		"/console/acme/policies/invoices/versions", "/console/acme/policies/new.one/edit", "/console/acme/health"}
}

// TestHostileTextsComeOutEscaped fills every field that somebody can write with
// markup, and looks at each page for it.
func TestHostileTextsComeOutEscaped(t *testing.T) {
	w := signedIn(t)
	w.populate(hostile)
	query := url.Values{"status": {hostile}, "role": {hostile}, "actor": {hostile}, "permission": {hostile}, "mode": {hostile}, "workflow": {hostile}, "cursor": {hostile}, "at": {hostile}, "from": {hostile}, "to": {hostile}}
	for _, path := range adminPages() {
		safe(t, w.must(path))
		plain, _, _ := strings.Cut(path, "?")
		safe(t, w.get(plain+"?"+query.Encode()))
	}
	safe(t, w.post("/console/acme/policies", "/console/acme/policies", url.Values{"workflow": {hostile}, "action": {`{"kind":"x.y","params":{}}`}, "context": {"{}"}}))
	safe(t, w.post("/console/acme/policies/invoices", "/console/acme/policies/invoices", url.Values{"action": {hostile}, "context": {hostile}}))
}

// TestHostileFormsComeBackEscaped refuses each form, so that it is shown again
// with what was typed and with a problem that repeats it.
func TestHostileFormsComeBackEscaped(t *testing.T) {
	w := signedIn(t)
	w.populate("plain")
	fields := []string{"name", "email", "roles", "until", "etag", "workflows", "days", "description", "permissions", "source", "version", "action", "context", "workflow"}
	for from, change := range map[string]struct{ call, path string }{
		"/console/acme/people/invite":            {"POST members", "/console/acme/people/invite"},
		"/console/acme/people/members/mb_bo":     {"PUT members/mb_bo/roles", "/console/acme/people/members/mb_bo/roles"},
		"/console/acme/people/new-agent":         {"POST agents", "/console/acme/people/new-agent"},
		"/console/acme/people/agents/ag_1":       {"POST agents/ag_1/tokens", "/console/acme/people/agents/ag_1/tokens"},
		"/console/acme/people/roles/clerk":       {"PUT roles/clerk", "/console/acme/people/roles/clerk"},
		"/console/acme/people/new-role":          {"PUT roles/" + hostile, "/console/acme/people/new-role"},
		"/console/acme/policies/invoices/edit":   {"PUT policies/invoices", "/console/acme/policies/invoices/edit"},
		"/console/acme/policies/invoices":        {"POST policies:evaluate", "/console/acme/policies/invoices"},
		"/console/acme/account":                  {"POST members/mb_ada/tokens", "/console/acme/account/tokens"},
		"/console/acme/people/agents":            {"", "/console/acme/people/agents/" + url.PathEscape(hostile) + "/remove"},
		"/console/acme/policies/new.one/edit":    {"PUT policies/new.one", "/console/acme/policies/new.one/edit"},
		"/console/acme/people/members/mb_bo?x=1": {"DELETE members/mb_bo", "/console/acme/people/members/mb_bo/remove"},
	} {
		method, path, _ := strings.Cut(change.call, " ")
		w.api.on(method+" /v1/workspaces/acme/"+path, 400, api.Problem{Status: 400, Code: "invalid_body", Title: hostile, Detail: hostile, RequestID: hostile,
			Errors: []api.FieldError{{Pointer: "/" + hostile, Detail: hostile}, {Pointer: "/name", Detail: hostile}, {Pointer: "/rules/0/when", Detail: hostile}}})
		values := url.Values{}
		for _, f := range fields {
			values.Set(f, hostile)
		}
		page := w.post(from, change.path, values)
		if page.StatusCode < 400 {
			t.Errorf("POST %s: %d", change.path, page.StatusCode)
		}
		safe(t, page)
	}
}

// safe fails if a page has markup that came from hostile.
func safe(t *testing.T, page shown) {
	t.Helper()
	lower := strings.ToLower(page.text)
	for _, wrong := range []string{"<script>alert", "<img", `href="javascript`, `action="javascript`, `src="javascript`, "zgotmplz"} {
		if strings.Contains(lower, wrong) {
			t.Errorf("%s %s has %q:\n%s", page.Request.Method, page.Request.URL.Path, wrong, page.main())
		}
	}
	if strings.Count(lower, "<script ") != strings.Count(lower, "</script>") {
		t.Errorf("%s has a script that is not ours", page.Request.URL.Path)
	}
}

func TestPeople(t *testing.T) {
	w := signedIn(t)
	w.populate("Bo Diddley")
	page := w.must("/console/acme/people?status=joined")
	page.has(t, "Bo Diddley", "/console/acme/people/members/mb_bo", "/console/acme/search?actor=member%3Amb_bo", "erased", "cursor=cur", `aria-current="true">joined`)
	if got := w.api.last("GET /v1/workspaces/acme/members").URL.Query().Get("status"); got != "joined" {
		t.Errorf("asked for the status %q", got)
	}
	page = w.must("/console/acme/people?role=auditor")
	page.has(t, "Bo Diddley")
	page.lacks(t, "erased")
	w.api.on("GET /v1/workspaces/acme/members", 200, api.MemberList{Items: []api.Member{{ID: "mb_1", Name: "Zoe", Status: "joined"}, {ID: "mb_2", Name: "anna", Status: "joined"}}})
	if page = w.must("/console/acme/people"); strings.Index(page.text, "anna") > strings.Index(page.text, "Zoe") {
		t.Error("people stand in the order of their ids")
	}
	w.must("/console/acme/people?role=nobody").has(t, "Nobody fits these filters")
	w.api.on("GET /v1/workspaces/acme/members", 200, api.MemberList{})
	w.must("/console/acme/people").has(t, "Nobody is here yet")
	w.api.on("GET /v1/workspaces/acme/members", 403, problem(403, "permission_denied", "This call needs the permission member.read."))
	if page = w.get("/console/acme/people"); page.StatusCode != http.StatusForbidden {
		t.Errorf("answered %d", page.StatusCode)
	}
	page.has(t, "needs the permission member.read", "req-1")
}

func TestInviting(t *testing.T) {
	w := signedIn(t)
	w.populate("x")
	w.api.on("POST /v1/workspaces/acme/members", 201, api.MemberInvited{ID: "mb_bo", Status: "invited", InvitationToken: "clw_inv", SecretShown: true, ExpiresAt: day.Add(72 * time.Hour)})
	form := url.Values{"name": {"Bo"}, "email": {"bo@example.com"}, "roles": {"auditor", "clerk"}, "key": {"same"}}
	page := w.post("/console/acme/people/invite", "/console/acme/people/invite", form)
	page.has(t, w.server.URL+"/console/join#clw_inv", "now and never again", "in 3 d")
	if page.Uncompressed || !w.must("/console/acme/people").Uncompressed {
		t.Error("a page with a secret is compressed, or other pages are not")
	}
	call := w.api.last("POST /v1/workspaces/acme/members")
	if want := `{"email":"bo@example.com","name":"Bo","roles":["auditor","clerk"]}`; call.body != want {
		t.Errorf("sent %s, want %s", call.body, want)
	}
	key := call.Header.Get("Idempotency-Key")
	if w.send("/console/acme/people/invite", form); w.api.last("POST /v1/workspaces/acme/members").Header.Get("Idempotency-Key") != key || key == "" {
		t.Error("the same form sent twice is two changes")
	}
	form.Set("name", "Bob")
	if w.send("/console/acme/people/invite", form); w.api.last("POST /v1/workspaces/acme/members").Header.Get("Idempotency-Key") == key {
		t.Error("another form is the same change")
	}
	w.api.on("POST /v1/workspaces/acme/members", 201, api.MemberInvited{ID: "mb_bo", Status: "invited"})
	w.post("/console/acme/people/invite", "/console/acme/people/invite", form).has(t, "can't be shown again")
	w.api.on("POST /v1/workspaces/acme/members", 409, problem(409, "member_exists", "This person is a member.", api.FieldError{Pointer: "/email", Detail: "taken"}))
	page = w.post("/console/acme/people/invite", "/console/acme/people/invite", form)
	page.has(t, "This person is a member.", `value="Bob"`, `<p class="field-error">taken</p>`, `value="clerk" checked`)
}

func TestSettingRoles(t *testing.T) {
	w := signedIn(t)
	w.populate("x")
	at := "/console/acme/people/members/mb_bo"
	w.must(at).has(t, `name="etag" value="&#34;3&#34;"`, `value="2026-11-04T09:30"`, `value="auditor" checked`)
	w.api.on("PUT /v1/workspaces/acme/members/mb_bo/roles", 200, api.Member{ID: "mb_bo"})
	done := w.post(at, at+"/roles", url.Values{"roles": {"clerk"}, "etag": {`"3"`}, "until": {"2026-12-01T08:00"}})
	if done.StatusCode != http.StatusSeeOther {
		t.Fatalf("answered %d\n%s", done.StatusCode, done.main())
	}
	call := w.api.last("PUT /v1/workspaces/acme/members/mb_bo/roles")
	if call.Header.Get("If-Match") != `"3"` || call.body != `{"roles":["clerk"],"until":"2026-12-01T08:00:00Z"}` {
		t.Errorf("sent If-Match %s and %s", call.Header.Get("If-Match"), call.body)
	}
	w.post(at, at+"/roles", url.Values{"etag": {`"3"`}})
	if got := w.api.last("PUT /v1/workspaces/acme/members/mb_bo/roles").body; got != `{"roles":[]}` {
		t.Errorf("no roles are sent as %s", got)
	}
	w.post(at, at+"/roles", url.Values{"until": {"tomorrow"}}).has(t, "This is no time", `value="tomorrow"`)
	w.api.on("PUT /v1/workspaces/acme/members/mb_bo/roles", 412, problem(412, "version_conflict", "Somebody changed it."))
	w.post(at, at+"/roles", url.Values{"roles": {"clerk"}, "etag": {`"2"`}}).has(t, "Somebody changed it.", `value="clerk" checked`, `name="etag" value="&#34;3&#34;"`)
}

func TestMembersPage(t *testing.T) {
	w := signedIn(t)
	w.populate("Bo")
	at := "/console/acme/people/members/mb_bo"
	w.must(at).has(t, at+"/tokens/tk_bo/revoke", "Remove Bo", "/console/acme/access?actor=member%3Amb_bo", "/console/acme/executions?requester=member%3Amb_bo")
	w.post(at, at+"/tokens/tk_bo/revoke", nil)
	if w.api.count("DELETE /v1/workspaces/acme/tokens/tk_bo") != 1 {
		t.Error("the token was not revoked")
	}
	w.api.on("DELETE /v1/workspaces/acme/members/mb_bo", 409, problem(409, "last_owner", "The last owner can't be removed."))
	w.post(at, at+"/remove", nil).has(t, "The last owner can&#39;t be removed.")
	w.api.on("DELETE /v1/workspaces/acme/members/mb_bo", 204, nil)
	if done := w.post(at, at+"/remove", nil); done.Header.Get("Location") != at {
		t.Errorf("led to %q", done.Header.Get("Location"))
	}
	w.must(at).has(t, "The member is removed.")
	w.api.permissions = []string{"member.read"}
	w.must(at).lacks(t, "Remove Bo", "Set the roles", "Tokens and sessions")
	if page := w.get("/console/acme/people/members/mb_none"); page.StatusCode != http.StatusNotFound {
		t.Errorf("a member that is not there: %d", page.StatusCode)
	}
}

func TestAgents(t *testing.T) {
	w := signedIn(t)
	w.populate("bot")
	w.must("/console/acme/people/agents").has(t, "/console/acme/people/agents/ag_1", "/console/acme/search?actor=agent%3Aag_1")
	w.must("/console/acme/people/agents?status=removed").has(t, "No agent is in this state")
	w.api.on("POST /v1/workspaces/acme/agents", 201, api.Agent{ID: "ag_1", Name: "bot"})
	done := w.post("/console/acme/people/new-agent", "/console/acme/people/new-agent", url.Values{"name": {" bot "}, "workflows": {"invoices, travel"}, "roles": {"agent"}})
	if done.Header.Get("Location") != "/console/acme/people/agents/ag_1" {
		t.Errorf("led to %q: %s", done.Header.Get("Location"), done.main())
	}
	if got := w.api.last("POST /v1/workspaces/acme/agents").body; got != `{"name":"bot","roles":["agent"],"workflows":["invoices","travel"]}` {
		t.Errorf("sent %s", got)
	}
	at := "/console/acme/people/agents/ag_1"
	w.api.on("POST /v1/workspaces/acme/agents/ag_1/tokens", 201, api.TokenCreated{ID: "tk_9", Name: "prod", Token: "clw_secret9", SecretShown: true})
	page := w.post(at, at+"/tokens", url.Values{"name": {"prod"}, "days": {"30"}})
	page.has(t, "clw_secret9", "now and never again", at+"/tokens/tk_h/revoke")
	if got := w.api.last("POST /v1/workspaces/acme/agents/ag_1/tokens").body; got != `{"expires_at":"2026-12-02T09:30:00Z","name":"prod"}` {
		t.Errorf("sent %s", got)
	}
	w.must(at).lacks(t, "clw_secret9")
	w.api.on("POST /v1/workspaces/acme/agents/ag_1/tokens", 409, problem(409, "too_many_tokens", "Too many."))
	w.post(at, at+"/tokens", url.Values{"name": {"prod2"}, "days": {"never"}}).has(t, "Too many.", `value="prod2"`, `value="never" selected`, "<details class=\"more\" open>")
	w.api.on("DELETE /v1/workspaces/acme/agents/ag_1", 204, nil)
	w.post(at, at+"/remove", nil)
	w.must(at).has(t, "The agent is removed.")
	w.api.on("GET /v1/workspaces/acme/agents", 200, api.AgentList{})
	w.must("/console/acme/people/agents").has(t, "No agents yet")
}

func TestTokens(t *testing.T) {
	w := signedIn(t)
	w.populate("words")
	page := w.must("/console/acme/people/tokens")
	page.has(t, "/console/acme/people/tokens/tk_bo/revoke", "/console/acme/people/tokens/tk_h/revoke", "/console/acme/people/agents/ag_1", sessionName)
	page = w.must("/console/acme/people/tokens?status=live&kind=agent")
	page.has(t, "tk_h/revoke")
	page.lacks(t, "tk_bo/revoke", sessionName+"<")
	w.must("/console/acme/people/tokens?status=expired").has(t, "No token fits these filters")
	w.post("/console/acme/people/tokens", "/console/acme/people/tokens/tk_bo/revoke", nil)
	w.must("/console/acme/people/tokens").has(t, "The token is revoked")
	w.must("/console/acme/people/members/mb_bo").has(t, "Also 1 that are over")
	w.must("/console/acme/people/members/mb_bo?all=1").has(t, "Only those that work", "tk_bo")
	w.api.permissions = []string{"member.read"}
	w.must("/console/acme/people/tokens").lacks(t, "tk_h/revoke")
}

func TestRoles(t *testing.T) {
	w := signedIn(t)
	w.populate("words")
	w.must("/console/acme/people/roles").has(t, "/console/acme/people/roles/clerk", "/console/acme/people?role=clerk", "built in", "version 3")
	w.must("/console/acme/people/roles/auditor").lacks(t, "<textarea", `name="permissions"`, "Delete auditor")
	at := "/console/acme/people/roles/clerk"
	w.must(at).has(t, `value="budget.read" checked`, `value="words">`, "Delete clerk", `name="etag" value="&#34;3&#34;"`)
	w.api.on("PUT /v1/workspaces/acme/roles/clerk", 200, api.Role{Name: "clerk", Version: 4})
	w.post(at, at, url.Values{"permissions": {"audit.search"}, "description": {"d"}, "etag": {`"3"`}})
	if call := w.api.last("PUT /v1/workspaces/acme/roles/clerk"); call.body != `{"description":"d","permissions":["audit.search"]}` || call.Header.Get("If-Match") != `"3"` {
		t.Errorf("sent %s, If-Match %s", call.body, call.Header.Get("If-Match"))
	}
	w.api.on("PUT /v1/workspaces/acme/roles/clerk", 403, problem(403, "cannot_grant", "You do not hold key.manage."))
	w.post(at, at, url.Values{"permissions": {"budget.read"}}).has(t, "You do not hold key.manage.", `value="budget.read" checked`)
	w.post("/console/acme/people/new-role", "/console/acme/people/new-role", url.Values{"name": {"clerk"}, "etag": {`"0"`}}).has(t, "You do not hold", `name="name"`)
	if got := w.api.last("PUT /v1/workspaces/acme/roles/clerk").Header.Get("If-Match"); got != `"0"` {
		t.Errorf("a new role is sent with If-Match %s", got)
	}
	w.post("/console/acme/people/new-role", "/console/acme/people/new-role", url.Values{"name": {" "}}).has(t, "A role needs a name")
	w.api.on("DELETE /v1/workspaces/acme/roles/clerk", 409, problem(409, "role_in_use", "Somebody holds it."))
	w.post(at, at+"/delete", nil).has(t, "Somebody holds it.", "Delete clerk")
	w.api.on("DELETE /v1/workspaces/acme/roles/clerk", 204, nil)
	if done := w.post(at, at+"/delete", nil); done.Header.Get("Location") != "/console/acme/people/roles" {
		t.Errorf("led to %q", done.Header.Get("Location"))
	}
}

func TestAccess(t *testing.T) {
	w := signedIn(t)
	w.populate("clerk")
	page := w.must("/console/acme/access")
	page.has(t, `title="audit.search through clerk"`, "/console/acme/access?actor=member%3Amb_bo&amp;permission=audit.search", `<td class="no"></td>`)
	if n := w.api.count("GET /v1/workspaces/acme/access"); n != 3 {
		t.Errorf("%d questions for three permissions", n)
	}
	page = w.must("/console/acme/access?actor=member%3Amb_bo&permission=audit.search&at=2026-11-01T10%3A00")
	page.has(t, "Yes", "/console/acme/people/roles/clerk", "/console/acme/people/members/clerk", "2026-11-04 09:30:00 UTC", `value="2026-11-01T10:00"`)
	q := w.api.last("GET /v1/workspaces/acme/access").URL.Query()
	if q.Get("actor") != "member:mb_bo" || q.Get("permission") != "audit.search" || q.Get("at") != "2026-11-01T10:00:00Z" {
		t.Errorf("asked %v", q)
	}
	w.api.on("GET /v1/workspaces/acme/access", 200, api.Access{At: day, Rights: []api.Right{}})
	w.must("/console/acme/access?actor=member%3Amb_bo&permission=audit.search").has(t, "may not", "These do:", "/console/acme/people/roles/auditor")
	w.must("/console/acme/access?permission=audit.search").has(t, "Nobody")
	w.must("/console/acme/access?actor=member%3Amb_bo").has(t, "Nothing")
	before := w.api.count("GET /v1/workspaces/acme/access")
	w.get("/console/acme/access?at=2026-11-01T10%3A00").has(t, "Choose somebody, or a permission")
	w.get("/console/acme/access?at=yesterday&actor=member%3Amb_bo").has(t, "This is no time", `value="yesterday"`)
	if w.api.count("GET /v1/workspaces/acme/access") != before {
		t.Error("a question that can't be asked was asked")
	}
	w.api.on("GET /v1/workspaces/acme/access", 400, problem(400, "invalid_parameter", "There is no such permission."))
	w.get("/console/acme/access?permission=none.such").has(t, "There is no such permission.", "Why may somebody do something?")
}

func TestHealth(t *testing.T) {
	w := signedIn(t)
	w.populate("spending")
	page := w.must("/console/acme/health")
	page.has(t, "2.1 s", "not ready", "42 %", "Generation", `href="/console/acme/executions?unresolved=true">1,234`, `hx-trigger="every 5s"`, "Console-Poll", "not up to date")
	w.api.on("GET /v1/workspaces/acme/status", 200, api.Status{Parts: []api.StatusPart{{Name: "access", Ready: true}}, Index: api.IndexStatus{Engine: "clickhouse", Ready: true}})
	page = w.must("/console/acme/health")
	page.has(t, "All parts of this replica are up to date", "clickhouse", "none under way")
	page.lacks(t, "not ready")
	w.api.on("GET /v1/workspaces/acme/status", 200, api.Status{Parts: []api.StatusPart{{Name: "access", Ready: true, BehindMs: lagging}}, Index: api.IndexStatus{Ready: true}})
	w.must("/console/acme/health").has(t, "more than a second behind")
}
