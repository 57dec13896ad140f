package consoletest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The rules that pages are held to: WCAG up to 2.2, AA; and those of them that
// look at colours, which is all that themes differ in.
const (
	everyRule = `{type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}`
	colours   = `{type: "rule", values: ["color-contrast", "link-in-text-block"]}`
)

// finding is a violation that axe-core reports.
type finding struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML, FailureSummary string
		Target               []any
	}
}

// serious reports whether it keeps somebody from using the page.
func (f finding) serious() bool { return f.Impact == "serious" || f.Impact == "critical" }

func (f finding) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s (%s): %s", f.ID, f.Impact, f.Help)
	for i, n := range f.Nodes {
		if i == 4 {
			fmt.Fprintf(&out, "\n    and %d more", len(f.Nodes)-i)
			break
		}
		fmt.Fprintf(&out, "\n    %v %.200s\n    %s", n.Target, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " "))
	}
	return out.String()
}

// findings runs axe-core over the page as it looks now.
func (b *tab) findings(rules string) (out []finding) {
	b.t.Helper()
	if !b.is("globalThis.axe") {
		b.run(chromedp.Evaluate(b.r.axe+";0", nil))
	}
	b.eval(`axe.run(document, {runOnly: `+rules+`, resultTypes: ["violations"]}).then((r) => r.violations.map((v) => ({
		id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map((n) => ({html: n.html, failureSummary: n.failureSummary, target: n.target})) })))`, &out)
	return out
}

// TestFindings holds that what keeps people from using a page is found.
func TestFindings(t *testing.T) {
	t.Parallel()
	r := need(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>x</title><p style="color:#999;background:#fff">pale</p><input>`)
	}))
	t.Cleanup(server.Close)
	b := r.open(t)
	b.goBeyond(server.URL + "/")
	var serious []string
	for _, f := range b.findings(everyRule) {
		if f.serious() {
			serious = append(serious, f.ID)
		}
	}
	if slices.Sort(serious); !slices.Equal(serious, []string{"color-contrast", "label"}) {
		t.Errorf("found are %q", serious)
	}
}
