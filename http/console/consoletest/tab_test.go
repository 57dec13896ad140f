package consoletest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a page of the browser. What goes wrong in it fails the test at its end,
// unless it was expected.
type tab struct {
	t   *testing.T
	r   *rig
	ctx context.Context
	jar cdp.BrowserContextID // whose cookies it has

	mu       sync.Mutex
	bad      []string
	expected [][]string
	asked    []string // addresses of requests
	status   int      // of the last document
	beyond   string   // another address that the tab may go to
}

// open opens a tab that knows nothing of others.
func (r *rig) open(t *testing.T) *tab {
	t.Helper()
	id, err := target.CreateBrowserContext().Do(r.browser.executor())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.DisposeBrowserContext(id).Do(r.browser.executor()) })
	return r.tab(t, id)
}

// beside opens another tab, with the same cookies.
func (b *tab) beside() *tab {
	b.t.Helper()
	return b.r.tab(b.t, b.jar)
}

// tab opens a tab in a context of the browser. It has a window of its own and
// always the focus, whatever other tests do.
func (r *rig) tab(t *testing.T, jar cdp.BrowserContextID) *tab {
	t.Helper()
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(jar).WithNewWindow(true).Do(r.browser.executor())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(r.browser.ctx, chromedp.WithTargetID(id))
	b := &tab{t: t, r: r, ctx: ctx, jar: jar}
	t.Cleanup(func() {
		b.judge()
		cancel()
	})
	chromedp.ListenTarget(ctx, b.watch)
	b.run(runtime.AddBinding(binding), emulation.SetFocusEmulationEnabled(true), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(watcher).Do(ctx)
		return err
	}))
	b.look(1440, "light")
	return b
}

// run does things in the tab.
func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := b.try(actions...); err != nil {
		b.t.Fatalf("in the browser, at %s: %v", b.address(), err)
	}
}

func (b *tab) try(actions ...chromedp.Action) error {
	done := make(chan error, 1)
	go func() { done <- chromedp.Run(b.ctx, actions...) }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return fmt.Errorf("nothing for %s", patience)
	}
}

// address is where the tab is.
func (b *tab) address() (url string) {
	_ = b.try(chromedp.Location(&url))
	return url
}

// path is the address without the program's.
func (b *tab) path() string { return strings.TrimPrefix(b.address(), b.r.program.url) }

// eval evaluates a script, and waits for what it promises.
func (b *tab) eval(script string, out any) {
	b.t.Helper()
	b.run(chromedp.Evaluate(script, out, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

// is evaluates a condition.
func (b *tab) is(condition string) (yes bool) {
	b.t.Helper()
	b.eval("Boolean("+condition+")", &yes)
	return yes
}

// until waits for a condition to hold. Meanwhile the page may be another.
func (b *tab) until(condition string) {
	b.t.Helper()
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var yes bool
		if last = b.try(chromedp.Evaluate("Boolean("+condition+")", &yes)); yes {
			return
		}
	}
	b.t.Fatalf("at %s it never holds that %s (%v); the page says\n%s", b.address(), condition, last, b.text("body"))
}

// next does something that leads to another document, and waits for it.
func (b *tab) next(do func()) {
	b.t.Helper()
	mark := fmt.Sprintf("document.__was_%d", time.Now().UnixNano())
	b.eval(mark+" = true", nil)
	do()
	b.until("!" + mark + " && document.readyState === 'complete' && location.href !== 'about:blank'")
}

// visit goes to an address of the program and answers the status.
func (b *tab) visit(path string) int {
	b.t.Helper()
	return b.load(b.r.program.url + path)
}

// load goes to any address.
func (b *tab) load(address string) int {
	b.t.Helper()
	b.next(func() {
		b.run(chromedp.ActionFunc(func(ctx context.Context) error {
			_, _, _, _, err := page.Navigate(address).Do(ctx)
			return err
		}))
	})
	return b.answered()
}

// goBeyond goes to an address that is not the program's.
func (b *tab) goBeyond(address string) {
	b.t.Helper()
	b.mu.Lock()
	b.beyond = address
	b.mu.Unlock()
	b.load(address)
}

// answered is the status of the last document.
func (b *tab) answered() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// click clicks on what a selector finds first.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.one(selector)
	b.run(chromedp.Click(selector, chromedp.ByQuery))
}

// follow clicks on what leads to another document.
func (b *tab) follow(selector string) {
	b.t.Helper()
	b.next(func() { b.click(selector) })
}

// one fails if there is nothing to do something with.
func (b *tab) one(selector string) {
	b.t.Helper()
	if !b.is(fmt.Sprintf("document.querySelector(%q)", selector)) {
		b.t.Fatalf("at %s there is no %s; the page says\n%s", b.address(), selector, b.text("body"))
	}
}

// fill puts text into a field, as pasting does.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.one(selector)
	b.run(chromedp.Focus(selector, chromedp.ByQuery), chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q).select?.()", selector), nil), input.InsertText(text))
}

// press presses keys, one after the other, as a keyboard does: what a script
// prevents at keydown types nothing.
func (b *tab) press(keys string, modifiers ...input.Modifier) {
	b.t.Helper()
	var held input.Modifier
	for _, m := range modifiers {
		held |= m
	}
	for _, r := range keys {
		key, known := kb.Keys[r]
		if !known {
			b.t.Fatalf("there is no key for %q", r)
		}
		with := held
		if key.Shift {
			with |= input.ModifierShift
		}
		press := func(kind input.KeyType) *input.DispatchKeyEventParams {
			return input.DispatchKeyEvent(kind).WithKey(key.Key).WithCode(key.Code).WithWindowsVirtualKeyCode(key.Windows).WithModifiers(with)
		}
		down := press(input.KeyDown)
		if held&^input.ModifierShift == 0 {
			down = down.WithText(key.Text).WithUnmodifiedText(key.Unmodified)
		}
		b.run(down, press(input.KeyUp))
	}
}

// text is what can be read in an element, "" if there is none.
func (b *tab) text(selector string) (text string) {
	_ = b.try(chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector), &text))
	return text
}

// reads fails if nothing on the page, fields included, has the text.
func (b *tab) reads(text string) {
	b.t.Helper()
	var all string
	b.eval(`document.body.innerText + "\n" + [...document.querySelectorAll('input, textarea')].map((f) => f.value).join("\n")`, &all)
	if !strings.Contains(all, text) {
		b.t.Errorf("at %s there is no %q in\n%s", b.address(), text, all)
	}
}

// says fails if an element does not have the text.
func (b *tab) says(selector, text string) {
	b.t.Helper()
	if got := b.text(selector); !strings.Contains(got, text) {
		b.t.Errorf("at %s: %s says %q, want %q in it", b.address(), selector, got, text)
	}
}

// look sets the width and the theme that the system asks for.
func (b *tab) look(width int64, theme string) {
	b.t.Helper()
	height := int64(900)
	if width < 600 {
		height = 740
	}
	b.run(emulation.SetDeviceMetricsOverride(width, height, 1, width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}))
}

// signIn signs somebody in by the form.
func (b *tab) signIn(p person) {
	b.t.Helper()
	b.visit("/console/?again=1")
	b.fill("#token", p.token)
	b.follow("main .btn.primary")
	if strings.HasPrefix(b.path(), "/console/?") {
		b.t.Fatalf("%s is not signed in; the page says\n%s", p.name, b.text("main"))
	}
}

// as opens a tab where somebody is signed in.
func (r *rig) as(t *testing.T, p person) *tab {
	t.Helper()
	b := r.open(t)
	b.signIn(p)
	return b
}
