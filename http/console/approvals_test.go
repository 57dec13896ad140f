package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/http/api"
)

func TestInbox(t *testing.T) {
	w := signedIn(t)
	w.operate("invoices")
	list := []api.Approval{}
	for i, risk := range []api.Risk{"low", "critical", "", "high", "high", "medium"} {
		a := someApproval("ap_"+string(rune('a'+i)), "invoices", map[string]any{"amount": i, "currency": "EUR"})
		a.Requirement.Risk, a.ExpiresAt = risk, day.Add(time.Duration(10-i)*time.Hour)
		list = append(list, a)
	}
	w.api.with("GET /v1/workspaces/acme/approvals", func(c called) (int, any) {
		if c.URL.Query().Get("mine") == "true" {
			return 200, api.ApprovalList{Items: list[1:2]}
		}
		return 200, api.ApprovalList{Items: list}
	})
	page := w.must("/console/acme/approvals")
	var order []string
	for _, part := range strings.Split(page.text, `data-key-row`)[1:] {
		order = append(order, part[strings.Index(part, "<b>")+3:strings.Index(part, "</b>")])
	}
	if diff := cmp.Diff([]string{"1 EUR", "4 EUR", "3 EUR", "5 EUR", "2 EUR", "0 EUR"}, order); diff != "" {
		t.Errorf("not by risk and expiry:\n%s", diff)
	}
	if n := strings.Count(page.text, "for you</span>"); n != 1 {
		t.Errorf("%d are marked as the member's", n)
	}
	page.has(t, "critical risk", "in 9 h 0 min", "data-countdown", "0 of 2", `aria-current="true">Waiting`, "/console/acme/approvals?mine=true", "Keyboard shortcuts")
	w.must("/console/acme/approvals?mine=true").has(t, `aria-current="true">For you`, "1 EUR")
	w.must("/console/acme/approvals?status=denied&risk=high&kind=k&requester=r")
	q := w.api.last("GET /v1/workspaces/acme/approvals").URL.Query()
	if q.Get("status") != "denied" || q.Get("risk") != "high" || q.Get("kind") != "k" || q.Get("requester") != "r" {
		t.Errorf("asked %v", q)
	}
	w.must("/console/acme/approvals?status=all")
	if w.api.last("GET /v1/workspaces/acme/approvals").URL.Query().Has("status") {
		t.Error("all of them are those in a status")
	}
	w.api.on("GET /v1/workspaces/acme/approvals", 200, api.ApprovalList{})
	w.must("/console/acme/approvals").has(t, "Nothing waits")
	w.must("/console/acme/approvals?mine=true").has(t, "Nothing waits for you")
	w.must("/console/acme/approvals?risk=low").has(t, "No approval fits these filters")
	w.must("/console/acme/approvals?status=expired").has(t, "No approvals in this state")
}

// TestAFullInbox has more waiting than a page shows, and more than are sorted.
func TestAFullInbox(t *testing.T) {
	w := signedIn(t)
	w.api.permissions = []string{"approval.read"}
	w.api.with("GET /v1/workspaces/acme/approvals", func(c called) (int, any) {
		list := api.ApprovalList{Next: "more"}
		for range waitingCall {
			list.Items = append(list.Items, someApproval("ap_x", "w", map[string]any{}))
		}
		return 200, list
	})
	page := w.must("/console/acme/approvals?page=7")
	page.has(t, "More wait than are sorted here", "Back to the first page")
	page.lacks(t, "Next page")
	page = w.must("/console/acme/approvals")
	page.has(t, "/console/acme/approvals?page=1")
	if n := strings.Count(page.text, "data-key-row"); n != approvalsPage {
		t.Errorf("%d on a page", n)
	}
	for _, odd := range []string{"-3", "99999999999999999999", "x"} {
		w.must("/console/acme/approvals?page=" + odd)
	}
}

