package consoletest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// sheet is a page as it is looked at.
type sheet struct {
	name string
	by   string // role of who looks; "" for nobody
	path string
	then func(*tab) // leads on from there, to what only a form answers
	want string     // words that have to be there
	fine [][]string // what may be noted
}

func sheets(s story) []sheet {
	return []sheet{
		{name: "sign-in", path: "/console/?again=1", want: "Sign in"},
		{name: "sign-in-refused", path: "/console/?again=1", then: func(b *tab) { b.fill("#token", "clw_wrong"); b.follow("main .btn.primary") }, want: "does not work", fine: [][]string{{"401"}}},
		{name: "join", path: "/console/join", want: "Join a workspace"},
		{name: "joined", path: "/console/join", then: func(b *tab) { b.fill("#invitation", s.invitation("page")); b.follow("main .btn.primary") }, want: "You have joined"},
		{name: "signed-out", path: "/console/signed-out", want: "Signed out"},
		{name: "no-such-page", by: "owner", path: s.page("/nothing"), want: "page", fine: [][]string{{"404"}}},

		{name: "search", by: "owner", path: s.page("/search"), want: "Narrow down"},
		{name: "search-nothing", by: "owner", path: s.page("/search?workflow=nothing"), want: "Nothing was found"},
		{name: "search-words", by: "owner", path: s.page("/search"), then: func(b *tab) { b.fill("#q", `"matches the order"`); b.follow("#search .btn.primary") }, want: "These events hold the words"},
		{name: "search-opened", by: "owner", path: s.page("/search"), then: func(b *tab) {
			b.fill("#q", `"matches the order"`)
			b.follow("#search .btn.primary")
			b.fill("#reason", "looking at pages")
			b.follow(".settle .btn")
		}, want: "was opened"},
		{name: "search-refused", by: "owner", path: s.page("/search"), then: func(b *tab) { b.fill("#q", `outcome:denied cost>many`); b.follow("#search .btn.primary") }, want: "can't be read", fine: [][]string{{"400"}}},
		{name: "event", by: "owner", path: s.page("/events/" + s.event("execution.prompt_recorded.v1")), want: "Check it yourself"},
		{name: "event-verified", by: "owner", path: s.page("/events/" + s.event("execution.prompt_recorded.v1")), then: func(b *tab) { b.click("#verify button"); b.until(verdict) }, want: "Verified"},
		{name: "event-opened", by: "owner", path: s.page("/events/" + s.event("execution.prompt_recorded.v1")), then: func(b *tab) { b.fill("#reason", "looking at pages"); b.follow("[aria-labelledby=content] .btn") }, want: s.invoice},

		{name: "executions", by: "owner", path: s.page("/executions"), want: "invoices"},
		{name: "executions-none", by: "owner", path: s.page("/executions?workflow=nothing"), want: "No execution fits"},
		{name: "execution-finished", by: "owner", path: s.page("/executions/" + s.finished), want: "From request to outcome"},
		{name: "execution-running", by: "owner", path: s.page("/executions/" + s.running), want: "Close"},
		{name: "execution-denied", by: "owner", path: s.page("/executions/" + s.denied), want: "does not leave the company"},
		{name: "execution-waiting", by: "owner", path: s.page("/executions/" + s.graveExecution), want: "Approval"},
		{name: "approvals", by: "supervisor", path: s.page("/approvals"), want: "for you"},
		{name: "approvals-none", by: "supervisor", path: s.page("/approvals?status=expired"), want: "No approvals in this state"},
		{name: "approval-small", by: "supervisor", path: s.page("/approvals/" + s.small), want: "Decide"},
		{name: "approval-grave", by: "supervisor", path: s.page("/approvals/" + s.grave), want: "What it changes"},
		{name: "approval-confirm", by: "supervisor", path: s.page("/approvals/" + s.grave), then: func(b *tab) { b.fill("#approve-reason", "looking at pages"); b.follow(".decide .btn.primary") }, want: "Approve this?"},
		{name: "approval-decided", by: "supervisor", path: s.page("/approvals/" + s.decided), want: "checked against the order"},
		{name: "grants", by: "supervisor", path: s.page("/grants"), want: "communication.send"},
		{name: "grant", by: "supervisor", path: s.page("/grants/" + s.grant), want: "during the fair"},
		{name: "delegations", by: "supervisor", path: s.page("/delegations"), want: "away at the fair"},
		{name: "budgets", by: "owner", path: s.page("/budgets"), want: "company-month"},
		{name: "budget", by: "owner", path: s.page("/budgets/company-month"), want: "gpt-large"},
		{name: "budget-edit", by: "owner", path: s.page("/budgets/company-month/edit"), want: "company-month"},
		{name: "prices", by: "owner", path: s.page("/prices"), want: "gpt-large"},

		{name: "people", by: "owner", path: s.page("/people"), want: "Sofia Supervisor"},
		{name: "member", by: "owner", path: s.page("/people/members/" + s.people["supervisor"].id), want: "operations_supervisor"},
		{name: "invite", by: "owner", path: s.page("/people/invite"), want: "Invite"},
		{name: "invited", by: "owner", path: s.page("/people/invite"), then: func(b *tab) {
			b.fill("#name", "Gerda Guest")
			b.fill("#email", "gerda@acme.example")
			b.follow("main form .btn.primary")
		}, want: "/console/join#"},
		{name: "agents", by: "owner", path: s.page("/people/agents"), want: "billing-bot"},
		{name: "agent", by: "owner", path: s.page("/people/agents/" + s.agents["billing-bot"].id), want: "production"},
		{name: "new-agent", by: "owner", path: s.page("/people/new-agent"), want: "agent"},
		{name: "tokens", by: "owner", path: s.page("/people/tokens"), want: "production"},
		{name: "roles", by: "owner", path: s.page("/people/roles"), want: "night_desk"},
		{name: "role", by: "owner", path: s.page("/people/roles/night_desk"), want: "night shift"},
		{name: "new-role", by: "owner", path: s.page("/people/new-role"), want: "role"},
		{name: "access", by: "owner", path: s.page("/access"), want: "Who may do what now"},
		{name: "access-why", by: "owner", path: s.page("/access?actor=member:" + s.people["supervisor"].id + "&permission=approval.decide"), want: "Yes"},
		{name: "policies", by: "owner", path: s.page("/policies"), want: "no-exports"},
		{name: "policy", by: "owner", path: s.page("/policies/payments"), want: "Large payments need a supervisor"},
		{name: "policy-versions", by: "owner", path: s.page("/policies/payments/versions"), want: "20000"},
		{name: "policy-edit", by: "owner", path: s.page("/policies/payments/edit"), want: "Source"},
		{name: "policy-fault", by: "owner", path: s.page("/policies/payments/edit"), then: func(b *tab) {
			b.fill("#source", "{\n \"workflow\": \"*\",\n oh\n}")
			b.follow("main form .btn.primary")
		}, want: "no JSON", fine: [][]string{{"400"}}},
		{name: "health", by: "owner", path: s.page("/health"), want: "up to date"},
		{name: "account", by: "supervisor", path: s.page("/account"), want: "Sign out everywhere"},
	}
}

