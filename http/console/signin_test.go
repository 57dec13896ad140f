package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// sessionOf is the session's cookie that the browser holds for acme, nil without one.
func (w *world) sessionOf() *http.Cookie {
	u, _ := url.Parse(w.server.URL + "/console/acme/search")
	for _, c := range w.browser.Jar.Cookies(u) {
		if c.Name == sessionCookie {
			return c
		}
	}
	return nil
}

func TestSigningInMakesATokenOfItsOwn(t *testing.T) {
	w := newWorld(t)
	done := w.post("/console/?next=%2Fconsole%2Facme%2Fpolicies%3Fmode%3Dshadow", "/console/sign-in",
		url.Values{"token": {" clw_ada\n"}, "next": {"/console/acme/policies?mode=shadow"}})
	if got := done.Header.Get("Location"); done.StatusCode != http.StatusSeeOther || got != "/console/acme/policies?mode=shadow" {
		t.Fatalf("%d to %q", done.StatusCode, got)
	}
	made := w.api.last("POST /v1/workspaces/acme/members/mb_ada/tokens")
	if want := day.Add(lastsFor).Format(time.RFC3339); !strings.Contains(made.body, want) || !strings.Contains(made.body, sessionName) {
		t.Errorf("the session's token was asked for by %s, want it to end %s", made.body, want)
	}
	for _, c := range done.Cookies() {
		if c.Name != sessionCookie {
			continue
		}
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/console/acme/" {
			t.Errorf("session cookie: %+v", c)
		}
	}
	w.must("/console/acme/account").has(t, "Ada Lovelace")
	if got := w.api.last("GET /v1/me").Header.Get("Authorization"); got == "Bearer clw_ada" || !strings.HasPrefix(got, "Bearer clw_tk_") {
		t.Errorf("pages ask with %q, want the session's own token", got)
	}
}

func TestSecureCookies(t *testing.T) {
	w := newWorld(t)
	w.console.secure = true
	page := w.get("/console/")
	if got := page.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Secure-clawledger-door=") || !strings.Contains(got, "; Secure") {
		t.Errorf("Set-Cookie: %s", got)
	}
}

func TestWhoDoesNotSignIn(t *testing.T) {
	for name, c := range map[string]struct{ token, want string }{
		"nothing":        {"", errNoToken.Title},
		"a wrong token":  {"clw_nobody", errWrongToken.Title},
		"line breaks":    {"clw_\r\nX: y", errWrongToken.Title},
		"an agent":       {"clw_bot", errAgent.Title},
		"the operator":   {"clwop_secret", errOperator.Title},
		"far too much":   {strings.Repeat("a", 600), errNoToken.Title},
		"something else": {"<script>alert(1)</script>", errWrongToken.Title},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			page := w.post("/console/?again=1", "/console/sign-in", url.Values{"token": {c.token}})
			if page.StatusCode < 400 {
				t.Errorf("answered %d", page.StatusCode)
			}
			page.has(t, strings.ReplaceAll(c.want, "'", "&#39;"), `name="token"`)
			page.lacks(t, "<script>alert")
			if c.token != "" {
				page.lacks(t, c.token)
			}
			if w.sessionOf() != nil {
				t.Error("there is a session")
			}
		})
	}
}

func TestWhereSigningInLeads(t *testing.T) {
	for next, want := range map[string]string{
		"":                               "/console/acme/",
		"/console/acme/health":           "/console/acme/health",
		"/console/globex/health":         "/console/acme/",
		"https://evil.example/":          "/console/acme/",
		"//evil.example/console/acme/":   "/console/acme/",
		"/console/acme/../../v1/me":      "/console/acme/",
		"/console/acme/\\evil":           "/console/acme/",
		"/console/acme/x\r\nSet-Cookie:": "/console/acme/",
	} {
		w := newWorld(t)
		done := w.post("/console/?again=1", "/console/sign-in", url.Values{"token": {"clw_ada"}, "next": {next}})
		if got := done.Header.Get("Location"); got != want {
			t.Errorf("next %q leads to %q, want %q", next, got, want)
		}
	}
}

