package console

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/http/api"
)

const apiSearchPath = "/v1/workspaces/acme/search"

// hit is an event as the index knows it, in which every text is name.
func hit(name string) api.SearchHit {
	return api.SearchHit{ID: "018f3c5e-0000-8000-8000-000000000001", Position: "41", Time: day.Add(-time.Hour), Actor: "agent:" + name, Type: name, Stream: name, Execution: name,
		Workflow: name, Action: name, Outcome: name, Severity: "high", Model: name, PromptTokens: 1200, OutputTokens: 34, CostMicros: 12500, Policy: name, Rule: name,
		Approval: name, Credential: name, Correlation: name}
}

// searched gives the fake API events to find.
func (w *world) searched(name string) {
	w.api.with("POST "+apiSearchPath, func(c called) (int, any) {
		var in api.SearchInput
		if err := json.Unmarshal([]byte(c.body), &in); err != nil {
			w.t.Errorf("search: %v", err)
		}
		out := api.SearchResult{Items: []api.SearchHit{hit(name)}, Next: "bmV4dA", Position: "99", BehindMs: 400, Unsettled: strings.Contains(in.Q, `"`) && in.Open.Reason == ""}
		if in.Open.Reason != "" {
			out.Items[0].Match, out.Items[0].Excerpt, out.Dropped = api.SearchHitMatchSettled, "around "+name, 3
		}
		return 200, out
	})
	w.api.with("POST "+apiSearchPath+"/facets", func(c called) (int, any) {
		var in api.FacetInput
		if err := json.Unmarshal([]byte(c.body), &in); err != nil {
			w.t.Errorf("facets: %v", err)
		}
		out := api.Facets{Position: "99"}
		for _, f := range in.Fields {
			out.Items = append(out.Items, api.Facet{Field: f, Values: []api.FacetValue{{Value: name, Events: 1234}, {Value: "plain", Events: 5}}})
		}
		return 200, out
	})
	w.api.with("POST "+apiSearchPath+"/histogram", func(c called) (int, any) {
		var in api.HistogramInput
		if err := json.Unmarshal([]byte(c.body), &in); err != nil {
			w.t.Errorf("histogram: %v", err)
		}
		every := int64(max(in.Every, 60))
		at := time.Unix(day.Add(-time.Hour).Unix()/every*every, 0)
		return 200, api.Histogram{Every: every, Position: "99", Items: []api.Span{{From: at, Events: 7}, {From: at.Add(time.Duration(every) * time.Second), Events: 2}}}
	})
	w.api.on("GET /v1/workspaces/acme/searches", 200, api.SavedSearchList{Items: []api.SavedSearch{{ID: "ss_1", Name: name, Q: name, SavedBy: "member:mb_ada"}}})
	w.api.on("GET /v1/workspaces/acme/searches/ss_1", 200, api.SavedSearch{ID: "ss_1", Name: name, Q: `"` + word + ` in quotes" outcome:denied`, Order: "oldest", SavedBy: "member:mb_ada"})
}

// word is what somebody looks for in these tests. It may stand in the body of a
// page and nowhere else.
const word = "xylophone"

