package consoletest

import (
	"fmt"
	"strings"
	"testing"
)

// TestPolicyWithAFault writes policies that can't be taken: the place is shown,
// and what was typed is kept.
func TestPolicyWithAFault(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["owner"])
	for _, row := range []struct{ name, source, want string }{
		{"no JSON", "{\n  \"workflow\": \"*\",\n  \"mode\" \"enforce\"\n}", "Line 3"},
		{"a condition that can't be read", "{\n  \"workflow\": \"*\",\n  \"mode\": \"shadow\",\n  \"default\": \"allow\",\n  \"rules\": [\n    {\"id\": \"one\", \"actions\": [\"a.b\"], \"effect\": \"deny\",\n     \"when\": \"action.params.amount >> 5\"}\n  ]\n}", "Line 7"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := b.during(t)
			b.visit(r.story.page("/policies/faulty/edit"))
			b.fill("#source", row.source)
			b.expect("400")
			b.follow("main form .btn.primary")
			b.says(".field-error", row.want)
			var kept string
			b.eval(`document.querySelector('#source').value`, &kept)
			if kept != row.source {
				t.Errorf("typed was\n%s\nkept is\n%s", row.source, kept)
			}
			if status, _ := r.story.people["owner"].try("GET", r.story.at("/policies/faulty"), nil); status != 404 {
				t.Errorf("the policy is there: %d", status)
			}
		})
	}
	b.fill("#source", `{"workflow": "quiet", "mode": "shadow", "default": "allow", "rules": []}`)
	b.follow("main form .btn.primary")
	b.says("main", "Version 1 is written")
}

// TestBudgetFigures holds that the page shows what the API says.
func TestBudgetFigures(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["owner"])
	b.visit(r.story.page("/budgets"))
	usage := r.story.people["owner"].do(200, "GET", r.story.at("/budgets/large-model/usage"), nil)
	var used float64
	for _, line := range usage["lines"].([]any) {
		if l := fields(line.(map[string]any)); l.text("amount") == "cost_micros" {
			used = l["used"].(float64)
		}
	}
	row := `[...document.querySelectorAll('tr')].find((tr) => tr.querySelector('a[href$="/budgets/large-model"]'))`
	if !b.is(row + `.querySelector('svg rect')`) {
		t.Errorf("budget large-model has no bar")
	}
	var shown string
	b.eval(row+`.innerText`, &shown)
	if want := fmt.Sprintf("%.4f EUR", used/1e6); used == 0 || !strings.Contains(shown, want) {
		t.Errorf("%s are used; shown is %s", want, shown)
	}
	b.eval(row+`.querySelector('.gauges a').dataset.mark = 'here'`, nil)
	b.follow("[data-mark=here]")
	b.found()
	if !b.is(`[...document.querySelectorAll('#hits tr.hit')].every((tr) => tr.innerText.includes('gpt-large') || tr.innerText.includes('budget.'))`) {
		t.Errorf("behind the number are\n%s", b.text("#hits"))
	}
}

// TestWhy asks why somebody may do something.
func TestWhy(t *testing.T) {
	t.Parallel()
	r := need(t)
	s := r.story
	b := r.as(t, s.people["owner"])
	for _, row := range []struct{ who, permission, answer, role string }{
		{"supervisor", "approval.decide", "Yes", "operations_supervisor"},
		{"auditor", "approval.decide", "No", "night_desk"},
	} {
		b.visit(s.page("/access"))
		b.eval(fmt.Sprintf(`document.querySelector('#actor').value = 'member:%s'; document.querySelector('#permission').value = %q`, s.people[row.who].id, row.permission), nil)
		b.follow("main form .btn.primary")
		b.says("#answer", row.answer)
		b.says("main", row.role)
		b.says("main", s.people[row.who].name)
	}
}

// TestInviting invites somebody in the page, who joins by the link that it shows.
func TestInviting(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["owner"])
	b.visit(r.story.page("/people/invite"))
	b.fill("#name", "Hans Guest")
	b.fill("#email", "hans@acme.example")
	b.follow("main form .btn.primary")
	guest := r.open(t)
	guest.visit(strings.TrimPrefix(b.text(".secret code"), r.program.url))
	guest.until(`document.querySelector('#invitation').value !== ''`)
	guest.follow("main .btn.primary")
	guest.says("h1", "You have joined acme")
	guest.follow("main .btn.primary")
	guest.visit(r.story.page("/account"))
	guest.says("main", "Hans Guest")
}

// TestHealthRenewsItself holds that the page of health asks again by itself, and
// keeps no session alive by that.
func TestHealthRenewsItself(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["owner"])
	b.visit(r.story.page("/health"))
	b.eval(`document.querySelector('#health').dataset.mark = 'old'`, nil)
	b.until(`document.querySelector('#health') && document.querySelector('#health').dataset.mark !== 'old'`)
	b.says("#health", "up to date")
}
