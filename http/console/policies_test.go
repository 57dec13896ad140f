package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/clawoffice/ledger/http/api"
)

func TestPolicies(t *testing.T) {
	w := signedIn(t)
	w.populate("invoices")
	page := w.must("/console/acme/policies?mode=enforce")
	page.has(t, "/console/acme/policies/invoices/versions", "/console/acme/search?policy=invoices", "/console/acme/search?type=policy.written.v1")
	w.must("/console/acme/policies?mode=shadow").has(t, "No policy fits these filters")
	w.must("/console/acme/policies/invoices").has(t, `id="rule-big"`, "2 of ", "within 24h", "duties apart", "high risk", "escalated after 2h",
		"/console/acme/search?policy=invoices&amp;rule=small", "&#34;sandbox&#34;: {", "action.params.amount &lt;= 100.0")
	if got := w.get("/console/acme/policies?new=a%2Fb").Header.Get("Location"); got != "/console/acme/policies/a%2Fb/edit" {
		t.Errorf("a new policy begins at %q", got)
	}
	w.api.on("GET /v1/workspaces/acme/policies", 200, api.PolicyList{})
	w.must("/console/acme/policies").has(t, "No policies yet")
	w.api.permissions = []string{"policy.read"}
	w.must("/console/acme/policies/invoices").lacks(t, "/edit")
}

func TestDryRun(t *testing.T) {
	w := signedIn(t)
	w.populate("invoices")
	at := "/console/acme/policies/invoices"
	page := w.post(at, at, url.Values{"action": {`{"kind":"payment.initiate","params":{"amount":120.00}}`}, "workflow": {"invoices"}, "context": {`{"ticket":1}`}})
	page.has(t, "require approval", `href="/console/acme/policies/invoices#rule-big"`, `id="rule-big" class="decided"`, "Needs", "could not be evaluated", "shadow mode")
	want := `{"action":{"kind":"payment.initiate","params":{"amount":120.00}},"context":{"ticket":1},"policy":"invoices","workflow":"invoices"}`
	if got := w.api.last("POST /v1/workspaces/acme/policies:evaluate").body; got != want {
		t.Errorf("asked\n%s, want\n%s", got, want)
	}
	w.post("/console/acme/policies", "/console/acme/policies", url.Values{"action": {`{"workflow":"travel","action":{"kind":"a.b","params":{"n":1}},"context":{"x":2},"subject":"s"}`}})
	want = `{"action":{"kind":"a.b","params":{"n":1}},"context":{"x":2},"workflow":"travel"}`
	if got := w.api.last("POST /v1/workspaces/acme/policies:evaluate").body; got != want {
		t.Errorf("a pasted request was asked as\n%s, want\n%s", got, want)
	}
	asked := w.api.count("POST /v1/workspaces/acme/policies:evaluate")
	w.post(at, at, url.Values{"action": {"{\n \"kind\": oops\n}"}}).has(t, "The action is no JSON", "Line 2, column 10", `<span class="line wrong"><span class="lineno">2</span> &#34;kind&#34;: oops`, "&#34;kind&#34;: oops\n}</textarea>")
	w.post(at, at, url.Values{"action": {"{}"}, "context": {"["}}).has(t, "The context is no JSON")
	w.post(at, at, url.Values{"action": {`["kind"]`}}).has(t, "This is no action")
	if w.api.count("POST /v1/workspaces/acme/policies:evaluate") != asked {
		t.Error("what is no action was asked")
	}
	w.api.on("POST /v1/workspaces/acme/policies:evaluate", 400, problem(400, "workflow_mismatch", "It is about another workflow."))
	w.post(at, at, url.Values{"action": {"{}"}}).has(t, "It is about another workflow.")
}

func TestWritingAPolicy(t *testing.T) {
	w := signedIn(t)
	w.populate("invoices")
	at := "/console/acme/policies/invoices/edit"
	w.must(at).has(t, `name="etag" value="&#34;3&#34;"`, "&#34;workflow&#34;: &#34;invoices&#34;")
	w.api.on("PUT /v1/workspaces/acme/policies/invoices", 200, somePolicy("invoices", 3))
	const text = "{\n  \"workflow\": \"invoices\" }"
	done := w.post(at, at, url.Values{"source": {text}, "etag": {`"3"`}, "version": {"2"}})
	if done.Header.Get("Location") != "/console/acme/policies/invoices" {
		t.Fatalf("%d to %q: %s", done.StatusCode, done.Header.Get("Location"), done.main())
	}
	call := w.api.last("PUT /v1/workspaces/acme/policies/invoices")
	if call.body != text || call.Header.Get("If-Match") != `"3"` || call.Header.Get("Content-Type") != "application/json" {
		t.Errorf("sent %q, If-Match %s", call.body, call.Header.Get("If-Match"))
	}
	w.must("/console/acme/policies/invoices").has(t, "Version 3 is written")
}

