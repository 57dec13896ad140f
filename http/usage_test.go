package http

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const acme = "/v1/workspaces/acme"

// atNoon moves the service's clock to a noon ahead, so that no midnight comes
// in between.
func (w *world) atNoon() {
	next := time.Now().Add(24 * time.Hour).Truncate(24 * time.Hour).Add(12 * time.Hour)
	w.ahead.Store(int64(time.Until(next)))
}

func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

// call records a prompt of these tokens.
func (w *world) call(execution, model string, prompt, output int) answer {
	w.t.Helper()
	return w.must(201, "POST", acme+"/executions/"+execution+"/prompts", w.agent, promptOf(model, prompt, output))
}

func promptOf(model string, prompt, output int) string {
	return fmt.Sprintf(`{"model":%q,"content":"hi","prompt_tokens":%d,"max_output_tokens":%d}`, model, prompt, output)
}

// done completes a prompt; more is further members of the body.
func (w *world) done(execution string, prompt answer, input, output int, more string) answer {
	w.t.Helper()
	return w.must(201, "POST", acme+"/executions/"+execution+"/prompts/"+prompt.text("prompt_id")+"/completion", w.agent,
		fmt.Sprintf(`{"content":"done","usage":{"prompt_tokens":%d,"output_tokens":%d},"finish_reason":"stop"%s}`, input, output, more))
}

// usage is a budget's usage after a position.
func (w *world) usage(budget string, after answer) answer {
	w.t.Helper()
	return w.must(200, "GET", acme+"/budgets/"+budget+"/usage?min_position="+after.header.Get("Ledger-Position"), w.super, "")
}

// line is one line of a usage, without its forecast.
func (a answer) line(amount string) map[string]any {
	for _, l := range a.at("lines").([]any) {
		if l := l.(map[string]any); l["amount"] == amount {
			delete(l, "forecast")
			return l
		}
	}
	return nil
}

func (w *world) price(prompt, output int, headers ...string) answer {
	w.t.Helper()
	return w.must(200, "PUT", acme+"/prices", w.owner,
		fmt.Sprintf(`{"models":{"m":{"prompt_micros_per_million":%d,"output_micros_per_million":%d}}}`, prompt, output), headers...)
}

// TestUsageTellsAll spends past thresholds, beyond a reservation and after one
// has expired, and finds all of it in the budget's usage, that day and the next.
func TestUsageTellsAll(t *testing.T) {
	w := newWorld(t)
	w.atNoon()
	w.price(1_000_000, 2_000_000)
	w.must(200, "PUT", acme+"/budgets/daily", w.owner,
		`{"scope":{"workspace":true},"window":"day","limits":{"calls":10,"cost_micros":1000},"alert_at":[50,80]}`)
	ex := w.started()
	plain := w.call(ex, "m", 100, 100)
	if plain.at("reservation", "cost_micros") != float64(300) {
		t.Errorf("reserved %s, want 300 by the price table", plain.raw)
	}
	w.done(ex, plain, 100, 100, "")
	w.done(ex, w.call(ex, "m", 100, 100), 100, 250, "") // an overrun
	over := w.refused(402, "budget_exceeded", "POST", acme+"/executions/"+ex+"/prompts", w.agent, promptOf("m", 100, 100))
	if over.at("used") != float64(900) || over.at("reserved") != float64(0) || over.at("requested") != float64(300) {
		t.Errorf("refused with %s", over.raw)
	}
	slow := w.call(ex, "m", 20, 20)
	before := w.usage("daily", slow)
	want := map[string]any{"amount": "cost_micros", "used": 900.0, "reserved": 60.0, "limit": 1000.0, "free": 40.0}
	if diff := cmp.Diff(want, before.line("cost_micros")); diff != "" {
		t.Errorf("with an open call (-want +got):\n%s", diff)
	}
	w.pass(11 * time.Minute)
	end := w.done(ex, slow, 20, 20, `,"cost_micros":70`) // late, and dearer than the table says
	got := w.usage("daily", end)
	want["used"], want["reserved"], want["free"] = 970.0, 0.0, 30.0
	if diff := cmp.Diff(want, got.line("cost_micros")); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	share := []any{map[string]any{"actor": "agent:" + w.agentID, "model": "m", "calls": 3.0, "prompt_tokens": 220.0, "output_tokens": 370.0, "cost_micros": 970.0}}
	if diff := cmp.Diff(map[string]any{"overruns": 2.0, "late": 1.0, "by": share, "windows": nil},
		map[string]any{"overruns": got.at("overruns"), "late": got.at("late"), "by": got.at("by"), "windows": got.at("windows")}); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	w.sameAlerts(got, [3]float64{80, 900, 1000}, [3]float64{50, 600, 1000}) // each once
	w.stepsAddUp(got, 970)
	w.pass(24 * time.Hour)
	next := w.usage("daily", end)
	if l := next.line("cost_micros"); l["used"] != 0.0 || l["free"] != 1000.0 || next.at("by") != nil || next.at("alerts") != nil {
		t.Errorf("the next day begins with %s", next.raw)
	}
	past := map[string]any{"start": got.text("window_start"), "end": got.text("window_end"), "calls": 3.0, "prompt_tokens": 220.0, "output_tokens": 370.0,
		"cost_micros": 970.0, "overruns": 2.0, "late": 1.0}
	if diff := cmp.Diff([]any{past}, next.at("windows")); diff != "" {
		t.Errorf("the day before (-want +got):\n%s", diff)
	}
}

