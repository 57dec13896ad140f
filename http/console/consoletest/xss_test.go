package consoletest

import (
	"strings"
	"testing"
)

// planted finds what a hostile text would have made of a page, had it not been
// taken for text.
const planted = `document.querySelector('img[src="x"], svg[onload], [onerror], script:not([src]), a[href^="javascript" i], form[action^="javascript" i], b > b') || globalThis.hacked !== undefined`

// TestHostileTexts looks at every page of an office where everything has a
// hostile name: it stands there as text.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	r := need(t)
	s := r.strange
	b := r.as(t, s.people["supervisor"])
	owner, bot := s.people["owner"], s.agents[cut("bot", 190)]
	content := s.event("content.prompt.v1")
	for _, page := range []struct{ name, path, want string }{
		{"search", "/search", "javascript:window.hacked"},
		{"search of a workflow", "/search?workflow=javascript:window.hacked", "javascript:window.hacked"},
		{"saved search", "/search?saved=" + s.saved, "saved " + hostile[0]},
		{"record", "/events/" + content, "content.prompt.v1"},
		{"executions", "/executions", "javascript:window.hacked"},
		{"execution", "/executions/" + s.execution, "name " + hostile[0]},
		{"failed execution", "/executions/" + s.failed, "failure " + hostile[0]},
		{"denied execution", "/executions/" + s.denied, "denial " + hostile[0]},
		{"approvals", "/approvals", hostile[1]},
		{"denied approvals", "/approvals?status=denied", hostile[1]},
		{"approval", "/approvals/" + s.approval, "question " + hostile[0]},
		{"grave approval", "/approvals/" + s.grave, "other value " + hostile[0]},
		{"decided approval", "/approvals/" + s.decided, "denied " + hostile[0]},
		{"grants", "/grants", "communication.send"},
		{"grant", "/grants/" + s.grant, "grant " + hostile[0]},
		{"delegations", "/delegations", "delegation " + hostile[0]},
		{"budgets", "/budgets", "javascript:window.hacked"},
		{"budget", "/budgets/javascript:window.hacked", "javascript:alert"},
		{"edited budget", "/budgets/javascript:window.hacked/edit", "javascript:window.hacked"},
		{"prices", "/prices", "javascript:alert"},
		{"people", "/people", "invited " + hostile[0]},
		{"member", "/people/members/" + owner.id, "owner " + hostile[0]},
		{"agents", "/people/agents", "bot " + hostile[0]},
		{"agent", "/people/agents/" + bot.id, "token " + hostile[0]},
		{"tokens", "/people/tokens", "token " + hostile[0]},
		{"roles", "/people/roles", "description " + hostile[0]},
		{"role", "/people/roles/odd:role", "description " + hostile[0]},
		{"access", "/access", "bot " + hostile[0]},
		{"why", "/access?actor=agent:" + bot.id + "&permission=execution.request", "bot " + hostile[0]},
		{"access asked badly", "/access?actor=%22%3E%3Cscript%3Ewindow.hacked=1%3C/script%3E", ""},
		{"policies", "/policies", "odd:policy"},
		{"policy", "/policies/odd:policy", "denial " + hostile[0]},
		{"versions", "/policies/odd:policy/versions", "sand"},
		{"edited policy", "/policies/odd:policy/edit", "denial "},
		{"health", "/health", "up to date"},
		{"account", "/account", "supervisor " + hostile[0]},
		{"no page", "/%22%3E%3Cscript%3Ewindow.hacked=1%3C%2Fscript%3E", ""},
		{"no execution", "/executions/%3Cimg%20src=x%20onerror=window.hacked=1%3E", ""},
	} {
		t.Run(page.name, func(t *testing.T) {
			b := b.during(t)
			b.look(1440, "light")
			if status := b.visit(s.page(page.path)); page.want == "" && status >= 400 {
				b.expect("4")
			}
			b.reads(page.want)
			b.harmless()
			b.look(360, "light")
			b.unfold(true)
			b.wellFormed("360 px", 360)
			b.shoot("strange-" + strings.ReplaceAll(page.name, " ", "-"))
		})
	}
}

// harmless holds that no text of the page became anything else.
func (b *tab) harmless() {
	b.t.Helper()
	if b.is(planted) {
		var what string
		b.eval(`(`+strings.Split(planted, " || ")[0]+`)?.outerHTML ?? "a script ran"`, &what)
		b.t.Errorf("at %s a hostile text became %s", b.address(), what)
	}
}

