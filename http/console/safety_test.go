package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestForeignFormsAreRefused sends the same change with each thing wrong that a
// page elsewhere, or an old one, could get wrong.
func TestForeignFormsAreRefused(t *testing.T) {
	w := signedIn(t)
	good := tokenField.FindStringSubmatch(w.must("/console/acme/account").text)[1]
	outside := tokenField.FindStringSubmatch(w.must("/console/?again=1").text)[1]
	other := newWorld(t)
	other.signIn("clw_ada")
	others := tokenField.FindStringSubmatch(other.must("/console/acme/account").text)[1]
	for name, c := range map[string]struct {
		token   string
		headers []string
		want    int
	}{
		"ours":                       {good, nil, http.StatusSeeOther},
		"ours, told by origin only":  {good, []string{"Sec-Fetch-Site", ""}, http.StatusSeeOther},
		"ours, told by site only":    {good, []string{"Origin", ""}, http.StatusSeeOther},
		"no token":                   {"", nil, http.StatusForbidden},
		"broken token":               {good[:len(good)-1] + "!", nil, http.StatusForbidden},
		"changed token":              {"A" + good[1:], nil, http.StatusForbidden},
		"token of another session":   {others, nil, http.StatusForbidden},
		"token of the sign-in form":  {outside, nil, http.StatusForbidden},
		"another origin":             {good, []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		"another port":               {good, []string{"Origin", "http://127.0.0.1:1"}, http.StatusForbidden},
		"no origin at all":           {good, []string{"Origin", "null"}, http.StatusForbidden},
		"another site":               {good, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"another site of the domain": {good, []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		"typed":                      {good, []string{"Sec-Fetch-Site", "none"}, http.StatusForbidden},
		"neither origin nor site":    {good, []string{"Origin", "", "Sec-Fetch-Site", ""}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			fields := url.Values{"theme": {"dark"}, "back": {"/console/acme/account"}}
			if c.token != "" {
				fields.Set(formField, c.token)
			}
			if w.server.URL == "http://127.0.0.1:1" {
				t.Skip("the one port that means something else here")
			}
			if got := w.send("/console/acme/theme", fields, c.headers...); got.StatusCode != c.want {
				t.Errorf("answered %d, want %d", got.StatusCode, c.want)
			}
		})
	}
}

func TestAForeignPageSignsNobodyIn(t *testing.T) {
	w := newWorld(t)
	stranger := newWorld(t)
	token := tokenField.FindStringSubmatch(stranger.must("/console/?again=1").text)[1]
	w.must("/console/?again=1")
	for _, fields := range []url.Values{{"token": {"clw_ada"}}, {"token": {"clw_ada"}, formField: {token}}} {
		if got := w.send("/console/sign-in", fields); got.StatusCode != http.StatusForbidden {
			t.Errorf("answered %d", got.StatusCode)
		}
	}
	if w.sessionOf() != nil || w.api.count("GET /v1/me") != 0 {
		t.Error("somebody was signed in, or the token was tried")
	}
}

func TestATokenMayComeInAHeader(t *testing.T) {
	w := signedIn(t)
	token := tokenField.FindStringSubmatch(w.must("/console/acme/account").text)[1]
	if got := w.send("/console/acme/theme", url.Values{}, formHeader, token); got.StatusCode != http.StatusSeeOther {
		t.Errorf("answered %d", got.StatusCode)
	}
}

func TestChangesNeedPost(t *testing.T) {
	w := signedIn(t)
	asks := map[string]bool{"/v1/workspaces/acme/search": true, "/v1/workspaces/acme/search/facets": true, "/v1/workspaces/acme/search/histogram": true} // by POST, for their words
	for _, r := range routes() {
		if r.method != http.MethodPost {
			continue
		}
		page := w.get("/console/acme" + strings.NewReplacer("{id}", "x", "{name}", "x").Replace(r.path))
		for _, c := range w.api.calls {
			if c.Method != http.MethodGet && c.URL.Path != "/v1/workspaces/acme/members/mb_ada/tokens" && !asks[c.URL.Path] {
				t.Errorf("GET %s made the console call %s %s (%d)", r.path, c.Method, c.URL.Path, page.StatusCode)
			}
		}
	}
}

// TestHeadersOnEveryAnswer looks at pages, redirects, refusals, static files and
// what does not exist.
func TestHeadersOnEveryAnswer(t *testing.T) {
	w := signedIn(t)
	style, err := w.console.assets.url("console.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/console/", "/console/?again=1", "/console/join", "/console/acme/account", "/console/acme/nothing", "/console/acme/",
		"/console/globex/account", "/console/signed-out", "/console/Not%20Valid/account", style, "/console/static/none.css", "/console/acme//account"} {
		page := w.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy":    policy,
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
			"X-Frame-Options":            "DENY",
		} {
			if got := page.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		want := "no-store"
		if path == style {
			want = "public, max-age=31536000, immutable"
		}
		if got := page.Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control is %q, want %q", path, got, want)
		}
	}
	for _, forbidden := range []string{"unsafe-inline", "unsafe-eval", "*"} {
		if strings.Contains(policy, forbidden) {
			t.Errorf("the policy says %s", forbidden)
		}
	}
}

// TestNothingInline holds pages to what the policy allows.
func TestNothingInline(t *testing.T) {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, forbidden := range []string{" style=", "<style", " onclick", " onload", " onchange", " onsubmit", "javascript:", "hx-on", "<script>", "http://", "https://"} {
			if strings.Contains(strings.ToLower(string(text)), forbidden) {
				t.Errorf("%s has %q", f.Name(), forbidden)
			}
		}
	}
}

// TestEveryFormCarriesItsToken holds each form that changes something to begin
// with the partial that makes it acceptable.
func TestEveryFormCarriesItsToken(t *testing.T) {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		forms := strings.Split(string(text), "<form")[1:]
		for _, form := range forms {
			head, rest, _ := strings.Cut(form, ">")
			if strings.Contains(head, `method="post"`) && !strings.HasPrefix(strings.TrimSpace(rest), `{{template "form"`) {
				t.Errorf("%s has a form without its token: <form%s>", f.Name(), head)
			}
		}
	}
}
