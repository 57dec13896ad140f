package http

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// said is a running execution with a prompt of this text, answered with another.
func (w *world) said(prompt, answer string) (execution string) {
	w.t.Helper()
	id := w.started()
	path := "/v1/workspaces/acme/executions/" + id + "/prompts"
	made := w.must(201, "POST", path, w.agent, fmt.Sprintf(`{"model":"m-1","content":%q,"max_output_tokens":9}`, prompt))
	w.must(201, "POST", path+"/"+made.text("prompt_id")+"/completion", w.agent,
		fmt.Sprintf(`{"content":%q,"usage":{"prompt_tokens":5,"output_tokens":2},"finish_reason":"stop"}`, answer))
	return id
}

// found answers the types of what a search finds.
func (w *world) found(token, body string) []string {
	w.t.Helper()
	got := w.must(200, "POST", "/v1/workspaces/acme/search?min_position="+w.head(), token, body)
	list := []string{}
	for _, item := range got.at("items").([]any) {
		list = append(list, item.(map[string]any)["type"].(string))
	}
	return list
}

func TestSearch(t *testing.T) {
	w := newWorld(t)
	auditor, _ := w.join("ann@acme.test", "Ann", "auditor")
	id := w.said("Which quarterly invoice is due?", "The invoice of the quarterly kind.")
	w.must(201, "POST", "/v1/workspaces/acme/executions", w.agent, `{"workflow":"invoices","action":{"kind":"payment.initiate","params":{"note":"quarterly bonus"}}}`)
	prompt, answer := "execution.prompt_recorded.v1", "execution.completion_recorded.v1"
	for _, row := range []struct {
		name, body string
		want       []string
	}{
		{"words", `{"q":"quarterly invoice"}`, []string{answer, prompt}},
		{"words of an action's parameters", `{"q":"bonus type:execution.*"}`, []string{"execution.requested.v1"}},
		{"oldest first", `{"q":"quarterly invoice","order":"oldest"}`, []string{prompt, answer}},
		{"words and metadata", `{"q":"invoice model:m-1 outcome:completed"}`, []string{answer}},
		{"what must not be there", `{"q":"quarterly -type:execution.completion* -type:approval.*"}`, []string{"execution.requested.v1", prompt}},
		{"filters", `{"filters":{"type":["` + prompt + `"],"execution":["` + id + `"]}}`, []string{prompt}},
		{"query and filters", `{"q":"invoice","filters":{"-type":["` + prompt + `"]}}`, []string{answer}},
		{"a time in which nothing was", `{"q":"invoice","to":"2020-01-01T00:00:00Z"}`, []string{}},
		{"a stream as it is shown", `{"q":"stream:execution-` + id + ` type:execution.prompt*"}`, []string{prompt}},
		{"streams that begin alike", `{"q":"stream:execution-* type:execution.prompt*"}`, []string{prompt}},
		{"absent words", `{"q":"nowhere"}`, []string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.t = t
			if got := w.found(auditor, row.body); !slices.Equal(got, row.want) {
				t.Errorf("%s finds %v, want %v", row.body, got, row.want)
			}
		})
	}
	w.t = t
	for body, code := range map[string]string{`{"q":"bogus:1"}`: "query_invalid", `{"q":"text:the"}`: "query_invalid", `{"q":"\"open"}`: "query_invalid",
		`{"filters":{"nothing":["x"]}}`: "query_invalid", `{"cursor":"abc"}`: "cursor_invalid", `{"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}`: "invalid_parameter"} {
		w.refused(400, code, "POST", "/v1/workspaces/acme/search", auditor, body)
	}
	w.refused(404, "not_found", "POST", "/v1/workspaces/acme/search", auditor, `{"saved":"ss_none"}`)
	w.refused(400, "query_invalid", "POST", "/v1/workspaces/acme/search/histogram", auditor, `{"every":1,"from":"2001-01-01T00:00:00Z","q":"type:*","to":"2026-01-01T00:00:00Z","filters":{"x":["y"]}}`)
}

// TestSearchSettlesPhrases opens what was found, to tell words that stand
// together from those that only stand in one text.
func TestSearchSettlesPhrases(t *testing.T) {
	w := newWorld(t)
	auditor, _ := w.join("ann@acme.test", "Ann", "auditor")
	w.said("Which quarterly invoice is due?", "The invoice is quarterly.")
	const phrase = `{"q":"text:\"quarterly invoice\""`
	open := w.must(200, "POST", "/v1/workspaces/acme/search?min_position="+w.head(), auditor, phrase+`}`)
	if open.at("unsettled") != true || len(open.at("items").([]any)) != 2 {
		t.Fatalf("unopened: %s", open.raw)
	}
	settled := w.must(200, "POST", "/v1/workspaces/acme/search?min_position="+w.head(), auditor, phrase+`,"open":{"reason":"complaint 7"}}`)
	items := settled.at("items").([]any)
	if settled.at("unsettled") != false || settled.at("dropped") != 1.0 || len(items) != 1 {
		t.Fatalf("opened: %s", settled.raw)
	}
	if hit := items[0].(map[string]any); hit["excerpt"] != "Which quarterly invoice is due?" || hit["match"] != "settled" {
		t.Errorf("the hit is %v", hit)
	}
	w.refused(403, "permission_denied", "POST", "/v1/workspaces/acme/search", w.searcher(), phrase+`,"open":{"reason":"curious"}}`)
	trail := w.must(200, "GET", "/v1/workspaces/acme/search?type=access.*&order=oldest&min_position="+w.head(), auditor, "")
	var types []string
	for _, item := range trail.at("items").([]any) {
		types = append(types, item.(map[string]any)["type"].(string))
	}
	if want := []string{"access.searched.v1", "access.searched.v1", "access.content_opened.v1", "access.denied.v1"}; !slices.Equal(types, want) {
		t.Errorf("the trail holds %v, want %v", types, want)
	}
}