func asked(t *testing.T, w *world) api.SearchInput {
	t.Helper()
	var in api.SearchInput
	if err := json.Unmarshal([]byte(w.api.last("POST "+apiSearchPath).body), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

func TestSearchByAddress(t *testing.T) {
	w := signedIn(t)
	w.searched("name")
	page := w.must("/console/acme/search?outcome=denied&action=payment.*&-model=m-1&cost=%3E5&after=24h&cursor=abc")
	page.has(t, `value="outcome:denied action:payment.* -model:m-1 cost&gt;5"`, "9 events", "The index is 400 ms behind", "0.012", "1,200", `href="/console/acme/executions/name"`,
		`href="/console/acme/events/018f3c5e-0000-8000-8000-000000000001"`, `datetime="2026-11-02T08:30:00Z"`, "1 h ago", "11-02 08:30:00",
		`href="/console/acme/search?outcome=denied&amp;action=payment.*&amp;-model=m-1&amp;cost=%3E5&amp;kind=plain&amp;after=24h"`,    // a value more
		`href="/console/acme/search?outcome=denied&amp;action=payment.*&amp;-model=m-1&amp;cost=%3E5&amp;-kind=plain&amp;after=24h"`,   // all but it
		`href="/console/acme/search?outcome=denied&amp;-model=m-1&amp;cost=%3E5&amp;after=24h" aria-label="Remove action:payment.*"`,   // a condition less
		`&amp;cost=%3E5&amp;from=2026-11-02T08:30:00Z&amp;to=2026-11-02T09:00:00Z"`,                                                    // a bar
		`href="/console/acme/search?outcome=denied&amp;action=payment.*&amp;-model=m-1&amp;cost=%3E5&amp;after=24h&amp;cursor=bmV4dA"`, // the next page
		`&amp;after=24h&amp;order=oldest"`)
	in := asked(t, w)
	if in.Q != "outcome:denied action:payment.* -model:m-1 cost>5 after:24h" || in.Cursor != "abc" || in.Order != "newest" || in.Limit != searchPageSize || in.Open.Reason != "" {
		t.Errorf("the API was asked for %+v", in)
	}
	var counts api.HistogramInput
	if err := json.Unmarshal([]byte(w.api.last("POST "+apiSearchPath+"/histogram").body), &counts); err != nil || counts.Every != 1800 || counts.Q != in.Q {
		t.Errorf("counts over %+v, %v", counts, err)
	}
	if strings.Contains(page.text, `name="go"`) && strings.Contains(page.main(), `<button class="step"`) {
		t.Error("a search of metadata has steps without an address")
	}
	again := w.must("/console/acme/search?from=2026-11-01T08:00:00Z&to=2026-11-02T08:00:00Z&order=oldest")
	again.has(t, `name="from" type="datetime-local" step="1" value="2026-11-01T08:00:00"`, `name="order" value="oldest"`)
	if in := asked(t, w); in.Order != "oldest" || in.From.Format(time.RFC3339) != "2026-11-01T08:00:00Z" || in.To.Format(time.RFC3339) != "2026-11-02T08:00:00Z" {
		t.Errorf("the API was asked for %+v", in)
	}
	again.lacks(t, `id="tail"`)
}

func TestAQueryOfMetadataGoesToItsAddress(t *testing.T) {
	w := signedIn(t)
	w.searched("name")
	got := w.post("/console/acme/search", "/console/acme/search", url.Values{"q": {"outcome:denied after:7d cost>5"}, "from": {""}, "to": {""}, "ago": {""}, "order": {"oldest"}})
	if want := "/console/acme/search?outcome=denied&cost=%3E5&after=7d&order=oldest"; got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != want {
		t.Errorf("%d to %s, want %s", got.StatusCode, got.Header.Get("Location"), want)
	}
	got = w.post("/console/acme/search", "/console/acme/search", url.Values{"q": {""}, "from": {"2026-11-01T08:00"}, "ago": {"24h"}})
	if want := "/console/acme/search?from=2026-11-01T08:00:00Z"; got.Header.Get("Location") != want {
		t.Errorf("to %s, want %s", got.Header.Get("Location"), want)
	}
}

// leakless fails if words stand anywhere in an answer but in the text of its page.
func leakless(t *testing.T, page shown) {
	t.Helper()
	for name, values := range page.Header {
		if strings.Contains(strings.Join(values, " "), word) {
			t.Errorf("header %s: %q", name, values)
		}
	}
	for _, attribute := range regexp.MustCompile(`(?:href|src|action|hx-[a-z-]+|data-url|data-copy)="[^"]*"`).FindAllString(page.text, -1) {
		if strings.Contains(attribute, word) {
			t.Errorf("an address has the word: %s", attribute)
		}
	}
	title, _, _ := strings.Cut(page.text, "</title>")
	if strings.Contains(title, word) {
		t.Errorf("the head has the word: %s", title)
	}
}

func TestWordsNeverStandInAnAddress(t *testing.T) {
	w := signedIn(t)
	w.searched("name")
	for _, q := range []string{word, "-" + word, `"` + word + ` two"`, "text:" + word, "outcome:denied " + word, `outcome:"` + word + `"`, word + ":x", "after:" + word, "cost>" + word, `"` + word} {
		page := w.post("/console/acme/search", "/console/acme/search", url.Values{"q": {q}})
		if page.StatusCode != http.StatusOK {
			t.Errorf("%s: %d to %s", q, page.StatusCode, page.Header.Get("Location"))
			continue
		}
		leakless(t, page)
		page.has(t, `<button class="step" form="again" name="go"`, word)
		if in := asked(t, w); in.Q != q {
			t.Errorf("the API was asked for %q, want %q", in.Q, q)
		}
	}
	for _, c := range w.api.calls {
		if strings.Contains(c.URL.String(), word) {
			t.Errorf("a call of the API has the word in its address: %s", c.URL)
		}
	}
	for _, address := range []string{"?text=" + word, "?q=" + word, "?outcome=" + word + "%20two", "?x=" + word} {
		if page := w.get("/console/acme/search" + address); page.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", address, page.StatusCode)
		} else {
			leakless(t, page)
		}
	}
	saved := w.must("/console/acme/search?saved=ss_1")
	leakless(t, saved)
	saved.has(t, "&#34;"+word+" in quotes&#34; outcome:denied", `href="/console/acme/search?saved=ss_1&amp;kind=plain"`, `data-copy="`+w.server.URL+`/console/acme/search?saved=ss_1"`)
	if in := asked(t, w); in.Saved != "ss_1" || in.Q != "" || in.Order != "oldest" {
		t.Errorf("the API was asked for %+v", in)
	}
}

func TestStepsOfWords(t *testing.T) {
	w := signedIn(t)
	w.searched("name")
	page := w.post("/console/acme/search", "/console/acme/search", url.Values{"q": {word + " outcome:denied"}, "ago": {"24h"}})
	states := regexp.MustCompile(`name="go" value="([^"]*)"`).FindAllStringSubmatch(page.text, -1)
	next := ""
	for _, s := range states {
		if strings.Contains(s[1], "cursor=") {
			next = html.UnescapeString(s[1])
		}
	}
	second := w.post("/console/acme/search", "/console/acme/search", url.Values{"go": {next}})
	if in := asked(t, w); second.StatusCode != http.StatusOK || in.Cursor != "bmV4dA" || in.Q != word+" outcome:denied after:24h" {
		t.Errorf("%d; the API was asked for %+v", second.StatusCode, in)
	}
	page.has(t, `href="/console/acme/search?outcome=denied&amp;after=24h" aria-label="Remove `+word+`"`) // without its word a search has an address again
}

func TestSettling(t *testing.T) {
	w := signedIn(t)
	w.searched("name")
	page := w.post("/console/acme/search", "/console/acme/search", url.Values{"q": {`"` + word + `"`}})
	page.has(t, "These events hold the words, in any order", `name="reason" required`)
	opened := w.post("/console/acme/search", "/console/acme/search", url.Values{"go": {ask{pieces: split(`"` + word + `"`)}.state()}, "reason": {"complaint 118"}})
	opened.has(t, "around name", "3 did not and are left out", "The content of this page was opened", "Open the next page")
	if in := asked(t, w); in.Open.Reason != "complaint 118" {
		t.Errorf("the API was asked for %+v", in)
	}
	for _, state := range regexp.MustCompile(`name="go" value="([^"]*)"`).FindAllStringSubmatch(opened.text, -1) {
		if strings.Contains(state[1], "complaint") {
			t.Errorf("another step would open more content: %s", state[1])
		}
	}
	w.api.permissions = []string{"audit.search"}
	w.post("/console/acme/search", "/console/acme/search", url.Values{"q": {`"` + word + `"`}}).lacks(t, "Open and settle", "Export all")
}

func TestAQueryThatCantBeRead(t *testing.T) {
	w := signedIn(t)
	w.searched("name")
	w.api.on("POST "+apiSearchPath, 400, problem(400, "query_invalid", "The query can't be read.", api.FieldError{Pointer: "/q", Detail: `at byte 15: expected a field of the search; did you mean "flow"?`}))
	page := w.send("/console/acme/search", url.Values{"q": {"outcome:denied flaw:x <b>" + word}, formField: {w.token("/console/acme/account")}})
	if page.StatusCode != http.StatusBadRequest {
		t.Fatalf("%d", page.StatusCode)
	}
	page.has(t, `outcome:denied <mark>flaw:x</mark> &lt;b&gt;`+word, "expected a field of the search; did you mean &#34;flow&#34;?", `value="outcome:denied flaw:x &lt;b&gt;`+word+`"`, `aria-invalid="true"`)
	leakless(t, page)
	for offset, want := range map[int]string{0: "<mark>ä:x</mark> b", 1: "<mark>ä:x</mark> b", 6: "ä:x b<mark>…</mark>", 900: "x"} {
		w.api.on("POST "+apiSearchPath, 400, problem(400, "query_invalid", "d", api.FieldError{Pointer: "/q", Detail: fmt.Sprintf("at byte %d: expected x", offset)}))
		w.send("/console/acme/search", url.Values{"q": {"ä:x b"}, formField: {w.token("/console/acme/account")}}).has(t, want)
	}
	bad := w.send("/console/acme/search", url.Values{"q": {word}, "from": {"noon"}, formField: {w.token("/console/acme/account")}})
	bad.has(t, "This is no time", word, `value="noon"`)
}

// token is a form token of a page.
func (w *world) token(path string) string {
	return tokenField.FindStringSubmatch(w.must(path).text)[1]
}

func TestSearchesAreEscaped(t *testing.T) {
	w := signedIn(t)
	w.searched(hostile)
	state := ask{pieces: split(hostile)}.state()
	pages := []shown{
		w.must("/console/acme/search"),
		w.must("/console/acme/search?saved=ss_1"),
		w.post("/console/acme/search", "/console/acme/search", url.Values{"q": {hostile}}),
		w.post("/console/acme/search", "/console/acme/search", url.Values{"go": {state}, "reason": {hostile}}),
		w.get("/console/acme/search?actor=" + url.QueryEscape(hostile)),
		w.post("/console/acme/search", "/console/acme/search", url.Values{"q": {hostile}, "from": {hostile}, "to": {hostile}, "order": {hostile}}),
	}
	for _, page := range pages {
		page.lacks(t, "<script>alert", "<img src=x", `href="javascript:`)
	}
}

func TestCountsMayFail(t *testing.T) {
	w := signedIn(t)
	w.searched("name")
	w.api.on("POST "+apiSearchPath+"/facets", 503, problem(503, "index_unavailable", "The index can't answer now."))
	w.must("/console/acme/search").has(t, "The counts can't be had now", "018f3c5e-0000-8000-8000-000000000001")
	w.api.on("POST "+apiSearchPath, 503, problem(503, "index_unavailable", "The index can't answer now."))
	if page := w.get("/console/acme/search"); page.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d", page.StatusCode)
	}
	w.searched("name")
	w.api.with("POST "+apiSearchPath+"/facets", func(called) (int, any) { panic("in a call of its own") })
	if page := w.get("/console/acme/search"); page.StatusCode != http.StatusInternalServerError {
		t.Errorf("a panic beside the request: %d", page.StatusCode)
	}
	w.api.on("POST "+apiSearchPath, 403, problem(403, "permission_denied", "You lack audit.search."))
	w.get("/console/acme/search").has(t, "You lack audit.search.")
}