func TestWhatIsWrongInAPolicyIsShownInPlace(t *testing.T) {
	w := signedIn(t)
	w.populate("invoices")
	at := "/console/acme/policies/invoices/edit"
	const text = "{\n \"workflow\": \"invoices\",\n \"rules\": [\n  {\"id\": \"a\"},\n  {\n   \"id\": \"b\",\n   \"when\": \"amount > \"\n  }\n ]\n}"
	page := w.post(at, at, url.Values{"source": {"{\"a\": 1,}"}})
	page.has(t, "This is no JSON", "Line 1, column 9: ", "{&#34;a&#34;: 1,}</textarea>")
	if w.api.count("PUT /v1/workspaces/acme/policies/invoices") != 0 {
		t.Error("what is no JSON was sent")
	}
	wrong := problem(400, "invalid_condition", "the condition of rule b is wrong at line 1, column 10: Syntax error")
	wrong.AdditionalProperties = map[string]any{"pointer": "/rules/1/when", "rule": "b", "line": 1, "column": 10}
	w.api.on("PUT /v1/workspaces/acme/policies/invoices", 400, wrong)
	page = w.post(at, at, url.Values{"source": {text}, "etag": {`"3"`}})
	page.has(t, "Line 7", "<code>/rules/1/when</code>", "line 1, column 10: Syntax error", `<span class="line wrong"><span class="lineno">7</span>   &#34;when&#34;`, "&#34;amount &gt; &#34;", `aria-invalid="true"`, `value="&#34;3&#34;"`)
	w.api.on("PUT /v1/workspaces/acme/policies/invoices", 400, problem(400, "invalid_body", "errors says where.", api.FieldError{Pointer: "/rules/0/effect", Detail: "This field is required."}, api.FieldError{Pointer: "/mode", Detail: "This field is required."}))
	w.post(at, at, url.Values{"source": {text}}).has(t, "Line 4", "Line 1 ", "This field is required.")
}

func TestAPolicyWrittenMeanwhile(t *testing.T) {
	w := signedIn(t)
	w.populate("invoices")
	at := "/console/acme/policies/invoices/edit"
	mine, err := sourceOf(somePolicy("mine", 2))
	if err != nil {
		t.Fatal(err)
	}
	w.api.on("PUT /v1/workspaces/acme/policies/invoices", 412, problem(412, "version_conflict", "Somebody was faster."))
	page := w.post(at, at, url.Values{"source": {mine}, "etag": {`"1"`}, "version": {"1"}})
	if page.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("answered %d", page.StatusCode)
	}
	page.has(t, "Version 2 was written meanwhile", `name="etag" value="&#34;3&#34;"`, `<span class="mark">-</span>  &#34;workflow&#34;: &#34;invoices&#34;`,
		`<span class="mark">&#43;</span>  &#34;workflow&#34;: &#34;mine&#34;`, "would replace version 2")
}

func TestANewPolicy(t *testing.T) {
	w := signedIn(t)
	at := "/console/acme/policies/travel/edit"
	w.must(at).has(t, "New policy", `name="etag" value="&#34;0&#34;"`, "small-payments")
	w.api.on("PUT /v1/workspaces/acme/policies/travel", 200, api.Policy{ID: "travel", Version: 1})
	w.post(at, at, url.Values{"source": {newPolicy}, "etag": {`"0"`}})
	if got := w.api.last("PUT /v1/workspaces/acme/policies/travel").Header.Get("If-Match"); got != `"0"` {
		t.Errorf("sent with If-Match %s", got)
	}
	w.api.on("GET /v1/workspaces/acme/policies/broken", 503, problem(503, "stale_model", "Not now."))
	if page := w.get("/console/acme/policies/broken/edit"); page.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("an editor without what it edits: %d", page.StatusCode)
	}
}

func TestVersions(t *testing.T) {
	w := signedIn(t)
	w.populate("invoices")
	at := "/console/acme/policies/invoices/versions"
	page := w.must(at)
	page.has(t, "From version 1 to version 2", `<span class="mark">-</span>  &#34;workflow&#34;: &#34;other&#34;`, `<span class="mark">&#43;</span>  &#34;workflow&#34;: &#34;invoices&#34;`, "equal lines")
	w.must(at+"?from=2&to=1").has(t, "From version 2 to version 1", `<span class="mark">&#43;</span>  &#34;workflow&#34;: &#34;other&#34;`)
	w.must(at+"?from=1&to=1").lacks(t, "From version")
	if page = w.get(at + "?from=1&to=9"); page.StatusCode != http.StatusNotFound || !strings.Contains(page.text, "no version 9") {
		t.Errorf("a version that is not there: %d", page.StatusCode)
	}
	w.api.on("GET /v1/workspaces/acme/policies/invoices/versions", 200, api.PolicyList{Items: []api.Policy{somePolicy("one", 1)}})
	w.must(at).has(t, "There is one version so far")
}