// verdict holds once the page has checked a record.
const verdict = `!document.querySelector('.verdict').hidden && document.querySelector('.verdict').dataset.state !== 'running'`

// invitation makes one that nobody has used.
func (o office) invitation(name string) string {
	return o.people["owner"].do(201, "POST", o.at("/members"), fields{"email": name + "@" + o.ws + ".example", "name": "New " + name, "roles": []string{"member"}}).text("invitation_token")
}

// event is the id of the first event of a type.
func (o office) event(kind string) string {
	owner := o.people["owner"]
	found := owner.do(200, "GET", o.at("/events?limit=1&type="+kind), nil).items()
	if len(found) == 0 {
		owner.t.Fatalf("there is no event %s", kind)
	}
	return found[0].text("id")
}

// sight is a width and a theme, and whether everything that can be folded up is open.
type sight struct {
	width  int64
	theme  string
	opened bool
	rules  string // of axe-core
}

var sights = []sight{{1440, "light", false, everyRule}, {1440, "dark", false, colours}, {360, "light", true, everyRule}, {360, "dark", true, colours}}

// TestPages looks at every page as it is on a wide screen and on a phone, light
// and dark.
func TestPages(t *testing.T) {
	t.Parallel()
	r := need(t)
	const parts = 2 // at the same time
	for part := range parts {
		t.Run(fmt.Sprint("part ", part+1), func(t *testing.T) {
			t.Parallel()
			tabs := map[string]*tab{"": r.open(t)}
			for i, s := range sheets(r.story) {
				if i%parts != part {
					continue
				}
				if tabs[s.by] == nil {
					tabs[s.by] = r.as(t, r.story.people[s.by])
				}
				t.Run(s.name, func(t *testing.T) { tabs[s.by].during(t).inspect(s) })
			}
		})
	}
}