func TestSavedSearches(t *testing.T) {
	w := signedIn(t)
	w.searched("name")
	w.api.with("POST /v1/workspaces/acme/searches", func(c called) (int, any) { return 201, api.SavedSearch{ID: "ss_2"} })
	a := ask{saved: "ss_1", pieces: split("kind:agent"), ago: "24h", from: time.Time{}}
	got := w.post("/console/acme/search", "/console/acme/searches", url.Values{"name": {" mine "}, "go": {a.state()}})
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/console/acme/search?saved=ss_2" {
		t.Errorf("%d to %s\n%s", got.StatusCode, got.Header.Get("Location"), got.main())
	}
	var in api.SavedSearchInput
	if err := json.Unmarshal([]byte(w.api.last("POST /v1/workspaces/acme/searches").body), &in); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(api.SavedSearchInput{Name: "mine", Q: `"` + word + ` in quotes" outcome:denied kind:agent after:24h`, Order: "oldest"}, in); diff != "" {
		t.Error(diff)
	}
	w.api.on("DELETE /v1/workspaces/acme/searches/ss_1", 204, nil)
	if got := w.post("/console/acme/search", "/console/acme/searches/ss_1/delete", nil); got.Header.Get("Location") != "/console/acme/search" || w.api.count("DELETE /v1/workspaces/acme/searches/ss_1") != 1 {
		t.Errorf("deleted to %s", got.Header.Get("Location"))
	}
	if page := w.get("/console/acme/search?saved=ss_gone"); page.StatusCode != http.StatusNotFound {
		t.Errorf("a search that is gone: %d", page.StatusCode)
	} else {
		page.has(t, "This saved search is gone")
	}
}

