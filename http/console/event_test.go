package console

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/http/api"
)

// chain is a stream of signed records in the fake API.
type chain struct {
	w       *world
	key     ed25519.PrivateKey
	events  []api.Event
	records []api.Record
	indexed bool // the index has them
}

func eventID(i int) string { return fmt.Sprintf("018f3c5e-0000-8000-8000-%012d", i) }

const encodes = `{"alg":"EdDSA","kid":"key-1","typ":"claw-record+jws"}`

// newChain makes records of these types in one stream, the contents by the same
// command as the fact before them.
func newChain(w *world, name string, types ...string) *chain {
	c := &chain{w: w, key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), indexed: true}
	prev, cause := "", ""
	for i, kind := range types {
		if !isContent(kind) {
			cause = fmt.Sprint("cmd", i)
		}
		e := api.Event{ID: eventID(i), Position: fmt.Sprint(95 + i), Revision: int64(i), Stream: "execution-ex_1", Type: kind, Time: day.Add(-time.Hour), Actor: "agent:" + name,
			Credential: name, Correlation: name, Causation: cause}
		cipher := []byte("sealed " + kind)
		sum := sha256.Sum256(cipher)
		payload, _ := json.Marshal(map[string]any{"v": 1, "type": kind, "rev": i, "actor": e.Actor, "data": base64.RawURLEncoding.EncodeToString(sum[:]), "prev": prev})
		input := base64.RawURLEncoding.EncodeToString([]byte(encodes)) + "." + base64.RawURLEncoding.EncodeToString(payload)
		of := sha256.Sum256([]byte(input))
		prev = base64.RawURLEncoding.EncodeToString(of[:])
		c.events = append(c.events, e)
		c.records = append(c.records, api.Record{ID: e.ID, Position: e.Position, Revision: e.Revision, Stream: e.Stream, Type: kind, Ciphertext: cipher,
			Jws: input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(c.key, []byte(input)))})
	}
	c.serve()
	return c
}

func (c *chain) serve() {
	f, events := c.w.api, "/v1/workspaces/acme/events"
	x := base64.RawURLEncoding.EncodeToString(c.key.Public().(ed25519.PublicKey))
	f.on("GET /.well-known/jwks.json", 200, map[string]any{"keys": []map[string]string{{"kty": "OKP", "crv": "Ed25519", "kid": "key-1", "x": x}}})
	for i := range c.events {
		f.with("GET "+events+"/"+c.events[i].ID, func(called) (int, any) { return 200, c.events[i] })
		f.with("GET "+events+"/"+c.events[i].ID+"/record", func(called) (int, any) { return 200, c.records[i] })
	}
	f.with("GET "+events, func(call called) (int, any) {
		q, list := call.URL.Query(), api.EventList{Items: []api.Event{}}
		for _, e := range c.events {
			if q.Get("stream") == e.Stream && (q.Get("after") == "" || before(q.Get("after"), e.Position)) && fmt.Sprint(len(list.Items)) != q.Get("limit") {
				list.Items = append(list.Items, e)
			}
		}
		return 200, list
	})
	f.with("GET "+apiSearchPath, func(call called) (int, any) {
		q, out := call.URL.Query(), api.SearchResult{Items: []api.SearchHit{}}
		if q.Get("stream") != "acme/execution-ex_1" {
			c.w.t.Errorf("searched %s", call.URL)
		}
		until, err := time.Parse(time.RFC3339Nano, q.Get("to"))
		if err != nil {
			c.w.t.Errorf("searched %s: %v", call.URL, err)
		}
		for _, e := range slices.Backward(c.events) {
			if c.indexed && e.Time.Before(until) {
				found := hit(strings.TrimPrefix(e.Actor, "agent:"))
				found.ID, found.Position = e.ID, e.Position
				out.Items = append(out.Items, found)
			}
		}
		return 200, out
	})
}

func (c *chain) page(i int) shown { return c.w.must("/console/acme/events/" + c.events[i].ID) }