// searcher is a member who may search, and read no content.
func (w *world) searcher() string {
	w.must(200, "PUT", "/v1/workspaces/acme/roles/searcher", w.owner, `{"permissions":["audit.search"]}`)
	token, _ := w.join("sue@acme.test", "Sue", "searcher")
	return token
}

func TestSearchesAreRecordedOnce(t *testing.T) {
	w := newWorld(t)
	auditor, _ := w.join("ann@acme.test", "Ann", "auditor")
	w.said("one", "two")
	before := w.head()
	first := w.must(200, "POST", "/v1/workspaces/acme/search?min_position="+before, auditor, `{"q":"outcome:started","limit":1}`)
	after := w.head()
	if before == after {
		t.Error("a search left no trace")
	}
	w.must(200, "POST", "/v1/workspaces/acme/search", auditor, fmt.Sprintf(`{"q":"outcome:started","limit":1,"cursor":%q}`, first.text("next")))
	w.must(200, "POST", "/v1/workspaces/acme/search/facets", auditor, `{"q":"outcome:started","fields":["action"]}`)
	w.must(200, "POST", "/v1/workspaces/acme/search/histogram", auditor, `{"q":"outcome:started"}`)
	w.must(200, "GET", "/v1/workspaces/acme/search?outcome=started", auditor, "")
	if w.head() != after {
		t.Error("pages and counts of the same search were recorded again")
	}
	w.refused(400, "invalid_parameter", "GET", "/v1/workspaces/acme/search?text=secret", auditor, "")
}

func TestFacetsAndHistogram(t *testing.T) {
	w := newWorld(t)
	auditor, _ := w.join("ann@acme.test", "Ann", "auditor")
	w.said("one", "two")
	facets := w.must(200, "POST", "/v1/workspaces/acme/search/facets?min_position="+w.head(), auditor, `{"fields":["model","outcome"],"q":"type:execution.*"}`)
	models := facets.at("items").([]any)[0].(map[string]any)["values"].([]any)
	if len(models) != 1 || models[0].(map[string]any)["value"] != "m-1" || models[0].(map[string]any)["events"] != 2.0 {
		t.Errorf("models: %v", models)
	}
	histogram := w.must(200, "POST", "/v1/workspaces/acme/search/histogram", auditor, `{"q":"type:execution.*"}`)
	total := 0.0
	for _, span := range histogram.at("items").([]any) {
		total += span.(map[string]any)["events"].(float64)
	}
	if total != 4 || histogram.at("every").(float64) < 1 {
		t.Errorf("histogram: %s", histogram.raw)
	}
}

func TestExport(t *testing.T) {
	w := newWorld(t)
	auditor, _ := w.join("ann@acme.test", "Ann", "auditor")
	for range 3 {
		w.said("one", "two")
	}
	q := `"q":"type:execution.*","reason":"audit","order":"oldest"`
	got := w.must(200, "POST", "/v1/workspaces/acme/search/export?min_position="+w.head(), auditor, `{"format":"csv",`+q+`}`)
	rows, err := csv.NewReader(strings.NewReader(strings.Replace(string(got.raw), "# complete: 12 events", "# complete: 12 events"+strings.Repeat(",", 19), 1))).ReadAll()
	if err != nil || len(rows) != 14 || rows[0][0] != "position" || rows[13][0] != "# complete: 12 events" {
		t.Errorf("CSV: %v %d rows:\n%s", err, len(rows), got.raw)
	}
	if got.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasSuffix(got.header.Get("Content-Disposition"), `.csv"`) || got.header.Get("Ledger-Position") == "" {
		t.Errorf("headers: %v", got.header)
	}
	lines := strings.Split(strings.TrimSpace(string(w.must(200, "POST", "/v1/workspaces/acme/search/export", auditor, `{"format":"ndjson",`+q+`}`).raw)), "\n")
	if len(lines) != 13 || lines[12] != `{"complete":true,"events":12}` {
		t.Errorf("NDJSON: %d lines, the last %s", len(lines), lines[len(lines)-1])
	}
	w.refused(403, "permission_denied", "POST", "/v1/workspaces/acme/search/export", w.searcher(), `{"format":"csv",`+q+`}`)
	if list := w.found(auditor, `{"q":"type:access.exported*"}`); len(list) != 2 {
		t.Errorf("%d exports are recorded, want 2", len(list))
	}
}

