package process_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/domain/workspace"
)

// at is when the nth event of a story happened.
func at(n int) time.Time { return time.Date(2026, 11, 2, 9, 0, n, 0, time.UTC) }

// in is an event in a stream.
type in struct {
	stream string
	event  domain.Event
}

// fold folds a story of one workspace.
func fold(events ...in) process.State {
	var s process.State
	for i, e := range events {
		s, _ = s.Evolve(process.Happened{Workspace: "acme", Stream: e.stream, Record: string(rune('a' + i)), Time: at(i), Event: e.event})
	}
	return s
}

// owed lists what is owed and when, by key.
func owed(s process.State) map[process.Key]time.Time {
	all := map[process.Key]time.Time{}
	for key, e := range s.Entries.All() {
		if e.Owed != nil {
			all[key] = e.Owed.Due
		}
	}
	return all
}

type due = map[process.Key]time.Time

func soon(n int) time.Time { return at(n).Add(process.Grace) }

var (
	asked = in{"ex_1", execution.Requested{Execution: "ex_1", Action: execution.Action{ID: "ac_1"}, Approval: "ap_1"}}
	open  = in{"ap_1", approval.Requested{Approval: "ap_1", Execution: "ex_1", Action: "ac_1", At: at(1), ExpiresAt: at(3600),
		Requirement: gate.Approval{Escalate: &gate.Escalation{After: "10m"}}}}
	covered  = in{"book", grant.Used{Grant: "gr_1", Execution: "ex_1", Action: "ac_1", Approval: "ap_1"}}
	yes      = in{"ap_1", approval.Approved{}}
	allowed  = in{"ex_1", execution.ActionAuthorized{Action: "ac_1", Approval: "ap_1"}}
	byGrant  = in{"ex_1", execution.ActionAuthorized{Action: "ac_1", Approval: "ap_1", Grant: "gr_1"}}
	ended    = in{"ex_1", execution.Cancelled{}}
	reserved = in{"book", budget.Reserved{Reservation: "rs_1", ExpiresAt: at(600)}}
	prompt   = in{"ex_1", execution.PromptRecorded{Prompt: "pr_1", Reservation: "rs_1"}}
	answer   = in{"ex_1", execution.CompletionRecorded{Prompt: "pr_1"}}
	failed   = in{"ex_1", execution.PromptFailed{Prompt: "pr_1"}}
	lapsed   = in{"book", budget.Expired{Reservation: "rs_1"}}
	erase    = in{"acme", workspace.SubjectErasureOrdered{Erasure: "er_1", Subject: "ada"}}
	hook     = in{"wh_1", webhook.Registered{Webhook: "wh_1", Types: []webhook.Type{webhook.ApprovalRequested}}}
)

