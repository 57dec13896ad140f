package consoletest

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// TestWithoutScripts signs in, searches, opens a record and approves, in a
// browser that runs no script.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	r := need(t)
	s := r.story
	b := r.open(t)
	b.run(emulation.SetScriptExecutionDisabled(true))
	b.signIn(s.people["owner"])
	b.visit(s.page("/search"))
	b.fill("#q", "outcome:denied")
	b.follow("#search .btn.primary")
	b.says("#hits", "denied")
	if got := b.path(); !strings.Contains(got, "outcome=denied") {
		t.Errorf("the search has the address %s", got)
	}
	b.fill("#q", "Zimtstern")
	b.follow("#search .btn.primary")
	b.follow("#hits a.name")
	b.says("main", "Who, when and why")
	if !b.is(`document.querySelector('#verify button').hidden`) {
		t.Errorf("a button is shown that does nothing without scripts")
	}
	b.fill("#reason", "without scripts")
	b.follow("[aria-labelledby=content] .btn")
	b.says("main", "This was opened")
	b.follow(".rail a[href$='/health']")
	b.says("h1", "Health")

	id := s.high()
	b = r.open(t)
	b.run(emulation.SetScriptExecutionDisabled(true))
	b.signIn(s.people["supervisor"])
	b.visit(s.page("/approvals"))
	b.follow(`tbody a[href$="` + id + `"]`)
	b.fill("#approve-reason", "without scripts")
	b.follow(".decide .btn.primary")
	b.says("h1", "Approve this?")
	b.fill("#confirm", b.text("main mark"))
	b.follow("main .btn.primary")
	b.says("main", "Approved.")
	if got := s.status(id); got != "approved" {
		t.Errorf("the approval is %s", got)
	}
	b.look(360, "light") // the menu of a phone opens without a script, too
	b.click(".topbar summary")
	b.follow(".topbar a[href$='/budgets']")
	b.says("h1", "Budgets")
	b.click(".topbar summary")
	b.follow(".topbar form[action$='/sign-out'] button")
	b.says("h1", "Signed out")
}
