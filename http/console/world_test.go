package console

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// world is a console over a fake API, and a browser that is signed in to the
// workspace acme as member mb_ada.
type world struct {
	t       *testing.T
	api     *fakeAPI
	console *Console
	server  *httptest.Server
	browser *http.Client

	mu  sync.Mutex
	now time.Time
}

// day is when the tests' clocks begin.
var day = time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)

// newWorld makes a world whose API answers what fake is given with on, beside
// the calls that every page makes.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: day, api: newFakeAPI(t)}
	c, err := New(Config{API: w.api, Key: [32]byte{1, 2, 3}, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	w.console = c
	w.server = httptest.NewServer(c)
	t.Cleanup(w.server.Close)
	w.browser = w.newBrowser()
	return w
}

// signedIn is newWorld after a sign-in.
func signedIn(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.signIn("clw_ada")
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// newBrowser keeps cookies and follows no redirects.
func (w *world) newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// shown is an answer of the console.
type shown struct {
	*http.Response
	text string
}

func (w *world) do(req *http.Request) shown {
	w.t.Helper()
	resp, err := w.browser.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return shown{resp, string(body)}
}

// get opens an address below /console/, with further header names and values.
func (w *world) get(path string, headers ...string) shown {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, w.server.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return w.do(req)
}

// must is get of a page that has to be there.
func (w *world) must(path string) shown {
	w.t.Helper()
	page := w.get(path)
	if page.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s: %d %s\n%s", path, page.StatusCode, page.Header.Get("Location"), page.text)
	}
	return page
}

var tokenField = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

// post sends a form as a page of the console does, with the token of the page at from.
func (w *world) post(from, path string, fields url.Values) shown {
	w.t.Helper()
	page := w.must(from)
	found := tokenField.FindStringSubmatch(page.text)
	if found == nil {
		w.t.Fatalf("%s has no form", from)
	}
	if fields == nil {
		fields = url.Values{}
	}
	fields.Set(formField, found[1])
	return w.send(path, fields)
}

// send posts fields as they are, from the same origin.
func (w *world) send(path string, fields url.Values, headers ...string) shown {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.server.URL+path, strings.NewReader(fields.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", w.server.URL)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	return w.do(req)
}

func (w *world) signIn(token string) {
	w.t.Helper()
	if done := w.post("/console/?again=1", "/console/sign-in", url.Values{"token": {token}}); done.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("sign in: %d\n%s", done.StatusCode, done.text)
	}
}

// main is what a page shows beside its frame, for messages of tests.
func (page shown) main() string {
	_, text, found := strings.Cut(page.text, "<main")
	if !found {
		text = page.text
	}
	return text[:min(len(text), 3000)]
}

// has fails unless page shows each text.
func (page shown) has(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page.text, text) {
			t.Errorf("%s does not show %q:\n%s", page.Request.URL, text, page.main())
		}
	}
}

// lacks fails if page shows one of the texts.
func (page shown) lacks(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page.text, text) {
			t.Errorf("%s shows %q:\n%s", page.Request.URL, text, page.main())
		}
	}
}

// fakeAPI answers as the ledger would, from what a test puts into it.
type fakeAPI struct {
	t  *testing.T
	mu sync.Mutex

	answers     map[string]func(called) (int, any)
	calls       []called
	permissions []string
	tokens      map[string]api.Token // by secret
}

// called is a call that came in.
type called struct {
	*http.Request
	body string
}

func newFakeAPI(t *testing.T) *fakeAPI {
	f := &fakeAPI{t: t, answers: map[string]func(called) (int, any){}, tokens: map[string]api.Token{}}
	f.permissions = []string{"workspace.manage", "member.invite", "member.read", "member.remove", "role.write", "agent.manage", "token.manage",
		"policy.read", "policy.write", "budget.read", "budget.write", "execution.read", "execution.control", "approval.read", "approval.decide",
		"audit.search", "audit.read_content", "audit.export"}
	f.tokens["clw_ada"] = api.Token{ID: "tk_ada", Actor: "member:mb_ada", Name: "first", Status: api.TokenStatusLive, IssuedAt: day.Add(-time.Hour)}
	f.tokens["clw_bot"] = api.Token{ID: "tk_bot", Actor: "agent:ag_bot", Name: "bot", Status: api.TokenStatusLive, IssuedAt: day.Add(-time.Hour)}
	f.on("GET /v1/workspaces/acme", 200, api.Workspace{ID: "acme", Name: "Acme GmbH", Currency: "EUR", Status: "active", CreatedAt: day.AddDate(0, -1, 0)})
	f.on("GET /v1/workspaces/acme/members/mb_ada", 200, api.Member{ID: "mb_ada", Status: "joined", Name: "Ada Lovelace", Email: "ada@example.com", Roles: api.Roles{"owner"}})
	f.with("GET /v1/me", f.me)
	f.with("POST /v1/workspaces/acme/members/mb_ada/tokens", f.createToken)
	f.with("GET /v1/workspaces/acme/tokens", f.listTokens)
	return f
}

