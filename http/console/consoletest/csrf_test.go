package consoletest

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// text is a value as a script writes it.
func text(value any) string {
	out, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings and maps of them always can be
	}
	return string(out)
}

// foreign is a page of somebody else, with a form that goes to the console.
func foreign(t *testing.T, target string, form fields) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>You have won</title><form method="post" action="%s">`, html.EscapeString(target))
		for name, value := range form {
			_, _ = fmt.Fprintf(w, `<input type="hidden" name="%s" value="%s">`, html.EscapeString(name), html.EscapeString(fmt.Sprint(value)))
		}
		_, _ = fmt.Fprint(w, `<button>Take the prize</button></form>`)
	}))
	t.Cleanup(server.Close)
	return server
}

// TestForeignForms lets pages of other origins send the form that approves, with
// the cookies of who is signed in, and a form token that somebody else was given.
func TestForeignForms(t *testing.T) {
	t.Parallel()
	r := need(t)
	s := r.story
	id := r.low(t)
	digest := s.people["owner"].do(200, "GET", s.at("/approvals/"+id), nil).text("action_digest")
	attacker := r.as(t, s.people["deputy"])
	attacker.visit(s.page("/approvals/" + id))
	stolen := attacker.formToken()
	path := s.page("/approvals/" + id + "/decision")
	form := fields{"decision": "approve", "reason": "won", "digest": digest, "form_token": stolen, "key": "1"}
	pending := func(t *testing.T) {
		t.Helper()
		if got := s.status(id); got != "pending" {
			t.Fatalf("the approval is %s", got)
		}
	}
	for _, row := range []struct {
		name, host string
		status     int
		says       string
	}{
		{"another port, which is the same site", "127.0.0.1", 403, "This was not sent from here"},
		{"another host, which is another site", "localhost", 200, "Sign in"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := r.as(t, s.people["supervisor"])
			server := foreign(t, r.program.url+path, form)
			b.expect("403")
			b.goBeyond(strings.Replace(server.URL, "127.0.0.1", row.host, 1) + "/")
			b.follow("button")
			if got := b.answered(); got != row.status || !strings.Contains(b.text("main"), row.says) {
				t.Errorf("answered is %d, %q", got, b.text("main"))
			}
			pending(t)
			b.visit(s.page("/approvals/" + id)) // the session is as it was
			b.says("main", "Decide")
		})
	}
	t.Run("a script of another port", func(t *testing.T) {
		b := r.as(t, s.people["supervisor"])
		server := foreign(t, r.program.url+path, form)
		b.expect("")
		b.goBeyond(server.URL + "/")
		b.eval(`fetch(`+text(r.program.url+path)+`, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams(`+text(form)+`) }).then(() => 0, () => 0)`, nil)
		pending(t)
	})
	t.Run("the same origin, with the token of another session", func(t *testing.T) {
		b := r.as(t, s.people["supervisor"])
		b.visit(s.page("/approvals/" + id))
		b.expect("403")
		if got := b.send(path, stolen, form); got != 403 {
			t.Errorf("answered is %d", got)
		}
		pending(t)
		if got := b.send(path, b.formToken(), form); got != 200 { // it is the token that was wrong
			t.Errorf("with the token of the session, answered is %d", got)
		}
		if got := s.status(id); got != "approved" {
			t.Errorf("with the token of the session, the approval is %s", got)
		}
	})
}

// TestLinkFromElsewhere follows a link of another site to a page, which the
// session's cookie does not go along with.
func TestLinkFromElsewhere(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["supervisor"])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>A mail</title><a href="%s">Approve this, please</a>`, html.EscapeString(r.program.url+r.story.page("/approvals?risk=high")))
	}))
	t.Cleanup(server.Close)
	b.goBeyond(strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/")
	b.follow("a")
	if b.text("h1") == "Go on to the ledger" {
		b.follow("main .btn.primary")
	}
	b.until(`document.querySelector('h1')?.innerText === 'Approvals'`)
	if got := b.path(); got != r.story.page("/approvals?risk=high") {
		t.Errorf("the link leads to %s", got)
	}
}

// TestForeignSignIn holds that no page elsewhere signs a visitor in as somebody else.
func TestForeignSignIn(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.open(t)
	server := foreign(t, r.program.url+"/console/sign-in", fields{"token": r.story.people["member"].token, "next": "", "form_token": "x", "key": "1"})
	b.expect("403")
	b.goBeyond(server.URL + "/")
	b.follow("button")
	if b.answered() != 403 || b.cookie("clawledger") != nil {
		t.Errorf("answered is %d, the cookie %v", b.answered(), b.cookie("clawledger"))
	}
}
