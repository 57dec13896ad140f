package consoletest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

func clearCache(ctx context.Context) error { return network.ClearBrowserCache().Do(ctx) }

// TestOpeningContent opens content with a reason, and finds the opening in the trail.
func TestOpeningContent(t *testing.T) {
	t.Parallel()
	r := need(t)
	auditor := r.story.people["auditor"]
	b := r.as(t, auditor)
	b.visit(r.story.page("/search?type=execution.prompt_recorded.v1&order=oldest"))
	b.follow("#hits a.name")
	if strings.Contains(b.text("body"), "Zimtstern") {
		t.Errorf("content is shown before it was asked for")
	}
	b.fill("#reason", "complaint 2026-118 of the tests")
	b.follow("[aria-labelledby=content] .btn")
	b.says("main", "Does invoice Zimtstern 2041 match its order?")
	if b.remembers("complaint") {
		t.Errorf("the reason stands in the history")
	}
	b.follow("main .notice a")
	b.found()
	b.says("#hits", "access.content_opened.v1")
	b.follow("#hits a.name")
	b.says("main", "member:"+auditor.id[:8])
	b.fill("#reason", "to see what was recorded")
	b.follow("[aria-labelledby=content] .btn")
	b.says("main .opened", "complaint 2026-118 of the tests")

	supervisor := r.as(t, r.story.people["supervisor"])
	supervisor.expect("403")
	supervisor.visit(r.story.page("/events/" + r.story.event("execution.prompt_recorded.v1")))
	if supervisor.is(`document.querySelector('#reason')`) {
		t.Errorf("who may not open content has the form for it")
	}
}

// found loads the search again until there is something: the index is a moment
// behind the log.
func (b *tab) found() {
	b.t.Helper()
	for end := time.Now().Add(patience); !b.is(rows + " > 0"); b.follow(".reload .step") {
		if time.Now().After(end) {
			b.t.Fatalf("nothing is found:\n%s", b.text("main"))
		}
	}
}

// tampering changes an answer on its way to the page.
type tampering struct {
	name, part string // the answer whose address has it
	change     func(map[string]any)
	step       string // that has to fail
	failing    int    // how many do
}

func flip(text string, at int) string {
	replacement := "A"
	if text[at] == 'A' {
		replacement = "B"
	}
	return text[:at] + replacement + text[at+1:]
}

// TestVerifying checks a record in the page: as it is, and changed on its way.
func TestVerifying(t *testing.T) {
	t.Parallel()
	r := need(t)
	auditor := r.story.people["auditor"]
	id := r.story.event("execution.prompt_recorded.v1")
	before := r.story.event("execution.action_started.v1")
	b := r.as(t, auditor)
	b.visit(r.story.page("/events/" + id))
	b.click("#verify button")
	b.until(verdict)
	b.says(".verdict", "✓ Verified")
	if n := b.count(`document.querySelectorAll('#verify li[data-state=good]').length`); n != 6 {
		t.Errorf("%d of 6 steps pass:\n%s", n, b.text("#verify"))
	}
	jws := func(record map[string]any, part int, change func(string) string) {
		parts := strings.Split(record["jws"].(string), ".")
		parts[part] = change(parts[part])
		record["jws"] = strings.Join(parts, ".")
	}
	for _, row := range []tampering{
		{"another ciphertext", id + "/record", func(v map[string]any) { v["ciphertext"] = flip(v["ciphertext"].(string), 20) }, "digest", 1},
		{"another signature", id + "/record", func(v map[string]any) { jws(v, 2, func(s string) string { return flip(s, 30) }) }, "signature", 1},
		{"another actor", id + "/record", func(v map[string]any) {
			jws(v, 1, func(s string) string {
				raw, _ := base64.RawURLEncoding.DecodeString(s)
				return base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"actor":"agent:ag_`, `"actor":"agent:ag-`, 1)))
			})
		}, "fields", 2},
		{"no JWS", id + "/record", func(v map[string]any) { v["jws"] = "nothing" }, "record", 1},
		{"another set of keys", "jwks.json", func(v map[string]any) { v["keys"] = []any{} }, "key", 2},
		{"another key under the same name", "jwks.json", func(v map[string]any) {
			for _, k := range v["keys"].([]any) {
				k.(map[string]any)["x"] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
			}
		}, "signature", 1},
		{"another record before", before + "/record", func(v map[string]any) {
			jws(v, 1, func(s string) string {
				raw, _ := base64.RawURLEncoding.DecodeString(s)
				return base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"cred":"`, `"cred":"x`, 1)))
			})
		}, "chain", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := b.during(t)
			b.visit(r.story.page("/events/" + id))
			b.tamper(row.part, row.change)
			defer b.run(fetch.Disable())
			b.click("#verify button")
			b.until(verdict)
			b.says(".verdict", "NOT VERIFIED")
			if !b.is(fmt.Sprintf(`document.querySelector('#verify [data-step=%s]').dataset.state === 'bad'`, row.step)) || b.count(`document.querySelectorAll('#verify li[data-state=bad]').length`) != row.failing {
				t.Errorf("want %d failing, %s among them:\n%s", row.failing, row.step, b.text("#verify"))
			}
		})
	}
}

// tamper changes the JSON of answers whose address has a part.
func (b *tab) tamper(part string, change func(map[string]any)) {
	b.t.Helper()
	b.run(fetch.Enable().WithPatterns([]*fetch.RequestPattern{{URLPattern: "*" + part + "*", RequestStage: fetch.RequestStageResponse}}))
	ctx, cancel := context.WithCancel(b.ctx)
	b.t.Cleanup(cancel)
	chromedp.ListenTarget(ctx, func(event any) {
		if paused, ok := event.(*fetch.EventRequestPaused); ok {
			go func() {
				if err := b.try(chromedp.ActionFunc(func(ctx context.Context) error { return forge(ctx, paused, change) })); err != nil {
					b.note("an answer could not be changed: %v", err)
				}
			}()
		}
	})
}

func forge(ctx context.Context, paused *fetch.EventRequestPaused, change func(map[string]any)) error {
	body, err := fetch.GetResponseBody(paused.RequestID).Do(ctx)
	if err != nil {
		return err
	}
	var value map[string]any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	change(value)
	if body, err = json.Marshal(value); err != nil {
		return err
	}
	headers := []*fetch.HeaderEntry{{Name: "Content-Type", Value: "application/json"}}
	return fetch.FulfillRequest(paused.RequestID, 200).WithResponseHeaders(headers).WithBody(base64.StdEncoding.EncodeToString(body)).Do(ctx)
}