func TestEventPage(t *testing.T) {
	w := signedIn(t)
	c := newChain(w, "ag_1", "execution.requested.v1", "execution.prompt_recorded.v1", "content.prompt.v1", "execution.completed.v1")
	page := c.page(1)
	page.has(t, "execution.prompt_recorded.v1", "2026-11-02 08:30:00 UTC", `href="/console/acme/people/agents/ag_1"`, `href="/console/acme/search?credential=ag_1"`,
		`href="/console/acme/search?correlation=ag_1"`, "<code>cmd1</code>", `href="/console/acme/search?order=oldest&amp;stream=acme%2Fexecution-ex_1"`,
		`href="/console/acme/events/`+eventID(0)+`" rel="prev"`, `href="/console/acme/events/`+eventID(2)+`" rel="next"`,
		"signature good, the server says", "claw-record&#43;jws", "&#34;rev&#34;: 1", "1,200 in the prompt, 34 in the answer", "0.012",
		`data-record="/console/acme/events/`+eventID(1)+`/record"`, `data-previous="/console/acme/events/`+eventID(0)+`/record"`, `data-time="2026-11-02T08:30:00.000000Z"`, `data-cau="cmd1"`, `data-rev="1"`,
		`name="content" value="`+eventID(2)+`" checked`, `download="record-`+eventID(1)+`.json"`)
	page.lacks(t, `value="`+eventID(3)+`"`)
	if got := w.must("/console/acme/events/" + eventID(1) + "/record"); got.Header.Get("Content-Type") != "application/json" || !strings.Contains(got.text, c.records[1].Jws) || got.Header.Get("Content-Security-Policy") != policy {
		t.Errorf("record: %v %s", got.Header, got.text)
	}
	c.page(3).has(t, "Nothing follows yet.")
	first := c.page(0)
	first.has(t, "none: the first of its stream")
	first.lacks(t, `rel="prev"`, "data-previous")
	if page := w.get("/console/acme/events/018f3c5e-0000-8000-8000-999999999999"); page.StatusCode != http.StatusNotFound {
		t.Errorf("no such event: %d", page.StatusCode)
	}
}

// TestNeighbours looks for the record before in streams of any length, all of one
// time, with and without an index.
func TestNeighbours(t *testing.T) {
	for _, c := range []struct {
		name    string
		i       int
		indexed bool
		change  func(*chain)
		want    int // index of the one before, -1 for none
		lists   bool
	}{
		{"first", 0, true, nil, -1, false},
		{"second", 1, true, nil, 0, true},
		{"early, without an index", shortStream, false, nil, shortStream - 1, true},
		{"later, by the index", shortStream + 5, true, nil, shortStream + 4, false},
		{"later, without an index", shortStream + 5, false, nil, shortStream + 4, true},
		{"late, by the index", longStream + 3, true, nil, longStream + 2, false},
		{"late, without an index", longStream + 3, false, nil, -1, false},
		{"late, and the index lacks the one before", longStream + 3, true, func(c *chain) { c.events[longStream+2].Time = day.Add(time.Hour) }, -1, false},
		{"across positions of other lengths", 5, true, nil, 4, true}, // 99 before 100
	} {
		t.Run(c.name, func(t *testing.T) {
			w := signedIn(t)
			types := slices.Repeat([]string{"execution.action_requested.v1"}, longStream+10)
			stream := newChain(w, "ag_1", types...)
			if stream.indexed = c.indexed; c.change != nil {
				c.change(stream)
			}
			page := stream.page(c.i)
			next := fmt.Sprintf(`href="/console/acme/events/%s" rel="next"`, eventID(c.i+1))
			page.has(t, next)
			if c.want < 0 {
				page.lacks(t, `rel="prev"`)
				if c.i > 0 {
					page.has(t, "The record before is not in the index any more.")
				}
			} else {
				page.has(t, fmt.Sprintf(`href="/console/acme/events/%s" rel="prev"`, eventID(c.want)))
			}
			if listed := w.api.count("GET /v1/workspaces/acme/events") > 1; listed != c.lists {
				t.Errorf("read from the beginning: %v, want %v", listed, c.lists)
			}
		})
	}
}

func TestContentsOf(t *testing.T) {
	w := newWorld(t)
	c := newChain(w, "x", "execution.requested.v1", "execution.prompt_recorded.v1", "content.prompt.v1", "content.part.v1", "execution.completed.v1", "content.result.v1")
	other := slices.Clone(c.events[2:])
	other[0].Causation = "another"
	for name, got := range map[string]struct {
		list []api.Event
		want int
	}{
		"a fact with two":    {contentsOf(c.events[1], c.events[2:]), 2},
		"a fact with none":   {contentsOf(c.events[0], c.events[1:]), 0},
		"a fact at the end":  {contentsOf(c.events[4], c.events[5:]), 1},
		"content":            {contentsOf(c.events[2], c.events[3:]), 0},
		"content of another": {contentsOf(c.events[1], other), 0},
		"with a hole":        {contentsOf(c.events[1], c.events[3:]), 0},
		"nothing after":      {contentsOf(c.events[5], nil), 0},
	} {
		if len(got.list) != got.want {
			t.Errorf("%s: %d contents, want %d", name, len(got.list), got.want)
		}
	}
}

func TestWhatTheServerSees(t *testing.T) {
	for name, change := range map[string]func(*chain){
		"The ciphertext is not what was signed.": func(c *chain) { c.records[0].Ciphertext = []byte("changed") },
		"The signature is wrong.":                func(c *chain) { c.records[0].Jws = c.records[0].Jws[:len(c.records[0].Jws)-8] + "AAAAAAAA" },
		"No public key has this id.": func(c *chain) {
			c.w.api.on("GET /.well-known/jwks.json", 200, map[string]any{"keys": []string{}})
		},
		"can't be taken apart": func(c *chain) { c.records[0].Jws = "no.jws" },
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t)
			c := newChain(w, "ag_1", "execution.requested.v1")
			change(c)
			page := c.page(0)
			page.has(t, "signature not good, the server says", name)
			page.lacks(t, "tag allow\">good")
		})
	}
}

