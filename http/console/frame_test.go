package console

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

func TestAmounts(t *testing.T) {
	for micros, want := range map[int64]string{
		0: "0.00", 1: "0.000001", 42: "0.000042", 4_200: "0.0042", 120_000: "0.12", 999_999: "0.99", 1_000_000: "1.00", 1_234_567: "1.23",
		1_235_000: "1.24", 1_999_999: "2.00", 1_234_567_890_000: "1,234,567.89", -2_500_000: "−2.50", -1 << 63: "−9,223,372,036,854.78",
	} {
		if got := amount(micros); got != want {
			t.Errorf("amount(%d) = %s, want %s", micros, got, want)
		}
	}
}

func TestRelativeTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "now", -time.Second: "now", -59 * time.Second: "59 s ago", -60 * time.Second: "1 min ago", 90 * time.Minute: "in 1 h", -49 * time.Hour: "2 d ago",
		-40 * 24 * time.Hour: "2026-09-23",
	} {
		if got := newWhen(day.Add(d), day).Relative; got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	if got := newWhen(time.Time{}, day); got != (when{}) {
		t.Errorf("no time is %+v", got)
	}
}

func TestLinksEscape(t *testing.T) {
	l := links("/console/acme")
	for got, want := range map[string]string{
		l.PolicyURL("a/b?c#d"):                     "/console/acme/policies/a%2Fb%3Fc%23d",
		l.SearchURL("actor", "agent:ag_1 & x"):     "/console/acme/search?actor=agent%3Aag_1+%26+x",
		l.SearchURL("actor", ""):                   "/console/acme/search",
		l.ExecutionsURL("status", "a", "none", ""): "/console/acme/executions?status=a",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := short("018f3c5e-0000-8000-8000-000000000000"); got != "018f3c5e-…00000" {
		t.Errorf("short id %s", got)
	}
}

func TestTheNavigationShowsWhatOneMaySee(t *testing.T) {
	w := signedIn(t)
	w.must("/console/acme/account").has(t, "/console/acme/search", "/console/acme/policies", "/console/acme/people", "/console/acme/health")
	w.api.permissions = []string{"agent.manage"}
	page := w.must("/console/acme/account")
	page.has(t, "/console/acme/people/agents", "/console/acme/health")
	page.lacks(t, "/console/acme/search", "/console/acme/policies", "/console/acme/access")
}

func TestProblemsOfTheLedgerAreShown(t *testing.T) {
	w := signedIn(t)
	w.api.on("GET /v1/workspaces/acme/members/mb_ada", 503, problem(503, "stale_model", "This replica's view is <old>."))
	page := w.get("/console/acme/account")
	if page.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %d", page.StatusCode)
	}
	page.has(t, "Title of stale_model", "view is &lt;old&gt;.", "req-1", "Load again")
	w.api.on("GET /v1/workspaces/acme", 500, "no problem at all")
	w.get("/console/acme/account").has(t, "Title of stale_model")
}

// TestPagesAskTheLedgerAsTheirVisitor holds the calls of a page to count against
// the browser's address, and to be found by the page's request id.
func TestPagesAskTheLedgerAsTheirVisitor(t *testing.T) {
	w := signedIn(t)
	u, _ := url.Parse(w.server.URL + "/console/acme/account")
	r := httptest.NewRequest(http.MethodGet, "/console/acme/account", nil)
	r.RemoteAddr = "203.0.113.7:1234"
	for _, c := range w.browser.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	answer := httptest.NewRecorder()
	answer.Header().Set("X-Request-Id", "req-of-the-page")
	w.console.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		t.Fatalf("answered %d", answer.Code)
	}
	call := w.api.last("GET /v1/workspaces/acme/tokens")
	if call.RemoteAddr != r.RemoteAddr || call.Header.Get("X-Request-Id") != "req-of-the-page" || call.Header.Get("Cookie") != "" {
		t.Errorf("asked from %s as %q with the headers %v", call.RemoteAddr, call.Header.Get("X-Request-Id"), call.Header)
	}
}

// TestAnswersAreBounded holds the console to give up on an answer that it can't
// hold, rather than to run out of memory.
func TestAnswersAreBounded(t *testing.T) {
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 1<<20)
		for range 1 << 10 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
		t.Error("everything was taken")
	})
	_, err := read[none](doer{endless, httptest.NewRequest(http.MethodGet, "/", nil), ""}.Do(httptest.NewRequest(http.MethodGet, "http://ledger/v1/me", nil)))
	if err == nil || asRefusal(err) != nil {
		t.Errorf("answered %v", err)
	}
}

func TestUnknownPages(t *testing.T) {
	w := signedIn(t)
	for _, path := range []string{"/console/acme/nothing", "/console/Acme/account", "/console/acme-/account", "/console/static/none.css", "/console/" + strings.Repeat("a", 33) + "/account"} {
		if page := w.get(path); page.StatusCode != http.StatusNotFound {
			t.Errorf("%s answered %d", path, page.StatusCode)
		}
	}
}

