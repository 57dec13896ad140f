package http

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const erasePath = "/v1/workspaces/acme/subjects:erase"

// saidOf is said with a subject, and a result of the execution in the end.
func (w *world) saidOf(subject, prompt, answer, result string) (execution string) {
	w.t.Helper()
	id := w.started()
	path := "/v1/workspaces/acme/executions/" + id
	made := w.must(201, "POST", path+"/prompts", w.agent, fmt.Sprintf(`{"model":"m-1","content":%q,"max_output_tokens":9,"subject":%q}`, prompt, subject))
	w.must(201, "POST", path+"/prompts/"+made.text("prompt_id")+"/completion", w.agent,
		fmt.Sprintf(`{"content":%q,"usage":{"prompt_tokens":5,"output_tokens":2},"finish_reason":"stop"}`, answer))
	w.must(200, "POST", path+"/complete", w.agent, fmt.Sprintf(`{"result":{"text":%q}}`, result))
	return id
}

func TestEraseSubject(t *testing.T) {
	w := newWorld(t)
	auditor, _ := w.join("ann@acme.test", "Ann", "auditor")
	id := w.saidOf("customer-7", "the zebra asks", "the zebra is answered", "by the agent")
	w.saidOf("customer-8", "another zebra asks", "another is answered", "by the agent")
	prompt, answer := "execution.prompt_recorded.v1", "execution.completion_recorded.v1"
	if got := w.found(auditor, `{"q":"zebra"}`); !slices.Equal(got, []string{prompt, answer, prompt}) {
		t.Fatalf("before the erasure a search finds %v", got)
	}
	body := `{"subject":"customer-7","reason":"request 7"}`
	done := w.must(200, "POST", erasePath, w.owner, body, "Idempotency-Key", "k")
	if done.text("status") != "erased" || done.at("keys") != 1.0 || done.text("subject_tag") == "" || strings.Contains(string(done.raw), "customer") {
		t.Errorf("erased: %s", done.raw)
	}
	if got := w.found(auditor, `{"q":"zebra"}`); !slices.Equal(got, []string{prompt}) {
		t.Errorf("after the erasure a search finds %v", got)
	}
	if got := w.found(auditor, `{"q":"agent type:execution.completed*"}`); len(got) != 2 {
		t.Errorf("results that named nobody are the agent's, and %d are found", len(got))
	}

	// Every way to the content says that it was erased.
	opened := w.must(200, "POST", "/v1/workspaces/acme/search?min_position="+w.head(), auditor, `{"q":"type:`+prompt+` execution:`+id+`","open":{"reason":"complaint"}}`)
	hits := opened.at("items").([]any)
	if len(hits) != 1 || hits[0].(map[string]any)["match"] != "erased" || strings.Contains(string(opened.raw), "zebra") {
		t.Errorf("opened by a search: %s", opened.raw)
	}
	list := w.must(200, "GET", "/v1/workspaces/acme/events?stream=execution-"+id, auditor, "")
	statuses := map[string]string{}
	for _, item := range list.at("items").([]any) {
		e := item.(map[string]any)
		o := w.must(200, "POST", "/v1/workspaces/acme/events:open", auditor, `{"ids":["`+e["id"].(string)+`"],"reason":"complaint"}`)
		statuses[e["type"].(string)] = o.at("items").([]any)[0].(map[string]any)["status"].(string)
		if strings.Contains(string(o.raw), "zebra") {
			t.Errorf("opened %v: %s", e["type"], o.raw)
		}
	}
	if statuses["content.prompt.v1"] != "erased" || statuses["content.completion.v1"] != "erased" || statuses["content.result.v1"] != "opened" || statuses[prompt] != "opened" {
		t.Errorf("opened: %v", statuses)
	}

	// What comes afterwards is found and read, and a repeat leaves it.
	w.saidOf("customer-7", "the zebra asks again", "yes", "no")
	again := w.must(200, "POST", erasePath, w.owner, body, "Idempotency-Key", "k")
	if string(again.raw) != string(done.raw) || again.header.Get("Ledger-Position") != done.header.Get("Ledger-Position") {
		t.Errorf("a repeat: %s at %s, want %s", again.raw, again.header.Get("Ledger-Position"), done.raw)
	}
	settled := w.must(200, "POST", "/v1/workspaces/acme/search?min_position="+w.head(), auditor, `{"q":"\"zebra asks again\"","open":{"reason":"complaint"}}`)
	if len(settled.at("items").([]any)) != 1 || !strings.Contains(string(settled.raw), "zebra asks again") {
		t.Errorf("content recorded afterwards: %s", settled.raw)
	}
	if nobody := w.must(200, "POST", erasePath, w.owner, `{"subject":"nobody","reason":"request 9"}`); nobody.at("keys") != 0.0 {
		t.Errorf("a subject of nothing: %s", nobody.raw)
	}
	w.refused(400, "invalid_body", "POST", erasePath, w.owner, `{"reason":"request 7"}`)
	w.refused(400, "invalid_body", "POST", erasePath, w.owner, `{"subject":"s","member":"`+w.superID+`","reason":"request 7"}`)
	w.refused(404, "member_unknown", "POST", erasePath, w.owner, `{"member":"mb_none","reason":"request 7"}`)
}

// A member whose profile was erased works on, and is listed as erased, also by
// a directory that was made afterwards.
func TestEraseMember(t *testing.T) {
	w := newWorld(t)
	made := w.must(200, "POST", erasePath, w.owner, `{"member":"`+w.superID+`","reason":"request 7"}`)
	w.must(200, "GET", "/v1/workspaces/acme/members/"+w.superID, w.super, "") // her token works
	listed := func(w *world) {
		t.Helper()
		list := w.must(200, "GET", "/v1/workspaces/acme/members?min_position="+made.header.Get("Ledger-Position"), w.owner, "")
		erased := 0
		for _, item := range list.at("items").([]any) {
			m := item.(map[string]any)
			if m["erased"] == true {
				erased++
				if m["id"] != w.superID || m["name"] != nil || m["email"] != nil || m["status"] != "joined" {
					t.Errorf("listed as %v", m)
				}
			}
		}
		if erased != 1 {
			t.Errorf("%d members are listed as erased: %s", erased, list.raw)
		}
	}
	listed(w)
	other := serverOn(t, w.fixture)
	other.owner, other.superID = w.owner, w.superID
	listed(other)
	if got := w.found(w.owner, `{"q":"sam"}`); len(got) != 0 {
		t.Errorf("her name is found in %v", got)
	}
	if got := w.found(w.owner, `{"q":"olga"}`); !slices.Equal(got, []string{"workspace.member_invited.v1"}) {
		t.Errorf("another's name is found in %v", got)
	}
}
