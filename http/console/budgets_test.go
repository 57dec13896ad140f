package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

func TestBudgets(t *testing.T) {
	w := signedIn(t)
	w.operate("invoices")
	page := w.must("/console/acme/budgets")
	page.has(t, "105 %", "exceeded", "12.30 EUR</a> used", "0.40 EUR</a> reserved", "887.30 EUR free of 900.00 EUR", "Europe/Vienna", `class="beyond"`, "forecast 246.00 EUR",
		"/console/acme/search?actor=agent%3Aag_1&amp;from=2026-10-31T23%3A00%3A00Z&amp;model=invoices&amp;to=2026-11-30T23%3A00%3A00Z&amp;type=budget.settled.v1&amp;workflow=invoices")
	w.must("/console/acme/budgets?window=day").has(t, "No budget fits these filters")
	if got := w.get("/console/acme/budgets?new=a.b").Header.Get("Location"); got != "/console/acme/budgets/a.b/edit" {
		t.Errorf("a new one begins at %q", got)
	}
	w.api.on("GET /v1/workspaces/acme/budgets/month/usage", 503, problem(503, "stale_model", "The figures are behind."))
	w.must("/console/acme/budgets").has(t, "The figures are behind.", "/console/acme/budgets/month")
	w.api.on("GET /v1/workspaces/acme/budgets", 200, api.BudgetList{})
	w.must("/console/acme/budgets").has(t, "Nothing is limited yet")
}

func TestABudget(t *testing.T) {
	w := signedIn(t)
	w.operate("invoices")
	page := w.must("/console/acme/budgets/month")
	page.has(t, "Use of calls", "If it goes on like this it reaches 1,900", "which is more than the limit", `class="chart wide"`, `class="chart slim"`, "<title id=\"wide-t\">calls used in this month</title>",
		"1 Nov", "By agent", "By model", "the service", "Oct 2026", "Nov 2026", "Alerts of this window", "50 %", `<polyline class="goes"`, `outcome=overrun`, "2026-10-31 23:00:00 UTC", "3</a>")
	w.must("/console/acme/budgets/month?amount=cost_micros").has(t, "Use of cost", "12.30 EUR used so far, 0.40 EUR reserved, of a limit of 900.00 EUR", `class="column over"`)
	endless := someUsage("m")
	endless.WindowStart, endless.WindowEnd, endless.StepSeconds, endless.Windows = time.Time{}, time.Time{}, 86400, nil
	for i := range endless.Lines {
		endless.Lines[i].Forecast = nil
	}
	total := someBudget("month", "m")
	total.Window = "total"
	w.api.on("GET /v1/workspaces/acme/budgets/month", 200, total)
	w.api.on("GET /v1/workspaces/acme/budgets/month/usage", 200, endless)
	page = w.must("/console/acme/budgets/month")
	page.has(t, "This window never ends", "31 Oct")
	page.lacks(t, "<polyline")
	w.api.on("GET /v1/workspaces/acme/budgets/month/usage", 200, api.BudgetUsage{Budget: "month", Lines: []api.UsageLine{}, WindowStart: day, WindowEnd: day.Add(time.Hour)})
	w.must("/console/acme/budgets/month").has(t, "Nothing was settled in this window", "There is no forecast")
}

