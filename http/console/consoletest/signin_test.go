package consoletest

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// What ends a session by the clock is tested in package console, whose clock
// tests can move.

func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	r := need(t)
	operator, err := r.program.operator(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, token, want, note string }{
		{"nobody's token", "clw_nobody", "This token does not work", "401"},
		{"an agent's", r.story.agents["billing-bot"].token, "This is an agent's token", "403"},
		{"the operator's", operator.token, "This is the operator's token", "403"},
		{"no token at all", " ", "A token is needed", "400"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := r.open(t)
			b.expect(row.note)
			b.visit(r.story.page("/approvals"))
			b.fill("#token", row.token)
			b.follow("main .btn.primary")
			b.says("main", row.want)
			b.visit(r.story.page("/approvals"))
			b.says("h1", "Sign in")
		})
	}
}

// TestSession follows somebody from a link that needs a session to signing out.
func TestSession(t *testing.T) {
	t.Parallel()
	r := need(t)
	supervisor := r.story.people["supervisor"]
	b := r.open(t)
	b.visit(r.story.page("/approvals?risk=high"))
	b.says("h1", "Sign in")
	b.fill("#token", supervisor.token)
	b.follow("main .btn.primary")
	if got := b.path(); got != r.story.page("/approvals?risk=high") {
		t.Errorf("signed in, the page is %s, not the one that was asked for", got)
	}
	session := b.cookie("clawledger")
	if session == nil || !session.HTTPOnly || session.SameSite != network.CookieSameSiteStrict || session.Path != "/console/acme/" || strings.Contains(session.Value, "clw_") {
		t.Errorf("the session's cookie is %+v", session)
	}
	if b.is(`document.cookie`) {
		t.Errorf("scripts see cookies")
	}
	b.follow(".rail form[action$='/sign-out'] button")
	b.says("h1", "Signed out")
	if b.cookie("clawledger") != nil {
		t.Errorf("the cookie is still there")
	}
	b.next(func() { b.back() })
	if strings.Contains(b.text("body"), "Waiting") {
		t.Errorf("going back shows the page of who signed out:\n%s", b.text("body"))
	}
	b.visit(r.story.page("/account"))
	b.says("h1", "Sign in")
}

func TestSigningOutEverywhere(t *testing.T) {
	t.Parallel()
	r := need(t)
	author := r.story.people["author"]
	here, there := r.as(t, author), r.as(t, author)
	there.visit(r.story.page("/policies"))
	here.visit(r.story.page("/account"))
	here.follow("form[action$='/sign-out-everywhere'] button")
	here.says("h1", "Signed out")
	there.follow("tbody a")
	there.says("body", "Your session has ended")
	if status, me := author.try("GET", "/v1/me", nil); status != 200 {
		t.Errorf("the member's own token: %d %v; only sessions end", status, me)
	}
}

// TestJoining follows the link of an invitation.
func TestJoining(t *testing.T) {
	t.Parallel()
	r := need(t)
	invitation := r.story.invitation("joiner")
	b := r.open(t)
	b.visit("/console/join#" + invitation)
	b.until(`document.querySelector('#invitation').value !== ''`)
	if strings.Contains(b.address(), invitation) || b.remembers(invitation) {
		t.Errorf("the invitation stays in the address or the history: %s", b.address())
	}
	b.follow("main .btn.primary")
	b.says("h1", "You have joined acme")
	token := b.text(".secret code")
	b.follow("main .btn.primary")
	b.says(".rail", "Account")

	other := r.open(t)
	other.signIn(person{"the joiner", "", r.story.people["owner"].as(token)})
	again := r.open(t)
	again.expect("4")
	again.visit("/console/join#" + invitation)
	again.until(`document.querySelector('#invitation').value !== ''`)
	again.follow("main .btn.primary")
	if strings.Contains(again.text("h1"), "joined") {
		t.Errorf("an invitation works twice")
	}
}

func TestTheme(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["auditor"])
	b.visit(r.story.page("/search"))
	ground := func() (colour string) {
		b.eval(`getComputedStyle(document.body).backgroundColor`, &colour)
		return colour
	}
	light := ground()
	b.follow(".rail .theme button[value=dark]")
	dark := ground()
	if got := b.path(); got != r.story.page("/search") || !b.is(`document.documentElement.dataset.theme === 'dark'`) || dark == light {
		t.Errorf("at %s the ground is %s, and %s before dark was chosen", got, dark, light)
	}
	b.follow(".rail .theme button[value='']")
	if b.look(1440, "dark"); ground() != dark {
		t.Errorf("as the system asks for it, the ground is %s; as chosen it is %s", ground(), dark)
	}
}

// cookie is the cookie of a name, or nil.
func (b *tab) cookie(name string) (found *network.Cookie) {
	b.t.Helper()
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		all, err := network.GetCookies().WithURLs([]string{b.r.program.url + "/console/acme/"}).Do(ctx)
		for _, c := range all {
			if c.Name == name {
				found = c
			}
		}
		return err
	}))
	return found
}

// history lists the addresses and titles that the tab can go back to.
func (b *tab) history() (entries []*page.NavigationEntry) {
	b.t.Helper()
	b.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		_, entries, err = page.GetNavigationHistory().Do(ctx)
		return err
	}))
	return entries
}

// remembers reports whether the history holds a text.
func (b *tab) remembers(text string) bool {
	b.t.Helper()
	for _, e := range b.history() {
		if strings.Contains(e.URL+e.Title, text) {
			return true
		}
	}
	return false
}

// back goes back in the history.
func (b *tab) back() {
	b.t.Helper()
	b.run(chromedp.Evaluate(`setTimeout(() => history.back())`, nil))
}