func TestWhatIsOwed(t *testing.T) {
	expire, escalate := process.Key("expire-approval/ap_1"), process.Key("escalate/ap_1")
	tests := []struct {
		name   string
		events []in
		want   due
	}{
		{"a request that waits seeks approval", []in{asked}, due{"seek/ap_1": soon(0)}},
		{"a request that needs none owes nothing", []in{{"ex_1", execution.Requested{Execution: "ex_1"}}}, due{}},
		{"an approval that is open has its timers", []in{asked, open}, due{expire: at(3600), escalate: at(1).Add(10 * time.Minute)}},
		{"once escalated, not again", []in{asked, open, {"ap_1", approval.Escalated{}}}, due{expire: at(3600)}},
		{"an outcome is brought", []in{asked, open, yes}, due{"bring-outcome/ap_1": soon(2)}},
		{"a denial too", []in{asked, open, {"ap_1", approval.Denied{}}}, due{"bring-outcome/ap_1": soon(2)}},
		{"an expiry too", []in{asked, open, {"ap_1", approval.Expired{}}}, due{"bring-outcome/ap_1": soon(2)}},
		{"brought, all is done", []in{asked, open, yes, allowed}, due{}},
		{"a use of a grant is brought", []in{asked, covered}, due{"bring-grant/ap_1": soon(1)}},
		{"and then done", []in{asked, covered, byGrant}, due{}},
		{"an approval that a grant overtook is withdrawn", []in{asked, open, covered, byGrant},
			due{"withdraw/ap_1": soon(3), expire: at(3600), escalate: at(1).Add(10 * time.Minute)}},
		{"one opened after that as well", []in{asked, covered, byGrant, open}, due{"withdraw/ap_1": soon(3)}},
		{"an end withdraws what waits", []in{asked, open, ended}, due{"withdraw/ap_1": soon(2), expire: at(3600), escalate: at(1).Add(10 * time.Minute)}},
		{"withdrawn, all is done", []in{asked, open, ended, {"ap_1", approval.Withdrawn{}}}, due{}},
		{"an end before the approval opened seeks none", []in{asked, ended}, due{}},
		{"and one that opens after it is withdrawn", []in{asked, ended, open}, due{"withdraw/ap_1": soon(2)}},
		{"an end after the vote brings nothing", []in{asked, open, yes, ended}, due{}},
		{"a reservation expires", []in{reserved}, due{"expire-reservation/rs_1": at(600)}},
		{"an answer is settled", []in{reserved, prompt, answer}, due{"expire-reservation/rs_1": at(600), "settle/rs_1": soon(2)}},
		{"settled, all is done", []in{reserved, prompt, answer, {"book", budget.Settled{Reservation: "rs_1"}}}, due{}},
		{"an answer after the expiry is settled late", []in{reserved, prompt, lapsed, answer}, due{"settle/rs_1": soon(3)}},
		{"a failure gives back", []in{reserved, prompt, failed}, due{"expire-reservation/rs_1": at(600), "release/rs_1": soon(2)}},
		{"given back, all is done", []in{reserved, prompt, failed, {"book", budget.Released{Reservation: "rs_1"}}}, due{}},
		{"a failure after the expiry has nothing to give", []in{reserved, prompt, lapsed, failed}, due{}},
		{"an expiry in between ends it", []in{reserved, prompt, failed, lapsed}, due{}},
		{"resolved with its use, a prompt is settled", []in{reserved, prompt, {"ex_1", execution.PromptResolved{Prompt: "pr_1", Usage: &execution.Usage{}}}},
			due{"expire-reservation/rs_1": at(600), "settle/rs_1": soon(2)}},
		{"resolved without, it is given back", []in{reserved, prompt, {"ex_1", execution.PromptResolved{Prompt: "pr_1"}}},
			due{"expire-reservation/rs_1": at(600), "release/rs_1": soon(2)}},
		{"an erasure that was ordered is carried out", []in{erase}, due{"erase/er_1": soon(0)}},
		{"carried out, all is done", []in{erase, {"acme", workspace.SubjectErased{Erasure: "er_1"}}}, due{}},
		{"each order by itself", []in{erase, {"acme", workspace.SubjectErasureOrdered{Erasure: "er_2"}}, {"acme", workspace.SubjectErased{Erasure: "er_2"}}},
			due{"erase/er_1": soon(0)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, owed(fold(tt.events...))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// notices lists the notifications owed.
func notices(s process.State) (all []process.Owed) {
	for _, e := range s.Entries.All() {
		if e.Owed != nil && e.Owed.Command.Step == process.Notify {
			all = append(all, *e.Owed)
		}
	}
	return all
}

func TestNotifications(t *testing.T) {
	told := notices(fold(hook, asked, open))
	if len(told) != 1 || told[0].Command.Webhook != "wh_1" || !told[0].Due.Equal(at(2)) {
		t.Fatalf("owed %+v, want one notification at once", told)
	}
	notice := *told[0].Command.Notice
	if notice.Type != webhook.ApprovalRequested || notice.About != "ap_1" {
		t.Errorf("the notification says %+v", notice)
	}
	if again := notices(fold(hook, asked, open)); *again[0].Command.Notice != notice {
		t.Error("folded again, the notification has another id")
	}
	tests := []struct {
		name  string
		then  in
		want  int
		isDue time.Time
	}{
		{"taken", in{"wh_1", webhook.Delivered{Notice: notice}}, 0, time.Time{}},
		{"abandoned", in{"wh_1", webhook.Abandoned{Notice: notice}}, 0, time.Time{}},
		{"tried again", in{"wh_1", webhook.AttemptFailed{Notice: notice, Next: at(500)}}, 1, at(500)},
		{"removed", in{"wh_1", webhook.Removed{}}, 0, time.Time{}},
		{"disabled", in{"wh_1", webhook.Changed{Disabled: true}}, 0, time.Time{}},
		{"no longer wanted", in{"wh_1", webhook.Changed{Types: []webhook.Type{webhook.BudgetAlerted}}}, 0, time.Time{}},
		{"still wanted", in{"wh_1", webhook.Changed{}}, 1, at(2)},
		{"of no such type", in{"ap_1", approval.Escalated{}}, 1, at(2)},
		{"and another's", in{"ap_2", approval.Requested{Approval: "ap_2"}}, 2, at(2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			left := notices(fold(hook, asked, open, tt.then))
			if len(left) != tt.want {
				t.Fatalf("%d owed, want %d", len(left), tt.want)
			}
			if tt.want == 1 && !left[0].Due.Equal(tt.isDue) {
				t.Errorf("due %v, want %v", left[0].Due, tt.isDue)
			}
		})
	}
	if all := notices(fold(asked, open, hook)); len(all) != 0 {
		t.Error("a receiver is told of what was before it")
	}
}

// What Evolve reports as changed is enough to make the State again, and a
// State survives JSON.
func TestRestore(t *testing.T) {
	events := []in{hook, erase, asked, open, yes, allowed, reserved, prompt, answer, lapsed, {"ex_2", execution.Requested{Execution: "ex_2", Action: execution.Action{ID: "ac_2"}, Approval: "ap_2"}}}
	var s process.State
	kept := map[process.Key]string{}
	for i, e := range events {
		var keys []process.Key
		s, keys = s.Evolve(process.Happened{Workspace: "acme", Stream: e.stream, Record: string(rune('a' + i)), Time: at(i), Event: e.event})
		for _, key := range keys {
			entry, ok := s.Entries.Get(key)
			if !ok {
				delete(kept, key)
				continue
			}
			text, err := json.Marshal(entry)
			if err != nil {
				t.Fatal(err)
			}
			kept[key] = string(text)
		}
		var restored process.State
		for key, text := range kept {
			var entry process.Entry
			if err := json.Unmarshal([]byte(text), &entry); err != nil {
				t.Fatal(err)
			}
			restored = restored.Restore(key, entry)
		}
		if diff := cmp.Diff(jsonOf(t, s), jsonOf(t, restored)); diff != "" {
			t.Fatalf("after %T: %s", e.event, diff)
		}
	}
	if !slices.Equal(s.Hooks.Keys(), []domain.WebhookID{"wh_1"}) {
		t.Error("the receiver is gone")
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