func TestIdleSessionsEndAndAreRevoked(t *testing.T) {
	w := signedIn(t)
	for range 3 { // use keeps it alive
		w.advance(idleFor - time.Minute)
		w.must("/console/acme/account")
	}
	w.advance(idleFor - 2*time.Minute)
	if page := w.get("/console/acme/account", pollHeader, "1"); page.StatusCode != http.StatusOK {
		t.Fatalf("poll: %d", page.StatusCode)
	}
	w.advance(2 * time.Minute) // the poll did not count
	page := w.get("/console/acme/account?all=1")
	if got := page.Header.Get("Location"); page.StatusCode != http.StatusSeeOther || !strings.Contains(got, "why=idle") || !strings.Contains(got, "next=%2Fconsole%2Facme%2Faccount%3Fall%3D1") {
		t.Errorf("%d to %q", page.StatusCode, got)
	}
	if w.sessionOf() != nil {
		t.Error("the cookie is still there")
	}
	if n := w.api.live(sessionName); n != 0 {
		t.Errorf("%d tokens of sessions still work", n)
	}
	w.must(page.Header.Get("Location")).has(t, "30 minutes without use")
}

func TestUsedSessionsEndAfterTwelveHours(t *testing.T) {
	w := signedIn(t)
	for w.clock().Before(day.Add(lastsFor - 20*time.Minute)) {
		w.advance(20 * time.Minute)
		w.must("/console/acme/account")
	}
	w.advance(20 * time.Minute)
	if got := w.get("/console/acme/account").Header.Get("Location"); !strings.Contains(got, "why=expired") {
		t.Errorf("led to %q", got)
	}
}

func TestRevokedSessionsEndAtOnce(t *testing.T) {
	w := signedIn(t)
	w.must("/console/acme/account")
	w.api.mu.Lock()
	for secret, token := range w.api.tokens {
		if token.Name == sessionName {
			token.Status = api.TokenStatusRevoked
			w.api.tokens[secret] = token
		}
	}
	w.api.mu.Unlock()
	if got := w.get("/console/acme/account").Header.Get("Location"); !strings.Contains(got, "why=ended") {
		t.Errorf("led to %q", got)
	}
}

func TestAnotherWorkspacesCookieIsWorthNothing(t *testing.T) {
	w := signedIn(t)
	stolen := w.sessionOf()
	page := w.get("/console/globex/account", "Cookie", sessionCookie+"="+stolen.Value)
	if got := page.Header.Get("Location"); page.StatusCode != http.StatusSeeOther || !strings.Contains(got, "why=ended") {
		t.Errorf("%d to %q", page.StatusCode, got)
	}
	if n := w.api.count("GET /v1/workspaces/globex"); n != 0 {
		t.Error("the ledger was asked about globex")
	}
	// Even a cookie of the right form does not make a member of one workspace one of another.
	s := w.someSession()
	s.Token = "clw_ada"
	text, err := w.console.sealed("session", "globex", s)
	if err != nil {
		t.Fatal(err)
	}
	page = w.get("/console/globex/account", "Cookie", sessionCookie+"="+text)
	if got := page.Header.Get("Location"); !strings.Contains(got, "why=ended") {
		t.Errorf("%d to %q", page.StatusCode, got)
	}
}

func TestSigningOutRevokes(t *testing.T) {
	w := signedIn(t)
	if n := w.api.live(sessionName); n != 1 {
		t.Fatalf("%d sessions", n)
	}
	done := w.post("/console/acme/account", "/console/acme/sign-out", nil)
	if got := done.Header.Get("Location"); got != "/console/signed-out" {
		t.Errorf("led to %q: %s", got, done.text)
	}
	if n := w.api.live(sessionName); n != 0 || w.sessionOf() != nil {
		t.Errorf("%d sessions, cookie %v", n, w.sessionOf())
	}
	if n := w.api.live("first"); n != 1 {
		t.Error("the token that was signed in with is gone")
	}
}

