package consoletest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// rows counts the events that are shown.
const rows = `document.querySelectorAll('#hits tr.hit').length`

func TestSearchByTyping(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["auditor"])
	b.visit(r.story.page("/search"))
	b.click("#q")
	b.press("outcome:denied action:data.export")
	b.next(func() { b.press(kb.Enter) })
	if got := b.path(); !strings.Contains(got, "outcome=denied") || !strings.Contains(got, "action=data.export") {
		t.Errorf("what has no words has the address %s", got)
	}
	if !b.is(rows+" > 0") || b.is(`[...document.querySelectorAll('#hits tr.hit')].some((tr) => !tr.innerText.includes('data.export'))`) {
		t.Errorf("found is\n%s", b.text("#hits"))
	}
	b.follow(".chip .drop")
	if b.is(`document.querySelectorAll('.chips .chip').length !== 1`) {
		t.Errorf("a condition was removed, and left are %s", b.text(".chips"))
	}
	b.fill("#q", "outcome:denied cost>many")
	b.expect("400")
	b.follow("#search .btn.primary")
	b.says("#mark mark", "many")
	if !b.is(`document.querySelector('#q').value === 'outcome:denied cost>many'`) {
		t.Errorf("a query that can't be read is not kept")
	}
}

// TestWordsStayHidden holds that words somebody looks for are in no address, no
// history, and no title.
func TestWordsStayHidden(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["auditor"])
	b.visit(r.story.page("/search"))
	b.click("#q")
	b.press(`Zimtstern workflow:invoices`)
	b.next(func() { b.press(kb.Enter) })
	if !b.is(rows + " > 0") {
		t.Fatalf("nothing is found:\n%s", b.text("main"))
	}
	b.follow(".facets .facet li a, .facets .facet li button") // from there on, too
	b.follow("#hits a.name")
	b.follow(".crumbs a")
	b.mu.Lock()
	for _, address := range b.asked {
		if strings.Contains(address, "Zimtstern") {
			t.Errorf("the word stands in the address %s", address)
		}
	}
	b.mu.Unlock()
	if b.remembers("Zimtstern") {
		t.Errorf("the word stands in the history")
	}
	if log := r.program.errs.String(); strings.Contains(log, "Zimtstern") {
		t.Errorf("the word stands in the program's log")
	}
}

func TestSearchByFacets(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["auditor"])
	b.visit(r.story.page("/search?type=execution.*"))
	var count string
	b.eval(`document.querySelector('[data-term="workflow:research"] .num').innerText`, &count)
	b.follow(`[data-term="workflow:research"] > a`)
	if got := b.path(); !strings.Contains(got, "workflow=research") {
		t.Errorf("a facet leads to %s", got)
	}
	if !b.is(rows + " === " + count) {
		t.Errorf("%s events were counted; shown are\n%s", count, b.text("#hits"))
	}
	b.follow(`[data-term="outcome:started"] .not`)
	if b.is(`[...document.querySelectorAll('#hits tr.hit')].some((tr) => tr.innerText.includes('started\n'))`) || !b.is(`document.querySelector('.chip.not')`) {
		t.Errorf("left out was started; shown are\n%s", b.text("#hits"))
	}
}

func TestCompletionByKeyboard(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["auditor"])
	b.visit(r.story.page("/search"))
	b.click("#q")
	b.press("outc")
	b.until(`document.querySelector('#q').getAttribute('aria-expanded') === 'true' && document.querySelectorAll('#options li').length === 1`)
	b.press(kb.ArrowDown)
	if !b.is(`document.getElementById(document.querySelector('#q').getAttribute('aria-activedescendant')).innerText.startsWith('outcome:')`) {
		t.Errorf("chosen is nothing, or another, of\n%s", b.text("#options"))
	}
	b.press(kb.Enter + "denied")
	b.press(kb.Escape)
	if !b.is(`document.querySelector('#options').hidden && document.querySelector('#q').value === 'outcome:denied'`) {
		t.Errorf("typed is %s", b.text("#q"))
	}
	b.press(" workfl" + kb.ArrowDown + kb.Enter + "supp" + kb.ArrowDown + kb.Enter)
	b.until(`document.querySelector('#q').value === 'outcome:denied workflow:support '`)
	b.next(func() { b.press(kb.Enter) })
	if got := b.path(); !strings.Contains(got, "outcome=denied") || !strings.Contains(got, "workflow=support") {
		t.Errorf("completed, the query leads to %s", got)
	}
}

// TestBrush drags over the histogram.
func TestBrush(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["auditor"])
	b.visit(r.story.page("/search"))
	b.until(`!document.querySelector('.brushing').hidden`)
	var box struct{ X, Y, Width, Height, Bars, Start, Every float64 }
	b.eval(`(() => { const e = document.querySelector('.bars'), r = e.getBoundingClientRect();
		return { x: r.x, y: r.y, width: r.width, height: r.height, bars: e.children.length, start: Number(e.dataset.start), every: Number(e.dataset.every) }; })()`, &box)
	if box.Bars < 2 {
		t.Fatalf("there are %v bars to brush", box.Bars)
	}
	middle := func(bar float64) (float64, float64) {
		return box.X + (bar+0.5)*box.Width/box.Bars, box.Y + box.Height/2
	}
	x0, y := middle(0)
	x1, _ := middle(1)
	b.next(func() {
		b.run(input.DispatchMouseEvent(input.MousePressed, x0, y).WithButton(input.Left).WithClickCount(1),
			input.DispatchMouseEvent(input.MouseMoved, (x0+x1)/2, y).WithButton(input.Left),
			input.DispatchMouseEvent(input.MouseMoved, x1, y).WithButton(input.Left),
			input.DispatchMouseEvent(input.MouseReleased, x1, y).WithButton(input.Left).WithClickCount(1))
	})
	clock := func(seconds float64) string { return time.Unix(int64(seconds), 0).UTC().Format("2006-01-02T15:04:05") }
	from, to := clock(box.Start), clock(box.Start+2*box.Every)
	if !b.is(fmt.Sprintf(`document.querySelector('#from').value.startsWith(%q) && document.querySelector('#to').value.startsWith(%q)`, from[:16], to[:16])) || !strings.Contains(b.path(), "from=") {
		t.Errorf("brushed from %s to %s, the page is %s", from, to, b.path())
	}
	if !b.is(rows + " > 0") {
		t.Errorf("in the first two bars there is nothing:\n%s", b.text("main"))
	}
}