func TestAnApprovalShowsWhatItWouldDo(t *testing.T) {
	w := signedIn(t)
	w.operate("invoices")
	page := w.must("/console/acme/approvals/ap_2")
	page.has(t, "What it changes", "/console/acme/approvals/ap_1", `<span class="mark">-</span>  &#34;amount&#34;: 1`, `<span class="mark">&#43;</span>  &#34;amount&#34;: 2`, "SHA-256 of the text above",
		"/console/acme/policies/invoices#rule-invoices", "version 2", "0 of 2", "in 40 min 0 s", "who asked", "duties apart", "in 10 min", `data-key="a"`, `data-key="d"`, `name="on_behalf_of"`, "mb_bo, who is absent")
	if n := strings.Count(page.text, "duties apart"); n != 1 {
		t.Errorf("who is shut out stands there %d times", n)
	}
	w.must("/console/acme/approvals/ap_1").lacks(t, "/decision")
	w.must("/console/acme/approvals/ap_1").has(t, "A later request of the same execution", "/console/acme/approvals/ap_2", "denied")
	for name, change := range map[string]func(*api.Approval){
		"You asked for it yourself": func(a *api.Approval) { a.Requester = "member:mb_ada" },
		"Duties are kept apart":     func(a *api.Approval) { a.Excluded = []string{"member:mb_ada"} },
		"You have voted":            func(a *api.Approval) { a.Votes = []api.Vote{{By: "member:mb_ada", Decision: "approve"}} },
		"or somebody did for you": func(a *api.Approval) {
			a.Votes = []api.Vote{{By: "member:x", OnBehalfOf: "member:mb_ada", Decision: "approve"}}
		},
	} {
		a := someApproval("ap_2", "invoices", map[string]any{"amount": 2})
		change(&a)
		w.api.on("GET /v1/workspaces/acme/approvals/ap_2", 200, a)
		page := w.must("/console/acme/approvals/ap_2")
		page.has(t, name)
		page.lacks(t, "/decision")
	}
	w.api.on("GET /v1/workspaces/acme/delegations", 200, api.DelegationList{})
	a := someApproval("ap_2", "invoices", map[string]any{"amount": 2})
	a.Roles = []string{"admin"}
	w.api.on("GET /v1/workspaces/acme/approvals/ap_2", 200, a)
	w.must("/console/acme/approvals/ap_2").has(t, "You hold none of the roles")
}

func TestNearest(t *testing.T) {
	a := api.Approval{ID: "a", Execution: "ex", Workflow: "wf", Requester: "r", Action: api.ActionInput{Kind: "k"}, RequestedAt: day}
	other := func(id, execution, workflow, kind, requester string, before time.Duration) api.Approval {
		return api.Approval{ID: id, Execution: execution, Workflow: workflow, Requester: requester, Action: api.ActionInput{Kind: kind}, RequestedAt: day.Add(-before)}
	}
	for _, tt := range []struct {
		name, want string
		same       bool
		list       []api.Approval
	}{
		{"none", "", false, []api.Approval{a}},
		{"of the same execution before one that is nearer", "own", true, []api.Approval{other("near", "other", "wf", "k", "r", 1), other("own", "ex", "wf", "k", "r", 100)}},
		{"of the same execution first", "own", true, []api.Approval{other("own", "ex", "wf", "k", "r", 100), other("near", "other", "wf", "k", "r", 1)}},
		{"the nearest of the execution", "two", true, []api.Approval{other("one", "ex", "wf", "k", "r", 9), other("two", "ex", "wf", "k", "r", 2), other("three", "ex", "wf", "k", "r", 5)}},
		{"the nearest of the workflow", "two", false, []api.Approval{other("one", "x", "wf", "k", "r", 9), other("two", "y", "wf", "k", "r", 2)}},
		{"not of another workflow, kind or requester, and not later", "", false, []api.Approval{other("one", "x", "other", "k", "r", 9), other("two", "ex", "wf", "other", "r", 2), other("three", "ex", "wf", "k", "other", 2), other("four", "ex", "wf", "k", "r", -2)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, same := nearest(a, tt.list, func(at time.Time) bool { return at.Before(day) })
			id := ""
			if got != nil {
				id = got.ID
			}
			if id != tt.want || same != tt.same {
				t.Errorf("found %q, same execution: %v", id, same)
			}
		})
	}
}

