package console

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/http/api"
)

// history makes entries a second apart, of kinds and events in turn.
func history(pairs ...string) []api.HistoryEntry {
	var out []api.HistoryEntry
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, api.HistoryEntry{Type: "execution." + pairs[i] + ".v1", Event: json.RawMessage(pairs[i+1]), Time: day.Add(time.Duration(i/2) * time.Second), Actor: "agent:a"})
	}
	return out
}

const (
	asks    = `{"workflow":"wf","action":{"id":"ac_1","kind":"x.y","params":{"a":1}},"decision":{"effect":"require_approval","policy":"p","version":1,"rule":"r","reason":""},"approval":"ap_1"}`
	further = `{"action":{"id":"ac_2","kind":"x.y","params":{}},"decision":{"effect":"require_approval","policy":"p","version":1,"rule":"r","reason":""},"approval":"ap_2"}`
)

func TestTimeline(t *testing.T) {
	type shown struct{ Title, Mark, State, Approval string }
	for _, tt := range []struct {
		name string
		in   []api.HistoryEntry
		want []shown
	}{
		{"waiting", history("requested", asks), []shown{{"Asked to run wf", "wait", "pending", "ap_1"}}},
		{"approved", history("requested", asks, "action_authorized", `{"action":"ac_1","approval":"ap_1","permit":{"id":"pm","expires_at":"2026-11-02T10:00:00Z"}}`),
			[]shown{{"Asked to run wf", "wait", "approved", "ap_1"}, {"Approved, and permitted to start", "allow", "", "ap_1"}}},
		{"covered by a grant, whose approval there is not", history("requested", asks, "action_authorized", `{"action":"ac_1","approval":"ap_1","grant":"gr_1","permit":{}}`),
			[]shown{{"Asked to run wf", "wait", "granted in advance", ""}, {"Covered by a standing grant, and permitted to start", "allow", "", "ap_1"}}},
		{"each action has its own", history("requested", asks, "action_requested", further, "action_denied", `{"action":"ac_2","approval":"ap_2","reason":"expired"}`),
			[]shown{{"Asked to run wf", "wait", "pending", "ap_1"}, {"Asked for a further action", "wait", "expired", "ap_2"}, {"Not to be done: the approval was expired", "deny", "", "ap_2"}}},
		{"over before it was decided", history("requested", asks, "cancelled", `{"reason":"r"}`), []shown{{"Asked to run wf", "wait", "", "ap_1"}, {"Cancelled", "deny", "", ""}}},
		{"prompts", history("prompt_recorded", `{"prompt":"a","model":"m"}`, "prompt_recorded", `{"prompt":"b","model":"m"}`, "prompt_recorded", `{"prompt":"c"}`, "prompt_failed", `{"prompt":"a"}`, "prompt_resolved", `{"prompt":"c","reason":"r"}`),
			[]shown{{"Prompt to a model", "info", "failed", ""}, {"Prompt to a model", "info", "open", ""}, {"Prompt to a model", "info", "resolved", ""}, {"The prompt got no answer", "deny", "", ""}, {"A person closed the prompt", "wait", "", ""}}},
		{"outcomes", history("completed", `{}`, "failed", `{}`, "resolved", `{"outcome":"unknown"}`), []shown{{"Completed", "allow", "", ""}, {"Failed", "deny", "", ""}, {"A person closed the execution: unknown", "wait", "", ""}}},
		{"what is not known or can't be read", history("paused", `{"reason":"r"}`, "requested", `"odd"`, "requested", `null`, "action_started", `{"action":{"id":1},"permit":7}`),
			[]shown{{"execution.paused.v1", "", "", ""}, {"execution.requested.v1", "", "", ""}, {"Asked to run ", "", "", ""}, {"Started; the permit is used", "info", "", ""}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []shown
			for _, e := range timeline(tt.in) {
				got = append(got, shown{e.Title, e.Mark, e.State, e.Approval})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFiguresOfAnExecution adds up what was settled, else what was reported.
func TestFiguresOfAnExecution(t *testing.T) {
	answer := func(prompt string, in, out int, more string) string {
		return `{"prompt":"` + prompt + `","usage":{"prompt_tokens":` + count(in) + `,"output_tokens":` + count(out) + `}` + more + `}`
	}
	recorded := []string{"prompt_recorded", `{"prompt":"a","model":"m","cost_micros":999}`, "prompt_recorded", `{"prompt":"b","model":"n"}`, "prompt_recorded", `{"prompt":"c","model":"m"}`}
	all := timeline(history(append(recorded, "completion_recorded", answer("a", 10, 5, `,"cost_micros":7`), "completion_recorded", answer("b", 10, 5, ""))...))
	settled := []api.SearchHit{{Model: "n", PromptTokens: 10, OutputTokens: 5, CostMicros: 30}, {Model: "m", PromptTokens: 10, OutputTokens: 5, CostMicros: 20}}
	if f := sumOf(all, nil); f.Prompts != 3 || f.Open != 1 || f.In != 20 || f.Out != 10 || f.Cost != nil || f.Recorded != 5 {
		t.Errorf("with an unknown cost: %+v", f)
	}
	if f := sumOf(all, settled[:1]); *f.Cost != 30 || !f.Partial {
		t.Errorf("settled in part: %d, %v", *f.Cost, f.Partial)
	}
	if f := sumOf(all, settled); *f.Cost != 50 || f.Partial {
		t.Errorf("settled: %d, %v", *f.Cost, f.Partial)
	}
	priced(all, settled)
	if *all[3].CostMicros != 20 || *all[4].CostMicros != 30 || *all[0].CostMicros != 999 {
		t.Errorf("answers cost %d and %d", *all[3].CostMicros, *all[4].CostMicros)
	}
	all = timeline(history("prompt_recorded", `{"prompt":"a","model":"m"}`, "completion_recorded", answer("a", 1, 1, `,"cost_micros":7`)))
	if f := sumOf(all, nil); *f.Cost != 7 {
		t.Errorf("reported: %d", *f.Cost)
	}
}

func TestTook(t *testing.T) {
	for d, want := range map[time.Duration]string{340 * time.Millisecond: "340 ms", 2100 * time.Millisecond: "2.1 s", 75 * time.Second: "1 min 15 s", 90 * time.Minute: "1 h 30 min", 47 * time.Hour: "47 h 0 min", 49 * time.Hour: "2 d 1 h", -time.Second: ""} {
		if got := took(day, day.Add(d), day); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
	if got := took(day, time.Time{}, day.Add(time.Second)); got != "1.0 s" {
		t.Errorf("up to now it took %q", got)
	}
}