func TestWritingABudget(t *testing.T) {
	w := signedIn(t)
	w.operate("invoices")
	at := "/console/acme/budgets/month/edit"
	w.must(at).has(t, `name="etag" value="&#34;3&#34;"`, `value="900"`, `value="100"`, `value="50, 80"`, `value="Europe/Vienna"`, "would replace version 3")
	w.api.on("PUT /v1/workspaces/acme/budgets/month", 200, someBudget("month", "x"))
	done := w.post(at, at, url.Values{"etag": {`"3"`}, "whole": {"true"}, "window": {"day"}, "timezone": {"UTC"}, "mode": {"observe"}, "cost": {"12.5"}, "calls": {"0"}, "alert_at": {"50%, 90"}})
	if done.Header.Get("Location") != "/console/acme/budgets/month" {
		t.Fatalf("%d %s", done.StatusCode, done.main())
	}
	call := w.api.last("PUT /v1/workspaces/acme/budgets/month")
	if want := `{"alert_at":[50,90],"limits":{"calls":0,"cost_micros":12500000},"mode":"observe","scope":{"workspace":true},"timezone":"UTC","window":"day"}`; call.body != want || call.Header.Get("If-Match") != `"3"` {
		t.Errorf("sent If-Match %s and %s", call.Header.Get("If-Match"), call.body)
	}
	before := w.api.count("PUT /v1/workspaces/acme/budgets/month")
	w.post(at, at, url.Values{"calls": {"-1"}}).has(t, "This is no whole number.", `value="-1"`)
	w.post(at, at, url.Values{"cost": {"1,5"}}).has(t, "with a point", `value="1,5"`)
	w.post(at, at, url.Values{"alert_at": {"half"}}).has(t, "Write whole per cents", `value="half"`)
	if w.api.count("PUT /v1/workspaces/acme/budgets/month") != before {
		t.Error("what can't be read was sent")
	}
	w.api.on("PUT /v1/workspaces/acme/budgets/month", 412, problem(412, "version_conflict", "Somebody was faster."))
	w.post(at, at, url.Values{"etag": {`"1"`}, "version": {"1"}, "whole": {"true"}, "calls": {"7"}}).has(t, "Version 3 was set meanwhile", "100 calls", `value="7"`, `name="etag" value="&#34;3&#34;"`)
	w.must("/console/acme/budgets/fresh/edit").has(t, "New budget", `name="etag" value="&#34;0&#34;"`)
	w.api.on("DELETE /v1/workspaces/acme/budgets/month", 204, nil)
	if done = w.post("/console/acme/budgets/month", "/console/acme/budgets/month/delete", nil); done.Header.Get("Location") != "/console/acme/budgets" {
		t.Errorf("led to %q", done.Header.Get("Location"))
	}
}

func TestPrices(t *testing.T) {
	w := signedIn(t)
	w.operate("gpt")
	at := "/console/acme/prices"
	page := w.must(at)
	page.has(t, `value="gpt"`, `value="2.5"`, `value="10"`, `value="0.000001"`, `name="etag" value="&#34;3&#34;"`, "type=budget.prices_set.v1")
	if n := strings.Count(page.text, `name="model"`); n != 1+blankPrices {
		t.Errorf("%d rows", n)
	}
	w.api.on("PUT /v1/workspaces/acme/prices", 200, api.PriceTable{Version: 5})
	w.post(at, at, url.Values{"etag": {`"3"`}, "model": {"a", "", "b"}, "prompt": {"1.5", "9", ""}, "output": {"2", "", "4"}, "call": {"", "", "0.1"}})
	call := w.api.last("PUT /v1/workspaces/acme/prices")
	if want := `{"models":{"a":{"output_micros_per_million":2000000,"prompt_micros_per_million":1500000},"b":{"micros_per_call":100000,"output_micros_per_million":4000000,"prompt_micros_per_million":0}}}`; call.body != want || call.Header.Get("If-Match") != `"3"` {
		t.Errorf("sent If-Match %s and %s", call.Header.Get("If-Match"), call.body)
	}
	before := w.api.count("PUT /v1/workspaces/acme/prices")
	w.post(at, at, url.Values{"model": {"a", "a"}, "prompt": {"1", "2"}}).has(t, "A model has two prices", `value="2"`)
	w.post(at, at, url.Values{"model": {"a"}, "prompt": {"cheap"}}).has(t, "A price can&#39;t be read", `value="cheap"`)
	if w.api.count("PUT /v1/workspaces/acme/prices") != before {
		t.Error("what can't be read was sent")
	}
	w.api.on("PUT /v1/workspaces/acme/prices", 412, problem(412, "version_conflict", "Somebody was faster."))
	w.post(at, at, url.Values{"etag": {`"1"`}, "model": {"a"}, "prompt": {"1"}}).has(t, "Version 4 was set meanwhile", `value="a"`, `name="etag" value="&#34;3&#34;"`)
	w.api.on("GET /v1/workspaces/acme/prices", 200, api.PriceTable{})
	w.api.permissions = []string{"budget.read"}
	w.must(at).has(t, "No prices yet")
}