func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{"": "", "invoices": "invoices", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "%x": "'%x", "a=1": "a=1"} {
		if got := harmless(text); got != want {
			t.Errorf("%q is written %q, want %q", text, got, want)
		}
	}
}

func TestSavedSearches(t *testing.T) {
	w := newWorld(t)
	auditor, _ := w.join("ann@acme.test", "Ann", "auditor")
	w.said("Which quarterly invoice?", "none")
	made := w.must(201, "POST", "/v1/workspaces/acme/searches", auditor, `{"name":"invoices","q":"text:quarterly"}`)
	w.refused(400, "query_invalid", "POST", "/v1/workspaces/acme/searches", auditor, `{"name":"n","q":"text:"}`)
	other := w.searcher()
	if list := w.found(other, `{"saved":"`+made.text("id")+`"}`); !slices.Equal(list, []string{"execution.prompt_recorded.v1"}) {
		t.Errorf("another member finds %v by a saved search", list)
	}
	if list := w.found(other, `{"saved":"`+made.text("id")+`","q":"outcome:failed"}`); len(list) != 0 {
		t.Errorf("a saved search with more conditions finds %v", list)
	}
	if mine := w.must(200, "GET", "/v1/workspaces/acme/searches", other, "").at("items").([]any); len(mine) != 0 {
		t.Errorf("another's searches are listed: %v", mine)
	}
	w.must(200, "GET", "/v1/workspaces/acme/searches/"+made.text("id"), other, "")
	w.refused(403, "not_owner", "DELETE", "/v1/workspaces/acme/searches/"+made.text("id"), other, "")
	w.must(204, "DELETE", "/v1/workspaces/acme/searches/"+made.text("id"), auditor, "")
	w.refused(404, "not_found", "GET", "/v1/workspaces/acme/searches/"+made.text("id"), auditor, "")
}

func TestTail(t *testing.T) {
	w := newWorld(t)
	auditor, auditorID := w.join("ann@acme.test", "Ann", "auditor")
	w.said("before", "before")
	follow := func(body string) (<-chan string, int) {
		r, err := http.NewRequestWithContext(context.Background(), "POST", w.url+"/v1/workspaces/acme/search/tail", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+auditor)
		r.Header.Set("Content-Type", "application/json")
		return w.lines(r)
	}
	// A position makes sure that it waits for what was before.
	lines, status := follow(`{"q":"type:execution.prompt_recorded*","after":"` + w.head() + `"}`)
	if status != 200 {
		t.Fatalf("status %d", status)
	}
	w.said("after", "after")
	if ids := until(t, lines, "execution.prompt_recorded.v1"); len(ids) != 1 {
		t.Errorf("%d prompts came, want the one after", len(ids))
	}
	w.must(204, "DELETE", "/v1/workspaces/acme/members/"+auditorID, w.owner, "")
	var last string
	for line := range lines {
		last = line
	}
	if !strings.Contains(last, "may not read here any more") {
		t.Errorf("a removed member's tail ended with %q", last)
	}
}

func TestTokensAndMe(t *testing.T) {
	w := newWorld(t)
	me := w.must(200, "GET", "/v1/me", w.agent, "")
	if me.text("workspace") != "acme" || me.text("actor") != "agent:"+w.agentID || !slices.Contains(me.at("permissions").([]any), any("execution.request")) {
		t.Errorf("the agent is told %s", me.raw)
	}
	all := w.must(200, "GET", "/v1/workspaces/acme/tokens", w.owner, "").at("items").([]any)
	own := w.must(200, "GET", "/v1/workspaces/acme/tokens", w.agent, "").at("items").([]any)
	some := w.must(200, "GET", "/v1/workspaces/acme/tokens?actor=agent:"+w.agentID, w.owner, "").at("items").([]any)
	if len(all) != 3 || len(own) != 1 || len(some) != 1 || own[0].(map[string]any)["actor"] != "agent:"+w.agentID {
		t.Errorf("all %v, own %v, some %v", all, own, some)
	}
	w.must(204, "DELETE", "/v1/workspaces/acme/tokens/"+me.text("credential"), w.owner, "")
	if after := w.must(200, "GET", "/v1/workspaces/acme/tokens?actor=agent:"+w.agentID, w.owner, "").at("items").([]any); after[0].(map[string]any)["status"] != "revoked" {
		t.Errorf("a revoked token is %v", after)
	}
}

func TestRetentionIsSet(t *testing.T) {
	w := newWorld(t)
	set := w.must(200, "PUT", "/v1/workspaces/acme/retention", w.owner, `{"classes":[{"class":"execution","days":400},{"class":"content","days":90}]}`, "If-Match", `"0"`)
	got := w.must(200, "GET", "/v1/workspaces/acme/retention", w.owner, "")
	if got.header.Get("ETag") != `"1"` || string(got.raw) != string(set.raw) {
		t.Errorf("set %s, got %s", set.raw, got.raw)
	}
	w.refused(400, "invalid_body", "PUT", "/v1/workspaces/acme/retention", w.owner, `{"classes":[{"class":"content","days":1},{"class":"content","days":2}]}`)
}