func TestOpeningContent(t *testing.T) {
	w := signedIn(t)
	newChain(w, "ag_1", "execution.prompt_recorded.v1", "content.prompt.v1", "content.completion.v1")
	var got api.OpenInput
	w.api.with("POST /v1/workspaces/acme/events:open", func(call called) (int, any) {
		if err := json.Unmarshal([]byte(call.body), &got); err != nil || call.Header.Get("Idempotency-Key") == "" {
			t.Errorf("%v", err)
		}
		if len(got.Reason) < 3 {
			return 400, problem(400, "invalid_body", "Give a reason.", api.FieldError{Pointer: "/reason", Detail: "At least 3 letters."})
		}
		return 200, api.OpenedEvents{Items: []api.OpenedEvent{
			{ID: eventID(0), Status: "opened", Type: "execution.prompt_recorded.v1", Payload: json.RawMessage(`{"model":"<m>","n":1}`)},
			{ID: eventID(1), Status: "opened", Type: "content.prompt.v1", Payload: json.RawMessage(`{"salt":"s","body":[{"role":"user","content":"Where is <b>it</b>?\nSay."}]}`)},
			{ID: eventID(1), Status: "opened", Type: "content.completion.v1", Payload: json.RawMessage(`{"salt":"s","body":"Here."}`)},
			{ID: eventID(1), Status: "opened", Type: "content.result.v1", Payload: json.RawMessage(`{"salt":"s","body":{"ok":true}}`)},
			{ID: eventID(2), Status: "erased", Type: "content.completion.v1"}}}
	})
	address := "/console/acme/events/" + eventID(0)
	page := w.post(address, address, url.Values{"reason": {" complaint 118 "}, "content": {eventID(1), eventID(0)}})
	page.has(t, "This was opened, and that is recorded", "&#34;model&#34;: &#34;&lt;m&gt;&#34;", "user", "Where is &lt;b&gt;it&lt;/b&gt;?\nSay.", `<p class="words">Here.</p>`, "&#34;ok&#34;: true", "nobody can read it any more",
		`value="`+eventID(1)+`" checked`, `value="complaint 118"`)
	page.lacks(t, `value="`+eventID(2)+`" checked`)
	if diff := cmp.Diff(api.OpenInput{Ids: []string{eventID(0), eventID(1)}, Reason: "complaint 118"}, got); diff != "" {
		t.Error(diff)
	}
	short := w.post(address, address, url.Values{"reason": {"x"}})
	if short.StatusCode != 400 {
		t.Errorf("%d", short.StatusCode)
	}
	short.has(t, "At least 3 letters.", `value="x"`)
	w.api.permissions = []string{"audit.search"}
	w.must(address).lacks(t, `name="reason"`)
	before := w.api.count("POST /v1/workspaces/acme/events:open")
	w.must(address)
	if w.api.count("POST /v1/workspaces/acme/events:open") != before {
		t.Error("looking at a record opened it")
	}
}

func TestPlainSigns(t *testing.T) {
	for text, want := range map[string]string{`{"a":"\u003cb\u003e \u0026"}`: `{"a":"<b> &"}`, `"\\u003c"`: `"\\u003c"`, `"\\\u003c"`: `"\\<"`, `"\n\u00e9"`: `"\n\u00e9"`, `\`: `\`, `\u003`: `\u003`, "": ""} {
		if got := plainSigns(text); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func TestEventsAreEscaped(t *testing.T) {
	w := signedIn(t)
	c := newChain(w, hostile, "execution.requested.v1", "content."+hostile, "execution."+hostile)
	evil, err := json.Marshal(map[string]any{"body": []map[string]string{{"role": hostile, "content": hostile}}, hostile: hostile})
	if err != nil {
		t.Fatal(err)
	}
	w.api.on("POST /v1/workspaces/acme/events:open", 200, api.OpenedEvents{Items: []api.OpenedEvent{
		{ID: eventID(0), Status: "opened", Type: hostile, Payload: evil}, {ID: hostile, Status: "opened", Type: "content." + hostile, Payload: evil}}})
	address := "/console/acme/events/" + eventID(0)
	for _, page := range []shown{c.page(0), c.page(1), c.page(2), w.post(address, address, url.Values{"reason": {hostile}, "content": {hostile}})} {
		page.lacks(t, "<script>alert", "<img src=x", `href="javascript:`)
		page.has(t, "&lt;script&gt;alert(1)")
	}
}