// streaming answers one path of the API by writing, and leaves the rest to the fake.
func (w *world) streaming(path string, answer func(http.ResponseWriter, called)) {
	fake := w.console.api
	w.console.api = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			fake.ServeHTTP(rw, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		answer(rw, called{r, string(body)})
	})
}

func TestExportsArePassedOn(t *testing.T) {
	w := signedIn(t)
	w.searched("name")
	var got api.ExportInput
	w.streaming(apiSearchPath+"/export", func(rw http.ResponseWriter, c called) {
		if err := json.Unmarshal([]byte(c.body), &got); err != nil || c.Header.Get("Authorization") == "" || c.Header.Get("Idempotency-Key") == "" {
			t.Errorf("%v %v", err, c.Header)
		}
		rw.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rw.Header().Set("Content-Disposition", `attachment; filename="events.csv"`)
		rw.Header().Set("Content-Security-Policy", "default-src *")
		fmt.Fprint(rw, "position\n41\n")
		_ = http.NewResponseController(rw).Flush()
		fmt.Fprint(rw, "# complete: 1 events\n")
	})
	fields := url.Values{"go": {ask{pieces: split(word + " kind:agent"), ago: "24h"}.state()}, "format": {"csv"}, "reason": {" audit "}}
	file := w.post("/console/acme/search", "/console/acme/search/export", fields)
	if file.text != "position\n41\n# complete: 1 events\n" || file.Header.Get("Content-Disposition") != `attachment; filename="events.csv"` || file.Header.Get("Content-Type") != "text/csv; charset=utf-8" || file.Header.Get("Content-Security-Policy") != policy {
		t.Errorf("%q %v", file.text, file.Header)
	}
	if diff := cmp.Diff(api.ExportInput{Q: word + " kind:agent after:24h", Format: "csv", Reason: "audit", Order: "newest"}, got); diff != "" {
		t.Error(diff)
	}
	w.streaming(apiSearchPath+"/export", func(rw http.ResponseWriter, c called) {
		rw.Header().Set("Content-Type", "application/problem+json")
		rw.WriteHeader(403)
		_ = json.NewEncoder(rw).Encode(problem(403, "permission_denied", "You lack audit.export."))
	})
	refused := w.post("/console/acme/search", "/console/acme/search/export", fields)
	if refused.StatusCode != 403 || !strings.HasPrefix(refused.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %v", refused.StatusCode, refused.Header)
	}
	refused.has(t, "You lack audit.export.")
}