func TestAWorkspaceWithoutItsSlash(t *testing.T) {
	if got := signedIn(t).get("/console/acme").Header.Get("Location"); got != "/console/acme/" {
		t.Errorf("led to %q", got)
	}
}

func TestScriptsAreToldByStatus(t *testing.T) {
	w := newWorld(t)
	page := w.get("/console/acme/health", "HX-Request", "true")
	if got := page.Header.Get("HX-Redirect"); page.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(got, "/console/?next=") {
		t.Errorf("htmx: %d, %q", page.StatusCode, got)
	}
	if page = w.get("/console/acme/health", "Sec-Fetch-Mode", "cors"); page.StatusCode != http.StatusUnauthorized {
		t.Errorf("fetch: %d", page.StatusCode)
	}
}

func TestStaticFiles(t *testing.T) {
	w := newWorld(t)
	address, err := w.console.assets.url("htmx.min.js")
	if err != nil {
		t.Fatal(err)
	}
	page := w.get(address, "Accept-Encoding", "gzip")
	if page.Header.Get("Content-Encoding") != "gzip" || page.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("headers %v", page.Header)
	}
	z, err := gzip.NewReader(strings.NewReader(page.text))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(z); err != nil || string(body) != string(w.console.assets["htmx.min.js"].plain) {
		t.Errorf("what was compressed is not the file: %v", err)
	}
	tag := page.Header.Get("ETag")
	if again := w.get(address, "Accept-Encoding", "gzip", "If-None-Match", tag); again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again: %d", again.StatusCode)
	}
	if old := w.get("/console/static/htmx.min.js?v=other"); old.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("another version is cached: %q", old.Header.Get("Cache-Control"))
	}
	w.must("/console/static/htmx.LICENSE.txt").has(t, "Zero-Clause BSD")
}

func TestThemes(t *testing.T) {
	w := signedIn(t)
	done := w.post("/console/acme/account", "/console/acme/theme", url.Values{"theme": {"dark"}, "back": {"/console/acme/account?all=1"}})
	if got := done.Header.Get("Location"); got != "/console/acme/account?all=1" {
		t.Errorf("led to %q", got)
	}
	w.must("/console/acme/account").has(t, `<html lang="en" data-theme="dark">`)
	w.must("/console/join").has(t, `data-theme="dark"`)
	w.post("/console/join", "/console/theme", url.Values{"theme": {""}, "back": {"https://evil.example"}})
	w.must("/console/join").lacks(t, "data-theme")
}

func TestOwnTokens(t *testing.T) {
	w := signedIn(t)
	page := w.post("/console/acme/account", "/console/acme/account/tokens", url.Values{"name": {"<b>laptop</b>"}, "days": {"7"}})
	page.has(t, "&lt;b&gt;laptop&lt;/b&gt;", "clw_tk_", "now and never again")
	page.lacks(t, "<b>laptop")
	if got := w.api.last("POST /v1/workspaces/acme/members/mb_ada/tokens"); got.Header.Get("Idempotency-Key") == "" || !strings.Contains(got.body, "2026-11-09T09:30:00Z") {
		t.Errorf("asked with %v and %s", got.Header, got.body)
	}
	w.post("/console/acme/account", "/console/acme/account/tokens", url.Values{"name": {sessionName}}).has(t, "This name is for sessions")
	done := w.post("/console/acme/account", "/console/acme/account/tokens/tk_ada/revoke", nil)
	if done.StatusCode != http.StatusSeeOther || w.api.live("first") != 0 {
		t.Errorf("revoked: %d, %d left", done.StatusCode, w.api.live("first"))
	}
	page = w.must("/console/acme/account")
	page.has(t, "The token is revoked and works nowhere any more.")
	if got := w.api.last("GET /v1/workspaces/acme/tokens").URL.Query().Get("min_position"); got != "77" {
		t.Errorf("the next page did not wait for what was done: min_position %q", got)
	}
	w.must("/console/acme/account").lacks(t, "works nowhere any more")
}

func TestHostileNamesInTheFrame(t *testing.T) {
	w := signedIn(t)
	const hostile = `"><script>alert(1)</script>'`
	w.api.on("GET /v1/workspaces/acme", 200, api.Workspace{ID: "acme", Name: hostile, Currency: hostile})
	w.api.on("GET /v1/workspaces/acme/members/mb_ada", 200, api.Member{ID: hostile, Name: hostile, Email: hostile, Roles: api.Roles{hostile}, Status: "joined"})
	w.api.tokens["x"] = api.Token{ID: hostile, Name: hostile, Actor: "member:mb_ada", Status: api.TokenStatusLive, IssuedBy: hostile}
	page := w.must("/console/acme/account?" + url.Values{"all": {hostile}}.Encode())
	page.lacks(t, "<script>alert", `"><script`)
	page.has(t, "&lt;script&gt;alert(1)&lt;/script&gt;")
}