func TestSigningOutSaysWhenItCouldNot(t *testing.T) {
	w := signedIn(t)
	w.must("/console/acme/account")
	for _, token := range w.api.tokens {
		w.api.on("DELETE /v1/workspaces/acme/tokens/"+token.ID, 503, problem(503, "ledger_unavailable", "The log can't be written."))
	}
	page := w.post("/console/acme/account", "/console/acme/sign-out", nil)
	if page.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %d", page.StatusCode)
	}
	page.has(t, errNotRevoked.Title)
	if w.sessionOf() != nil {
		t.Error("the browser keeps the session")
	}
}

func TestSigningOutEverywhere(t *testing.T) {
	w := signedIn(t)
	w.browser = w.newBrowser()
	w.signIn("clw_ada")
	w.browser = w.newBrowser()
	w.signIn("clw_ada")
	if n := w.api.live(sessionName); n != 3 {
		t.Fatalf("%d sessions", n)
	}
	w.post("/console/acme/account", "/console/acme/sign-out-everywhere", nil)
	if n := w.api.live(sessionName); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	if n := w.api.live("first"); n != 1 {
		t.Error("a token that is no session was revoked")
	}
}

func TestJoining(t *testing.T) {
	w := newWorld(t)
	w.api.on("POST /v1/invitations:accept", 201, api.InvitationAccepted{Workspace: "acme", Member: "mb_ada", Token: "clw_ada", SecretShown: true})
	page := w.post("/console/join", "/console/join", url.Values{"invitation": {"https://x.example/console/join#clw_inv1"}})
	page.has(t, "You have joined acme", "clw_ada", "now and never again")
	if got := w.api.last("POST /v1/invitations:accept").body; got != `{"invitation_token":"clw_inv1"}` {
		t.Errorf("sent %s", got)
	}
	if page.Uncompressed || page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a page with a secret has the headers %v", page.Header)
	}
	w.must("/console/acme/account").has(t, "Ada Lovelace")
}

func TestInvitationsThatDoNotWork(t *testing.T) {
	w := newWorld(t)
	w.api.on("POST /v1/invitations:accept", 409, problem(409, "invitation_used", "This invitation was used."))
	page := w.post("/console/join", "/console/join", url.Values{"invitation": {"clw_inv1"}})
	page.has(t, "This invitation was used.", `name="invitation"`)
	w.post("/console/join", "/console/join", url.Values{"invitation": {"  "}}).has(t, errNoInvitation.Title)
	if w.sessionOf() != nil {
		t.Error("there is a session")
	}
}

func TestLinksFromElsewhere(t *testing.T) {
	w := newWorld(t)
	from := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}
	for path, alone := range map[string]bool{"/console/acme/approvals/ap_1": true, "/console/acme/health": true,
		"/console/acme/search?actor=agent%3Aag_1": false, "/console/acme/events/018f3c5e-0000-8000-8000-000000000000": false} {
		page := w.get(path, from...)
		page.has(t, "Go on to the ledger", `href="`+path+`"`)
		if got := strings.Contains(page.text, `http-equiv="refresh"`); got != alone {
			t.Errorf("%s goes on by itself: %v, want %v", path, got, alone)
		}
		if page.Header.Get("Set-Cookie") != "" && strings.Contains(page.Header.Get("Set-Cookie"), sessionCookie+"=;") {
			t.Error("a visit from elsewhere ends a session")
		}
	}
	if page := w.get("/console/acme/health", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate"); page.StatusCode != http.StatusSeeOther {
		t.Errorf("without a session from here: %d", page.StatusCode)
	}
}

func TestTheFrontDoorRemembersTheWorkspace(t *testing.T) {
	w := signedIn(t)
	if got := w.get("/console/").Header.Get("Location"); got != "/console/acme/" {
		t.Errorf("led to %q", got)
	}
	if got := w.get("/console/acme/").Header.Get("Location"); got != "/console/acme/search" {
		t.Errorf("the first section is %q", got)
	}
	w.api.permissions = nil
	if got := w.get("/console/acme/").Header.Get("Location"); got != "/console/acme/health" {
		t.Errorf("the first section of who may nothing is %q", got)
	}
}