// during lends the tab to a subtest.
func (b *tab) during(t *testing.T) *tab {
	before := b.t
	b.t = t
	t.Cleanup(func() {
		b.judge()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.t, b.bad, b.expected = before, nil, nil
	})
	return b
}

// inspect looks at a page in all sights.
func (b *tab) inspect(s sheet) {
	b.t.Helper()
	b.expected = append(b.expected, s.fine...)
	b.look(1440, "light")
	b.visit(s.path)
	if s.then != nil {
		s.then(b)
	}
	b.reads(s.want)
	for _, look := range sights {
		b.look(look.width, look.theme)
		b.unfold(look.opened)
		where := fmt.Sprintf("%d px, %s", look.width, look.theme)
		b.shoot(fmt.Sprintf("%s-%d-%s", s.name, look.width, look.theme))
		b.wellFormed(where, look.width)
		for _, f := range b.findings(look.rules) {
			if f.serious() {
				b.t.Errorf("%s: %s", where, f)
			}
		}
	}
	for _, width := range []int64{820, 1024, 1280} { // between a phone and a wide screen
		b.look(width, "light")
		b.wellFormed(fmt.Sprintf("%d px", width), width)
	}
}

// unfold opens what can be folded up, but the menu, which lies over the page.
func (b *tab) unfold(open bool) {
	b.t.Helper()
	if open {
		b.eval(`for (const d of document.querySelectorAll('main details')) d.open = true`, nil)
	}
}

// wellFormed holds that a page has a title, one heading of the first order, and
// nothing beside the window or beside its panel.
func (b *tab) wellFormed(where string, width int64) {
	b.t.Helper()
	var shape struct {
		Title, Heading, Beside string
		Headings, Width        int
	}
	b.eval(`(() => {
		const width = document.documentElement.scrollWidth, beyond = (e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'visible';
		const beside = [...document.querySelectorAll('main .panel, main .card')].find(beyond) ?? (width > `+fmt.Sprint(width)+` && [...document.querySelectorAll('main *')].find((e) => e.getBoundingClientRect().right > `+fmt.Sprint(width)+` + 0.5));
		return { title: document.title, heading: document.querySelector('h1')?.innerText ?? '', headings: document.querySelectorAll('h1').length, width, beside: beside ? beside.outerHTML.slice(0, 200) + ' ' + beside.scrollWidth + ' > ' + beside.clientWidth : '' };
	})()`, &shape)
	if !strings.Contains(shape.Title, " · ") || shape.Headings != 1 || strings.TrimSpace(shape.Heading) == "" {
		b.t.Errorf("%s: title %q, %d headings of the first order, %q", where, shape.Title, shape.Headings, shape.Heading)
	}
	if int64(shape.Width) > width || shape.Beside != "" {
		b.t.Errorf("%s: the page is %d wide, or something stands beside its panel: %s", where, shape.Width, shape.Beside)
	}
}

// shoot keeps a picture of the whole page, if somebody wants it.
func (b *tab) shoot(name string) {
	b.t.Helper()
	folder := os.Getenv("CLAWLEDGER_SCREENSHOTS")
	if folder == "" {
		return
	}
	var picture []byte
	b.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		_, _, _, _, _, size, err := page.GetLayoutMetrics().Do(ctx)
		if err != nil {
			return err
		}
		picture, err = page.CaptureScreenshot().WithCaptureBeyondViewport(true).WithClip(&page.Viewport{Width: size.Width, Height: min(size.Height, 4000), Scale: 1}).Do(ctx)
		return err
	}))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