// TestHostileAnswers sends hostile texts through the forms that show what was
// typed, or what was found.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	r := need(t)
	s := r.strange
	nobody, b := r.open(t), r.as(t, s.people["supervisor"])
	all := evil("typed")
	for _, form := range []struct {
		name string
		by   *tab
		path string
		send func(*tab)
		want string
	}{
		{"sign-in", nobody, "/console/?again=1", func(b *tab) { b.fill("#token", all); b.follow("main .btn.primary") }, "does not work"},
		{"join", nobody, "/console/join", func(b *tab) { b.fill("#invitation", all); b.follow("main .btn.primary") }, "Join"},
		{"search that can't be read", b, s.page("/search"), func(b *tab) { b.fill("#q", `cost>`+hostile[0]); b.follow("#search .btn.primary") }, hostile[0][2:9]},
		{"search for words", b, s.page("/search"), func(b *tab) { b.fill("#q", `question`); b.follow("#search .btn.primary") }, "question"},
		{"search opened", b, s.page("/search"), func(b *tab) {
			b.fill("#q", `"window hacked 1 script"`)
			b.follow("#search .btn.primary")
			b.fill("#reason", all)
			b.follow(".settle .btn")
		}, "was opened"},
		{"record opened", b, s.page("/events/" + s.event("execution.prompt_recorded.v1")), func(b *tab) { b.fill("#reason", all); b.follow("[aria-labelledby=content] .btn") }, "question " + hostile[0]},
		{"outcome opened", b, s.page("/search?type=content.completion.*"), func(b *tab) {
			b.follow("#hits a.name")
			b.fill("#reason", all)
			b.follow("[aria-labelledby=content] .btn")
		}, "answer " + hostile[0]},
		{"confirmation", b, s.page("/approvals/" + s.grave), func(b *tab) { b.fill("#approve-reason", all); b.follow(".decide .btn.primary") }, all},
		{"invitation", b, s.page("/people/invite"), func(b *tab) {
			b.fill("#name", cut("name", 190))
			b.fill("#email", "x@y.example")
			b.follow("main form .btn.primary")
		}, "name " + hostile[0]},
		{"new role", b, s.page("/people/new-role"), func(b *tab) {
			b.eval(`document.querySelector('main form').noValidate = true`, nil)
			b.fill("#name", all[:100])
			b.follow("main form .btn.primary")
		}, "typed " + hostile[0]},
		{"token", b, s.page("/account"), func(b *tab) {
			b.click("[aria-labelledby=tokens] summary")
			b.fill("#name", cut("typed", 190))
			b.follow("[aria-labelledby=tokens] .form .btn")
		}, "typed " + hostile[0]},
		{"policy with a fault", b, s.page("/policies/odd:policy/edit"), func(b *tab) { b.fill("#source", "{\n"+all+"\n}"); b.follow("main form .btn.primary") }, all},
		{"policy refused", b, s.page("/policies/odd:policy/edit"), func(b *tab) {
			b.fill("#source", text(fields{"workflow": "*", "mode": "enforce", "default": "allow", "rules": []fields{{"id": "x", "actions": []string{"a.b"}, "when": all, "effect": "deny"}}}))
			b.follow("main form .btn.primary")
		}, hostile[1]},
		{"dry run", b, s.page("/policies/odd:policy"), func(b *tab) {
			b.eval(`for (const d of document.querySelectorAll('main details')) d.open = true`, nil)
			b.fill("[name=action]", text(action("data.export", fields{all: all, "x": all})))
			b.fill("[name=workflow]", "x")
			b.follow("form:has([name=action]) .btn")
		}, "denial " + hostile[0]},
		{"dry run of no JSON", b, s.page("/policies"), func(b *tab) {
			b.eval(`for (const d of document.querySelectorAll('main details')) d.open = true`, nil)
			b.fill("[name=action]", all)
			b.fill("[name=workflow]", "x")
			b.follow("form:has([name=action]) .btn")
		}, all},
	} {
		t.Run(form.name, func(t *testing.T) {
			b := form.by.during(t)
			b.visit(form.path)
			form.send(b)
			if b.answered() >= 400 {
				b.expect("4")
			}
			b.reads(form.want)
			b.harmless()
		})
	}
}

// TestWhereSignInLeads holds that who signs in stays here, whatever the link said.
func TestWhereSignInLeads(t *testing.T) {
	t.Parallel()
	r := need(t)
	for _, next := range []string{"javascript:window.hacked=1", "//127.0.0.1:9/", "https://127.0.0.1:9/", "/\\127.0.0.1:9/", "/console/../../x", "/console/acme/search%0d%0aSet-Cookie:x=1", "\t//127.0.0.1:9"} {
		b := r.open(t)
		b.visit("/console/?next=" + strings.NewReplacer(":", "%3A", "/", "%2F", "\\", "%5C", "\t", "%09").Replace(next))
		b.fill("#token", r.story.people["member"].token)
		b.expect("404")
		b.follow("main .btn.primary")
		if got := b.path(); !strings.HasPrefix(got, "/console/acme/") {
			t.Errorf("next=%s leads to %s", next, got)
		}
		b.harmless()
	}
}