// TestApprovingTakesTwoStepsWhereTheRiskIsHigh: one form never approves such an
// action, whatever is in it.
func TestApprovingTakesTwoStepsWhereTheRiskIsHigh(t *testing.T) {
	w := signedIn(t)
	w.operate("invoices")
	at, call := "/console/acme/approvals/ap_2", "POST /v1/workspaces/acme/approvals/ap_2/decision"
	a := someApproval("ap_2", "invoices", map[string]any{"amount": 2, "currency": "EUR"})
	approved := a
	approved.Status = "approved"
	w.api.on("GET /v1/workspaces/acme/approvals/ap_2", 200, a)
	w.api.on(call, 200, approved)
	form := func(more ...string) url.Values {
		v := url.Values{"decision": {"approve"}, "reason": {"checked"}, "digest": {a.ActionDigest}, "on_behalf_of": {"mb_bo"}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	end := a.ActionDigest[39:]
	page := w.post(at, at+"/decision", form())
	page.has(t, "Approve this?", "<mark>"+end+"</mark>", "checked", `value="mb_bo"`, "2 EUR")
	wrong := strings.ToUpper(end)
	if wrong == end {
		wrong = strings.ToLower(end)
	}
	for _, typed := range []string{wrong, end[1:], a.ActionDigest, "on", "true", end + "x"} {
		if page := w.post(at, at+"/decision", form("confirm", typed)); page.StatusCode != 400 {
			t.Errorf("%q was taken: %d", typed, page.StatusCode)
		}
	}
	w.post(at, at+"/decision", form("reason", " ")).has(t, "A reason is needed")
	if w.post(at, at+"/decision", form("decision", "perhaps")).StatusCode != 400 || w.api.count(call) != 0 {
		t.Fatalf("something was decided: %s", w.api.last(call).body)
	}
	if done := w.post(at, at+"/decision", form("confirm", end)); done.Header.Get("Location") != at {
		t.Fatalf("%d %s", done.StatusCode, done.main())
	}
	if got, want := w.api.last(call).body, `{"action_digest":"`+a.ActionDigest+`","decision":"approve","on_behalf_of":"mb_bo","reason":"checked"}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	w.must(at).has(t, "Approved. The agent has a permit")
	w.post(at, at+"/decision", form("decision", "deny"))
	if got := w.api.last(call).body; !strings.Contains(got, `"deny"`) {
		t.Errorf("denying took more than one step: %s", got)
	}
	a.Requirement.Risk = "medium"
	w.api.on("GET /v1/workspaces/acme/approvals/ap_2", 200, a)
	before := w.api.count(call)
	if w.post(at, at+"/decision", form()); w.api.count(call) != before+1 {
		t.Error("an action of medium risk takes two steps")
	}
}

// TestWhatIsShownIsWhatIsApproved sends the digest that the person saw, and
// approves nothing whose digest is not that of what is shown.
func TestWhatIsShownIsWhatIsApproved(t *testing.T) {
	w := signedIn(t)
	w.operate("invoices")
	at, call := "/console/acme/approvals/ap_2", "POST /v1/workspaces/acme/approvals/ap_2/decision"
	w.api.on(call, 409, problem(409, "action_changed", "This is another action than the one you saw."))
	page := w.post(at, at+"/decision", url.Values{"decision": {"approve"}, "reason": {"r"}, "digest": {strings.Repeat("x", 43)}, "confirm": {"xxxx"}})
	page.has(t, "another action than the one you saw")
	if got := w.api.last(call).body; !strings.Contains(got, strings.Repeat("x", 43)) {
		t.Errorf("another digest than the one seen was sent: %s", got)
	}
	a := someApproval("ap_2", "invoices", map[string]any{"amount": 2})
	a.Action.Params = raw(map[string]any{"amount": 2000})
	w.api.on("GET /v1/workspaces/acme/approvals/ap_2", 200, a)
	w.must(at).has(t, "The digest is not that of this action", "not that of the text above", "disabled")
	before := w.api.count(call)
	page = w.post(at, at+"/decision", url.Values{"decision": {"approve"}, "reason": {"r"}, "digest": {a.ActionDigest}, "confirm": {a.ActionDigest[39:]}})
	if page.StatusCode != 409 || w.api.count(call) != before {
		t.Errorf("answered %d, and it was sent: %v", page.StatusCode, w.api.count(call) != before)
	}
	page.has(t, "What you would approve is not what you see")
}