func TestTailsBecomeRows(t *testing.T) {
	w := signedIn(t)
	w.searched("name")
	evil := hit(hostile)
	data, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	stream := ": begin\n\nid: 41\nevent: x\ndata: " + string(data) + "\n\ndata: not JSON\n\nid: 42\ndata: " + string(data) + "\n\n: still here\n\n"
	w.streaming(apiSearchPath+"/tail", func(rw http.ResponseWriter, c called) {
		var in api.TailInput
		if err := json.Unmarshal([]byte(c.body), &in); err != nil || in.Q != word+" kind:agent" || in.After != "40" {
			t.Errorf("followed %+v, %v", in, err)
		}
		if deadline, ok := c.Context().Deadline(); !ok || time.Until(deadline) > idleFor {
			t.Error("a followed search outlives its session")
		}
		rw.Header().Set("Content-Type", "text/event-stream")
		for part := range slices.Chunk([]byte(stream), 7) { // however it is cut
			_, _ = rw.Write(part)
			_ = http.NewResponseController(rw).Flush()
		}
	})
	token := w.token("/console/acme/search")
	got := w.send("/console/acme/search/tail", url.Values{"go": {ask{pieces: split(word + " kind:agent")}.state()}, "after": {"40"}}, formHeader, token, pollHeader, "1")
	if got.Header.Get("Content-Type") != "text/event-stream" || got.Header.Get("Set-Cookie") != "" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	got.has(t, ": begin\n\nid: 41\nevent: x\ndata: <tr class=\"hit\">", "id: 42\ndata: <tr", ": no event\n", ": still here\n\n", "&lt;script&gt;alert(1)")
	got.lacks(t, "<script>alert", "<img src=x", "not JSON")
	for frame := range strings.SplitSeq(got.text, "\n\n") {
		for line := range strings.SplitSeq(frame, "\n") {
			if !strings.HasPrefix(line, "data: ") && !strings.HasPrefix(line, "id: ") && !strings.HasPrefix(line, "event: ") && !strings.HasPrefix(line, ":") && line != "" {
				t.Errorf("a line of no kind: %q", line)
			}
		}
	}
	if got := w.send("/console/acme/search/tail", url.Values{}, pollHeader, "1"); got.StatusCode != http.StatusForbidden {
		t.Errorf("without a form token: %d", got.StatusCode)
	}
}