// sameAlerts compares the alerts of cost: threshold, used and limit.
func (w *world) sameAlerts(usage answer, want ...[3]float64) {
	w.t.Helper()
	var got [][3]float64
	list, _ := usage.at("alerts").([]any)
	for _, a := range list {
		a := a.(map[string]any)
		if a["amount"] != "cost_micros" || a["at"] == nil {
			w.t.Errorf("alert %v", a)
		}
		got = append(got, [3]float64{a["threshold"].(float64), a["used"].(float64), a["limit"].(float64)})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

// stepsAddUp holds the steps of a day to be half hours of it in their order, and
// to come to its cost.
func (w *world) stepsAddUp(usage answer, cost float64) {
	w.t.Helper()
	if usage.at("step_seconds") != 1800.0 {
		w.t.Errorf("steps of %v seconds", usage.at("step_seconds"))
	}
	start, _ := time.Parse(time.RFC3339, usage.text("window_start"))
	list, _ := usage.at("steps").([]any)
	var sum float64
	for _, s := range list {
		s := s.(map[string]any)
		at, err := time.Parse(time.RFC3339, s["start"].(string))
		if err != nil || at.Before(start) || at.Sub(start)%(30*time.Minute) != 0 {
			w.t.Errorf("a step at %v of a day that begins at %s", s["start"], start)
		}
		start = at
		sum += s["cost_micros"].(float64)
	}
	if sum != cost || len(list) == 0 {
		w.t.Errorf("steps come to %v, want %v: %v", sum, cost, list)
	}
}

// TestForecastOfUsage goes on in a straight line from what was used by noon.
func TestForecastOfUsage(t *testing.T) {
	w := newWorld(t)
	w.atNoon()
	for _, window := range []string{"day", "total"} {
		w.must(200, "PUT", acme+"/budgets/"+window, w.owner, `{"scope":{"workspace":true},"window":"`+window+`","limits":{"calls":10}}`)
	}
	ex := w.started()
	end := w.done(ex, w.call(ex, "m", 3000, 1), 3000, 1, "")
	for window, want := range map[string]bool{"day": true, "total": false} {
		tokens := w.usage(window, end).at("lines").([]any)[1].(map[string]any)
		forecast, ok := tokens["forecast"].(float64)
		if ok != want || ok && (forecast < 5500 || forecast > 6000) { // the clock goes on while the test runs
			t.Errorf("window %s: %v, want a forecast of about 6000: %v", window, tokens, want)
		}
	}
}

// TestPricesOfNow reserves and settles by the table as it is at the time. What
// was settled keeps its cost.
func TestPricesOfNow(t *testing.T) {
	w := newWorld(t)
	w.atNoon()
	w.must(200, "PUT", acme+"/budgets/dear", w.owner, `{"scope":{"workspace":true},"window":"day","limits":{"cost_micros":100000}}`)
	ex := w.started()
	prompts := acme + "/executions/" + ex + "/prompts"
	w.refused(402, "price_unknown", "POST", prompts, w.agent, promptOf("m", 10, 0))
	if v := w.price(1_000_000, 0, "If-Match", `"0"`); v.header.Get("ETag") != `"1"` || v.at("version") != 1.0 {
		t.Errorf("the first table is %s %s", v.header.Get("ETag"), v.raw)
	}
	w.refused(402, "price_unknown", "POST", prompts, w.agent, promptOf("other", 10, 0))
	w.done(ex, w.call(ex, "m", 10, 0), 10, 0, `,"cost_micros":3`) // less than the table's 10
	open := w.call(ex, "m", 10, 0)
	w.refused(412, "version_mismatch", "PUT", acme+"/prices", w.owner, `{"models":{}}`, "If-Match", `"0"`)
	if v := w.price(5_000_000, 0, "If-Match", `"1"`); v.header.Get("ETag") != `"2"` {
		t.Errorf("the second table is %s", v.header.Get("ETag"))
	}
	if v := w.price(5_000_000, 0); v.header.Get("ETag") != `"2"` {
		t.Errorf("the same table again is %s", v.header.Get("ETag"))
	}
	end := w.done(ex, open, 10, 0, "") // 50 by now
	if got := w.usage("dear", end); got.line("cost_micros")["used"] != 60.0 || got.at("overruns") != 1.0 {
		t.Errorf("used %s, want 10 and 50, the latter above its reservation", got.raw)
	}
	if r := w.call(ex, "m", 10, 0); r.at("reservation", "cost_micros") != 50.0 {
		t.Errorf("reserved %s, want 50", r.raw)
	}
	w.must(204, "DELETE", acme+"/budgets/dear", w.owner, "")
	w.must(200, "PUT", acme+"/budgets/seen", w.owner, `{"scope":{"workspace":true},"window":"day","mode":"observe","limits":{"cost_micros":1}}`)
	w.call(ex, "other", 10, 0) // a budget that only observes wants no price
}

// TestUsageOfARedefinedBudget begins anew where its scope changed, and goes on
// where only its limits did.
func TestUsageOfARedefinedBudget(t *testing.T) {
	w := newWorld(t)
	w.atNoon()
	budget := func(scope, limit string) {
		w.must(200, "PUT", acme+"/budgets/b", w.owner, `{"scope":`+scope+`,"window":"day","limits":{"calls":`+limit+`}}`)
	}
	budget(`{"workspace":true}`, "1")
	ex := w.started()
	prompts := acme + "/executions/" + ex + "/prompts"
	w.done(ex, w.call(ex, "m", 1, 1), 1, 1, "")
	w.refused(402, "budget_exceeded", "POST", prompts, w.agent, promptOf("m", 1, 1))
	budget(`{"workspace":true}`, "2") // raised: works at once
	end := w.done(ex, w.call(ex, "m", 1, 1), 1, 1, "")
	if by := w.usage("b", end).at("by").([]any); len(by) != 1 || by[0].(map[string]any)["calls"] != 2.0 {
		t.Errorf("with a raised limit it was used by %v, want 2 calls", by)
	}
	budget(`{"workspace":true}`, "1") // lowered: works at once
	w.refused(402, "budget_exceeded", "POST", prompts, w.agent, promptOf("m", 1, 1))
	budget(`{"model":"m"}`, "1")
	if got := w.usage("b", end); got.line("calls")["used"] != 0.0 || got.at("by") != nil || got.at("windows") != nil {
		t.Errorf("with another scope %s, want nothing used", got.raw)
	}
	end = w.done(ex, w.call(ex, "m", 1, 1), 1, 1, "")
	if by := w.usage("b", end).at("by").([]any); by[0].(map[string]any)["calls"] != 1.0 {
		t.Errorf("with another scope it was used by %v, want 1 call", by)
	}
	w.refused(400, "invalid_parameter", "GET", acme+"/budgets/b/usage?min_position=999999999", w.super, "")
}