// on answers a method and path with a status and a body.
func (f *fakeAPI) on(pattern string, status int, body any) {
	f.with(pattern, func(called) (int, any) { return status, body })
}

// with answers a method and path by a function.
func (f *fakeAPI) with(pattern string, answer func(called) (int, any)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[pattern] = answer
}

// problem is a body for on.
func problem(status int, code, detail string, errors ...api.FieldError) api.Problem {
	return api.Problem{Status: status, Code: code, Title: "Title of " + code, Detail: detail, RequestID: "req-1", Type: "/docs#" + code, Errors: errors}
}

// ServeHTTP knows callers by their tokens, as the ledger does.
func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c := called{r, string(body)}
	f.mu.Lock()
	f.calls = append(f.calls, c)
	answer := f.answers[r.Method+" "+r.URL.Path]
	token, known := f.tokens[f.secret(r)]
	if tid, ok := strings.CutPrefix(r.URL.Path, "/v1/workspaces/acme/tokens/"); ok && r.Method == http.MethodDelete && answer == nil {
		answer = func(called) (int, any) { return f.revoke(tid) }
	}
	f.mu.Unlock()
	status, out := http.StatusNotFound, any(problem(404, "not_found", "There is no such thing here."))
	switch {
	case r.URL.Path != "/v1/invitations:accept" && (!known || token.Status != api.TokenStatusLive):
		status, out = http.StatusUnauthorized, problem(401, "unauthenticated", "This call needs a valid bearer token.")
	case answer != nil:
		status, out = answer(c)
	}
	w.Header().Set("X-Request-Id", "req-1")
	w.Header().Set("Ledger-Position", "77")
	w.Header().Set("ETag", `"3"`)
	kind := "application/json"
	if status >= 400 {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		_ = json.NewEncoder(w).Encode(out)
	}
}

func (f *fakeAPI) secret(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func (f *fakeAPI) me(c called) (int, any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.tokens[f.secret(c.Request)]
	return 200, api.Me{Workspace: "acme", Actor: t.Actor, Credential: t.ID, Permissions: slices.Clone(f.permissions)}
}

func (f *fakeAPI) createToken(c called) (int, any) {
	var in api.TokenInput
	if err := json.Unmarshal([]byte(c.body), &in); err != nil {
		f.t.Errorf("create token: %v in %s", err, c.body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := "tk_" + strings.Repeat("n", len(f.tokens))
	secret := "clw_" + id
	f.tokens[secret] = api.Token{ID: id, Actor: "member:mb_ada", Name: in.Name, Status: api.TokenStatusLive, IssuedAt: day, ExpiresAt: in.ExpiresAt}
	return 201, api.TokenCreated{ID: id, Name: in.Name, Token: secret, SecretShown: true, ExpiresAt: in.ExpiresAt}
}

func (f *fakeAPI) listTokens(c called) (int, any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := api.TokenList{Items: []api.Token{}}
	for _, t := range f.tokens {
		if asked := c.URL.Query().Get("actor"); asked == "" || asked == t.Actor {
			list.Items = append(list.Items, t)
		}
	}
	slices.SortFunc(list.Items, func(a, b api.Token) int { return strings.Compare(a.ID, b.ID) })
	return 200, list
}

func (f *fakeAPI) revoke(id string) (int, any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for secret, t := range f.tokens {
		if t.ID == id {
			t.Status = api.TokenStatusRevoked
			f.tokens[secret] = t
			return 204, nil
		}
	}
	return 404, problem(404, "not_found", "There is no such thing here.")
}

// live counts the tokens of a name that work.
func (f *fakeAPI) live(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, t := range f.tokens {
		if t.Name == name && t.Status == api.TokenStatusLive {
			n++
		}
	}
	return n
}

// last is the newest call of a method and path; the test fails without one.
func (f *fakeAPI) last(pattern string) called {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range slices.Backward(f.calls) {
		if c.Method+" "+c.URL.Path == pattern {
			return c
		}
	}
	f.t.Fatalf("nobody called %s", pattern)
	return called{}
}

// count is how often a method and path was called.
func (f *fakeAPI) count(pattern string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c.Method+" "+c.URL.Path == pattern {
			n++
		}
	}
	return n
}
