package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// canary is content that must be nowhere but in answers to who may read it.
type canary struct{ prompt, completion, result, params, name, email, context string }

func newCanary() canary {
	mark := func(s string) string { return "canary" + s + "bird" }
	return canary{mark("Prompt"), mark("Completion"), mark("Result"), mark("Params"), mark("Name"), mark("Email"), mark("Context")}
}

func (c canary) all() []string {
	return []string{c.prompt, c.completion, c.result, c.params, c.name, c.email, c.context}
}

// sing brings the canary into everything that takes content, in good calls and
// in bad ones, and answers the bodies of all refusals.
func (c canary) sing(t *testing.T, o office) (refusals [][]byte) {
	t.Helper()
	op := o.owner
	refuse := func(r reply) {
		if r.status < 400 {
			t.Errorf("a bad call was answered %s", r)
		}
		refusals = append(refusals, r.raw)
	}
	o.owner.do(201, "POST", o.path("/members"), fmt.Sprintf(`{"email":"%s@x.test","name":%q,"roles":["auditor"]}`, c.email, c.name))
	action := fmt.Sprintf(`"action":{"kind":"llm.call","params":{"text":%q}}`, c.params)
	made := o.agent.do(201, "POST", o.path("/executions"), fmt.Sprintf(`{"workflow":"chat",%s,"context":{"why":%q},"subject":"%s"}`, action, c.context, c.email))
	ex := o.path("/executions/" + made.text("id"))
	refuse(o.agent.patient("POST", ex+"/start", "", fmt.Sprintf(`{"permit":%q,"action":{"kind":"llm.call","params":{"text":%q}}}`, made.text("permit"), c.params+"!")))
	o.agent.do(200, "POST", ex+"/start", fmt.Sprintf(`{"permit":%q,%s}`, made.text("permit"), action))
	prompt := o.agent.do(201, "POST", ex+"/prompts", fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":%q}],"max_output_tokens":9}`, c.prompt))
	large := strings.Repeat(c.prompt+" ", 100_000)
	o.agent.do(201, "POST", ex+"/prompts", fmt.Sprintf(`{"model":"m","content":%q,"max_output_tokens":9}`, large))
	answer := ex + "/prompts/" + prompt.text("prompt_id")
	o.agent.do(201, "POST", answer+"/completion", fmt.Sprintf(`{"content":%q,"usage":{"prompt_tokens":1,"output_tokens":1},"finish_reason":"stop"}`, c.completion))
	refuse(o.agent.patient("POST", answer+"/completion", "", fmt.Sprintf(`{"content":%q,"usage":{"prompt_tokens":1,"output_tokens":1},"finish_reason":"stop"}`, c.completion+"2")))
	gated := o.agent.do(201, "POST", o.path("/executions"), fmt.Sprintf(`{"workflow":"pay","action":{"kind":"payment.initiate","params":{"to":%q}}}`, c.params))
	if gated.text("status") != "awaiting_approval" {
		t.Fatalf("a payment was not gated: %s", gated)
	}
	for _, bad := range []string{`{"model":"m","content":%q,"max_output_tokens":"x"}`, `{"model":"m","content":%q,"max_output_tokens":1,"more":1}`,
		`{"model":%q}`, `{"content":%q,"content":1}`, `%q`, `{"model":"m","content":%q`, `{"model":"m","max_output_tokens":1,"messages":[{"role":%q,"role":2}]}`} {
		refuse(o.agent.patient("POST", ex+"/prompts", "", fmt.Sprintf(bad, c.prompt)))
	}
	refuse(o.agent.patient("POST", o.path("/executions"), "", fmt.Sprintf(`{"workflow":"chat","action":{"kind":"llm.call","params":{"n":12345678901234567890,"text":%q}}}`, c.params)))
	refuse(o.owner.patient("POST", o.path("/members"), "", fmt.Sprintf(`{"email":%q,"name":%q,"roles":["no-such-role"]}`, c.email, c.name)))
	refuse(op.as("").patient("POST", ex+"/complete", "", fmt.Sprintf(`{"result":{"r":%q}}`, c.result)))
	refuse(o.agent.patient("GET", o.path("/executions?workflow="+c.params+"%21"), "", ""))
	refuse(o.agent.patient("GET", o.path("/executions?"+c.params+"=1"), "", ""))
	o.agent.do(200, "POST", ex+"/complete", fmt.Sprintf(`{"result":{"r":%q}}`, c.result))
	return refusals
}

// seek looks for the canary in bytes.
func (c canary) seek(t *testing.T, where string, text []byte) {
	t.Helper()
	for _, s := range c.all() {
		if bytes.Contains(text, []byte(s)) {
			at := bytes.Index(text, []byte(s))
			t.Errorf("%s holds %q: …%q…", where, s, text[max(0, at-80):min(len(text), at+80)])
		}
	}
}

// seekFiles looks for it in every file below a folder.
func (c canary) seekFiles(t *testing.T, root string) (files int) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files++
		c.seek(t, path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// find finds every word of the canary by the blind search, and finds none from
// another workspace. The words of refused calls were never recorded.
func (c canary) find(t *testing.T, o, stranger office) {
	t.Helper()
	search := func(o office, more string) []any {
		list, _ := o.owner.do(200, "POST", o.path("/search"), more).fields["items"].([]any)
		return list
	}
	for _, word := range append(c.all(), c.prompt+" "+c.prompt) {
		body := fmt.Sprintf(`{"q":%q}`, `"`+word+`"`)
		eventually(t, "the search finds "+word, func() bool { return len(search(o, body)) > 0 })
		if found := search(stranger, body); len(found) != 0 {
			t.Errorf("another workspace finds %q: %v", word, found)
		}
	}
	opened := search(o, fmt.Sprintf(`{"q":%q,"open":{"reason":"canary"}}`, c.prompt))
	if len(opened) != 2 || !strings.Contains(fmt.Sprint(opened...), c.prompt) {
		t.Errorf("who may read content is shown %v", opened)
	}
}

// eventually waits for something that takes a moment.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

func TestContentIsNowhereInClear(t *testing.T) {
	dir, c := t.TempDir(), newCanary()
	data, faceData, keys := filepath.Join(dir, "embedded"), filepath.Join(dir, "face"), filepath.Join(dir, "keys")
	face := facing(t, faceData, "127.0.0.1:0")
	for name, args := range map[string][]string{
		"embedded": {"--data", data},
		"a face":   {"--data", filepath.Join(dir, "replica"), "--eventlog", face.address},
	} {
		p, cl := serving(t, append(args, "--keys", filepath.Join(keys, name), "--log-level", "debug")...)
		op := cl.operator(filepath.Join(keys, name))
		o, stranger := openOffice(op, "acme"), openOffice(op, "beta")
		for _, body := range c.sing(t, o) {
			c.seek(t, name+": a refusal", body)
		}
		c.find(t, o, stranger)
		c.seek(t, name+": /metrics", cl.as("").do(200, "GET", "/metrics", "").raw)
		c.seek(t, name+": /readyz", cl.as("").do(200, "GET", "/readyz", "").raw)
		c.seekFiles(t, dir) // while it runs, write-ahead logs and all
		if code := p.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		c.seek(t, name+": the log output", []byte(p.errs.String()))
		c.seek(t, name+": the output", []byte(p.out.String()))
		if !strings.Contains(p.errs.String(), "recordPrompt") {
			t.Errorf("%s: the log at debug level does not name the calls, so this test proves nothing:\n%s", name, p.errs.String())
		}
	}
	if n := c.seekFiles(t, dir); n < 10 {
		t.Errorf("only %d files were searched", n)
	}
}