// TestLiveTail follows a search while something happens.
func TestLiveTail(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["auditor"])
	b.visit(r.story.page("/search?workflow=followed"))
	b.says("#none", "Nothing was found")
	b.click("#tail")
	b.until(`document.querySelector('#tail-status').innerText.includes('Following.')`)
	asked := r.story.request(r.story.agents["support-bot"].client, "followed", callModel)
	b.until(rows + " > 0 && document.querySelector('#hits').innerText.includes('execution.')")
	if !b.is(`document.querySelector('#hits tr.fresh') && !document.querySelector('#none')`) {
		t.Errorf("the new event is not marked as new:\n%s", b.text("main"))
	}
	b.click("#tail")
	b.until(`document.querySelector('#tail-status').innerText.startsWith('Stopped.')`)
	b.follow("#hits a.name")
	b.says("main", asked.text("id")[:6])
}

// TestSavedSearch saves a search with words, and gives the link to somebody else.
func TestSavedSearch(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["auditor"])
	b.visit(r.story.page("/search"))
	b.fill("#q", `Zimtstern type:execution.*`)
	b.follow("#search .btn.primary")
	if !b.is(rows + " > 0") {
		t.Fatalf("nothing is found:\n%s", b.text("main"))
	}
	b.click("[aria-labelledby=saved] summary")
	b.fill("#name", "the invoice")
	b.follow("[aria-labelledby=saved] .form .btn")
	link := b.path()
	if !strings.Contains(link, "saved=") || strings.Contains(link, "Zimtstern") {
		t.Fatalf("the saved search has the address %s", link)
	}
	if !b.is(`[...document.querySelectorAll('[data-copy]')].some((e) => e.dataset.copy === location.href)`) {
		t.Errorf("there is no link to copy that is %s", b.address())
	}
	other := r.as(t, r.story.people["owner"])
	other.visit(link)
	if !other.is(rows+" > 0") || !other.is(rows+" === "+fmt.Sprint(b.count(rows))) {
		t.Errorf("somebody else finds\n%s\nnot\n%s", other.text("#hits"), b.text("#hits"))
	}
	other.says(".chips", "the invoice")
	if other.remembers("Zimtstern") {
		t.Errorf("the words stand in the history of who follows the link")
	}
}

func (b *tab) count(script string) (n int) {
	b.t.Helper()
	b.eval(script, &n)
	return n
}

// TestExport takes a file away.
func TestExport(t *testing.T) {
	t.Parallel()
	r := need(t)
	folder := t.TempDir()
	b := r.as(t, r.story.people["auditor"])
	if err := cdpbrowser.SetDownloadBehavior(cdpbrowser.SetDownloadBehaviorBehaviorAllow).WithBrowserContextID(b.jar).WithDownloadPath(folder).Do(r.browser.executor()); err != nil {
		t.Fatal(err)
	}
	b.visit(r.story.page("/search?outcome=denied"))
	shown := b.count(rows)
	b.click("[aria-labelledby=export] summary")
	b.fill("#export-reason", "audit of the browser tests")
	b.click("[aria-labelledby=export] .btn")
	var text string
	for end := time.Now().Add(patience); time.Now().Before(end) && text == ""; time.Sleep(20 * time.Millisecond) {
		if files, _ := filepath.Glob(filepath.Join(folder, "*.csv")); len(files) == 1 {
			raw, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			text = string(raw)
		}
	}
	if lines := strings.Count(strings.TrimSpace(text), "\n"); lines < shown || shown == 0 || !strings.Contains(text, "execution.") {
		t.Errorf("%d events are shown; the file says\n%s", shown, text)
	}
	exports := r.story.people["owner"].do(200, "GET", r.story.at("/events?limit=100&type=access.exported.v1"), nil).items()
	if len(exports) == 0 || exports[len(exports)-1].text("actor") != "member:"+r.story.people["auditor"].id {
		t.Errorf("the trail holds %v of the export", exports)
	}
}

// TestFirstSearchIsSmall holds how much a first visit transfers.
func TestFirstSearchIsSmall(t *testing.T) {
	t.Parallel()
	r := need(t)
	b := r.as(t, r.story.people["auditor"])
	b.run(chromedp.ActionFunc(func(ctx context.Context) error { return clearCache(ctx) }))
	b.visit(r.story.page("/search"))
	b.until(`performance.getEntriesByType('resource').length > 5`)
	if got := b.count(`performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource')).reduce((n, e) => n + e.transferSize, 0)`); got > 150_000 || got < 20_000 {
		t.Errorf("the first search page transfers %d bytes", got)
	}
}
