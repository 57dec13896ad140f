package consoletest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// binding is how a page tells the test what happens in it.
const binding = "consoletest"

// watcher runs first in every document. It tells of what the policy forbade, and
// of a hostile text that ran.
const watcher = `(() => {
	const tell = (text) => globalThis.` + binding + `?.(text);
	let hacked;
	Object.defineProperty(globalThis, 'hacked', { get: () => hacked, set: (v) => { hacked = v; tell('a hostile text ran at ' + location.href); } });
	addEventListener('securitypolicyviolation', (e) => tell('against the policy: ' + e.effectiveDirective + ' ' + e.blockedURI + ' in ' + e.sourceFile + ':' + e.lineNumber));
})()`

// watch notes what must not happen.
func (b *tab) watch(event any) {
	switch e := event.(type) {
	case *runtime.EventBindingCalled:
		if e.Name == binding {
			b.note("%s", e.Payload)
		}
	case *runtime.EventExceptionThrown:
		b.note("exception: %v", e.ExceptionDetails)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeAssert || e.Type == runtime.APITypeWarning {
			b.note("console: %s", words(e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Source == log.SourceSecurity || e.Entry.Source == log.SourceViolation {
			b.note("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		b.note("a dialog says %q", e.Message)
	case *network.EventRequestWillBeSent:
		b.leaves(e.Request.URL)
	case *network.EventResponseReceived:
		b.mu.Lock()
		if e.Type == network.ResourceTypeDocument {
			b.status = int(e.Response.Status)
		}
		b.mu.Unlock()
		if e.Response.Status >= 400 {
			b.note("answer %d: %s", e.Response.Status, e.Response.URL)
		}
	case *network.EventLoadingFailed:
		if !e.Canceled {
			b.note("not loaded: %s", e.ErrorText)
		}
	}
}

func words(args []*runtime.RemoteObject) string {
	var out []string
	for _, a := range args {
		var text string
		if json.Unmarshal(a.Value, &text) != nil {
			text = string(a.Value) + a.Description
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// leaves notes a request for anything but the program, and the one other address
// that a test may name.
func (b *tab) leaves(address string) {
	u, err := url.Parse(address)
	if err == nil && (u.Scheme == "data" || u.Scheme == "blob" || u.Scheme == "about") {
		return
	}
	b.mu.Lock()
	b.asked = append(b.asked, address)
	beyond := b.beyond
	b.mu.Unlock()
	if !strings.HasPrefix(address, b.r.program.url+"/") && (beyond == "" || !strings.HasPrefix(address, beyond)) {
		b.note("a request leaves for %s", address)
	}
}

func (b *tab) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bad = append(b.bad, fmt.Sprintf(format, args...))
}

// expect says that something with all these parts is no failure.
func (b *tab) expect(parts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, parts)
}

// unexpected is what went wrong.
func (b *tab) unexpected() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.bad), func(note string) bool {
		return slices.ContainsFunc(b.expected, func(parts []string) bool {
			return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(note, part) })
		})
	})
}

// judge fails the test for what went wrong and was not expected.
func (b *tab) judge() {
	b.t.Helper()
	for _, note := range b.unexpected() {
		b.t.Errorf("in the browser: %s", note)
	}
	if b.t.Failed() {
		b.r.browser.mu.Lock()
		defer b.r.browser.mu.Unlock()
		for _, text := range b.r.browser.unread {
			b.t.Logf("the browser's reports: %s", text)
		}
	}
}

// TestWatch holds that what must not happen in a page is seen.
func TestWatch(t *testing.T) {
	t.Parallel()
	r := need(t)
	bad := map[string]struct{ body, want string }{
		"/inline":    {`<script>window.hacked=1</script>`, "against the policy: script-src"},
		"/style":     {`<p style="color:red">x</p>`, "against the policy: style-src"},
		"/elsewhere": {`<img src="http://127.0.0.1:9/x.png" alt="">`, "a request leaves for http://127.0.0.1:9/x.png"},
		"/absent":    {`<script src="/nothing.js"></script>`, "answer 404"},
		"/console":   {`<script src="/error.js"></script>`, "console: oh dear"},
		"/throws":    {`<script src="/throw.js"></script>`, "exception: "},
		"/hacked":    {`<script src="/hack.js"></script>`, "a hostile text ran at "},
	}
	scripts := map[string]string{"/error.js": `console.error("oh", "dear")`, "/throw.js": `throw new Error("no")`, "/hack.js": `window.hacked = 1`}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src http:")
		switch script, ok := scripts[req.URL.Path]; {
		case ok:
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = fmt.Fprint(w, script)
		case bad[req.URL.Path].body != "":
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(w, `<!doctype html><link rel="icon" href="data:,"><title>x</title>%s`, bad[req.URL.Path].body)
		default:
			http.NotFound(w, req)
		}
	}))
	t.Cleanup(server.Close)
	other := *r
	other.program = &program{url: server.URL}
	for path, row := range bad {
		t.Run(path[1:], func(t *testing.T) {
			b := other.open(t)
			b.visit(path)
			for range 500 {
				if slices.ContainsFunc(b.unexpected(), func(note string) bool { return strings.Contains(note, row.want) }) {
					b.expect("") // all of it
					return
				}
				b.until("true")
			}
			t.Errorf("noted are %q, want one with %q", b.unexpected(), row.want)
		})
	}
}
