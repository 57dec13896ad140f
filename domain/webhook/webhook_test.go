package webhook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/webhook"
)

const hook = "https://hooks.example.com/claw"

func olga() domain.Actor { return domain.MemberActor("mb_olga") }

// at is so long after the receiver was registered.
func at(after time.Duration) time.Time {
	return time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC).Add(after)
}

func registered() webhook.Registered {
	return webhook.Registered{Webhook: "wh_1", URL: hook, Secret: 1, By: olga(), At: at(0)}
}

func notice(id string, after time.Duration) webhook.Notice {
	return webhook.Notice{Delivery: domain.DeliveryID(id), Type: webhook.ApprovalRequested, About: "ap_1", Happened: at(after)}
}

func given(events ...webhook.Event) domaintest.Story[webhook.State, webhook.Command, webhook.Event] {
	return domaintest.Given[webhook.State](events...)
}

func record(n webhook.Notice, attempt int, failure webhook.Failure, status int, after time.Duration) webhook.RecordAttempt {
	return webhook.RecordAttempt{Notice: n, Attempt: attempt, Outcome: webhook.Outcome{Failure: failure, Status: status, Millis: 7}, At: at(after)}
}

func TestRegister(t *testing.T) {
	register := webhook.Register{Webhook: "wh_1", URL: hook, Types: []webhook.Type{webhook.BudgetAlerted, webhook.ApprovalDenied, webhook.BudgetAlerted},
		Description: "pager", By: olga(), At: at(0)}
	want := registered()
	want.Types, want.Description = []webhook.Type{webhook.ApprovalDenied, webhook.BudgetAlerted}, "pager"
	given().When(register).Then(t, want).When(register).Then(t)

	register.Disabled = true
	story := given().When(register).Then(t, want,
		webhook.Changed{Version: 2, URL: hook, Types: want.Types, Description: "pager", Disabled: true, By: olga(), At: at(0)})
	if s := story.State(); !s.Disabled || s.Version != 2 {
		t.Errorf("got %+v", s)
	}
	given(registered(), webhook.Removed{By: olga(), At: at(1)}).When(register).Then(t)
}

func TestRegisterRefused(t *testing.T) {
	for _, row := range []struct {
		name    string
		command webhook.Register
		code    string
	}{
		{"no address", webhook.Register{}, "webhook_url"},
		{"no scheme", webhook.Register{URL: "hooks.example.com"}, "webhook_url"},
		{"nothing after the scheme", webhook.Register{URL: "https://"}, "webhook_url"},
		{"a space", webhook.Register{URL: "https://a/ b"}, "webhook_url"},
		{"a line break", webhook.Register{URL: "https://a/\r\nx: y"}, "webhook_url"},
		{"not ASCII", webhook.Register{URL: "https://exämple.com"}, "webhook_url"},
		{"long", webhook.Register{URL: "https://" + strings.Repeat("a", 2000)}, "webhook_url"},
		{"an unknown type", webhook.Register{URL: hook, Types: []webhook.Type{"approval.*"}}, "invalid_type"},
		{"tests as a type", webhook.Register{URL: hook, Types: []webhook.Type{webhook.Test}}, "invalid_type"},
		{"a long description", webhook.Register{URL: hook, Description: strings.Repeat("d", 501)}, "invalid_description"},
	} {
		t.Run(row.name, func(t *testing.T) { given().When(row.command).Refused(t, domain.Invalid, row.code) })
	}
}

func TestChange(t *testing.T) {
	one, two := 1, 2
	change := webhook.Change{URL: hook + "2", Types: []webhook.Type{webhook.BudgetAlerted}, Description: "d", Disabled: true, IfVersion: &one, By: olga(), At: at(1)}
	changed := webhook.Changed{Version: 2, URL: hook + "2", Types: change.Types, Description: "d", Disabled: true, By: olga(), At: at(1)}
	story := given(registered()).When(change).Then(t, changed)
	story.When(change).Refused(t, domain.Stale, "version_mismatch")
	change.IfVersion = &two
	story.When(change).Then(t) // they stand already
	change.IfVersion = nil
	story.When(change).Then(t)
	story.When(webhook.Change{URL: "x"}).Refused(t, domain.Invalid, "webhook_url")
}

func TestRotate(t *testing.T) {
	story := given(registered()).When(webhook.RotateSecret{By: olga(), At: at(time.Hour)}).
		Then(t, webhook.SecretRotated{Secret: 2, OldUntil: at(25 * time.Hour), By: olga(), At: at(time.Hour)})
	for _, row := range []struct {
		name  string
		state webhook.State
		after time.Duration
		want  []int
	}{
		{"the first", given(registered()).State(), 0, []int{1}},
		{"both", story.State(), 24 * time.Hour, []int{2, 1}},
		{"the last moment of both is over", story.State(), 25 * time.Hour, []int{2}},
		{"rotated again", story.When(webhook.RotateSecret{At: at(2 * time.Hour)}).Accepted(t).State(), 3 * time.Hour, []int{3, 2}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, row.state.Secrets(at(row.after))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	n := notice("dl_1", 1)
	story := given(registered()).When(record(n, 1, webhook.FailedTimeout, 0, 2)).Accepted(t).
		When(webhook.Remove{By: olga(), At: at(3)}).Then(t, webhook.Removed{By: olga(), At: at(3)})
	s := story.State()
	if _, due := s.Due(n, at(time.Hour)); due || s.Exists() || s.Waiting() != 0 {
		t.Errorf("got %+v", s)
	}
	story.When(webhook.Remove{By: olga(), At: at(4)}).Then(t)
	for _, c := range []webhook.Command{webhook.Change{URL: hook}, webhook.RotateSecret{}, webhook.RequestTest{Delivery: "dl_2"}, record(n, 2, "", 200, 5)} {
		story.When(c).Refused(t, domain.NotFound, "not_found")
		given().When(c).Refused(t, domain.NotFound, "not_found")
	}
	given().When(webhook.Remove{}).Refused(t, domain.NotFound, "not_found")
}

func TestTests(t *testing.T) {
	n := webhook.Notice{Delivery: "dl_1", Type: webhook.Test, About: "wh_1", Happened: at(1)}
	ask := webhook.RequestTest{Delivery: "dl_1", By: olga(), At: at(1)}
	chosen := registered()
	chosen.Types = []webhook.Type{webhook.BudgetAlerted}
	story := given(chosen).When(ask).Then(t, webhook.TestRequested{Notice: n, By: olga(), At: at(1)})
	story.When(ask).Then(t)
	if attempt, due := story.State().Due(n, at(1)); attempt != 1 || !due {
		t.Errorf("attempt %d, due %v", attempt, due)
	}
	off := webhook.Changed{Version: 2, URL: hook, Disabled: true, By: olga(), At: at(2)}
	given(registered(), off).When(ask).Refused(t, domain.Conflict, "webhook_disabled")
	if _, due := story.And(off).State().Due(n, at(2)); due {
		t.Error("a test is sent to a receiver that was disabled since")
	}
	for i := range 9 {
		story = story.When(webhook.RequestTest{Delivery: domain.DeliveryID(fmt.Sprint("dl_more", i)), At: at(2)}).Accepted(t)
	}
	more := webhook.RequestTest{Delivery: "dl_last", At: at(3)}
	story.When(more).Refused(t, domain.Throttled, "rate_limited")
	story.When(record(n, 1, "", 204, 4)).Accepted(t).When(more).Accepted(t)
}

func TestDelivered(t *testing.T) {
	n := notice("dl_1", time.Second)
	story := given(registered()).When(record(n, 1, "", 204, 2*time.Second)).
		Then(t, webhook.Delivered{Notice: n, Attempt: 1, Status: 204, Millis: 7, At: at(2 * time.Second)})
	story.When(record(n, 1, "", 204, 2*time.Second)).Then(t)
	story.When(record(n, 1, webhook.FailedStatus, 500, 3*time.Second)).Then(t)
	story.When(record(n, 2, "", 200, 3*time.Second)).Then(t)
	story.When(record(notice("dl_2", 1), 2, "", 200, 3*time.Second)).Refused(t, domain.Conflict, "attempt_out_of_turn")
	story.When(record(notice("dl_2", 1), 0, "", 200, 3*time.Second)).Refused(t, domain.Invalid, "invalid_attempt")
	story.When(record(webhook.Notice{}, 1, "", 200, 3*time.Second)).Refused(t, domain.Invalid, "invalid_attempt")
	if _, due := story.State().Due(n, at(time.Hour)); due {
		t.Error("a delivery that was taken is due")
	}
}

// The whole schedule of a receiver that takes nothing: ten attempts over more
// than three days, each pause at most a tenth above what it should be.
func TestSchedule(t *testing.T) {
	n := notice("dl_1", 0)
	story, now := given(registered()), at(0)
	for attempt := 1; attempt <= 9; attempt++ {
		if got, due := story.State().Due(n, now); got != attempt || !due {
			t.Fatalf("attempt %d, due %v, want attempt %d", got, due, attempt)
		}
		story = story.When(record(n, attempt, webhook.FailedConnect, 0, now.Sub(at(0)))).Accepted(t)
		d := story.State().Newest(10)[0]
		pause := webhook.Pause(attempt)
		if wait := d.Next.Sub(now); wait < pause || wait > pause+pause/10 || pause == 0 {
			t.Fatalf("after attempt %d the next is in %s, want %s to a tenth more", attempt, wait, pause)
		}
		if _, due := story.State().Due(n, d.Next.Add(-1)); due || d.Status != webhook.StatusWaiting {
			t.Fatalf("attempt %d is due too early, or status %s", attempt+1, d.Status)
		}
		now = d.Next
	}
	if total := now.Sub(at(0)); total < 75*time.Hour+35*time.Minute || total > 84*time.Hour {
		t.Errorf("the last attempt comes after %s", total)
	}
	story = story.When(record(n, 10, webhook.FailedStatus, 500, now.Sub(at(0)))).
		Then(t, webhook.Abandoned{Notice: n, Attempt: 10, Failure: webhook.FailedStatus, Status: 500, Millis: 7, At: now})
	s := story.State()
	if _, due := s.Due(n, now.Add(time.Hour)); due || !s.FailingSince.Equal(at(0)) || s.Waiting() != 0 {
		t.Errorf("due %v, failing since %v, %d wait", due, s.FailingSince, s.Waiting())
	}
	d := s.Newest(10)[0]
	if d.Status != webhook.StatusAbandoned || len(d.Attempts) != 10 || !d.Next.IsZero() {
		t.Errorf("got %+v", d)
	}
	story = story.When(record(notice("dl_2", 1), 1, "", 200, 90*time.Hour)).Accepted(t)
	if !story.State().FailingSince.IsZero() {
		t.Error("failing after it took one")
	}
}

func TestRetryAfter(t *testing.T) {
	n := notice("dl_1", 0)
	for _, row := range []struct {
		name     string
		asked    time.Duration
		from, to time.Duration
	}{
		{"less than the pause", time.Second, 5 * time.Second, 5500 * time.Millisecond},
		{"more", 2 * time.Minute, 2 * time.Minute, 2 * time.Minute},
		{"years", 1000 * 24 * time.Hour, 24 * time.Hour, 24 * time.Hour},
		{"the past", -time.Hour, 5 * time.Second, 5500 * time.Millisecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := record(n, 1, webhook.FailedStatus, 429, 0)
			c.Outcome.RetryAfter = row.asked
			next := given(registered()).When(c).Accepted(t).State().Newest(1)[0].Next.Sub(at(0))
			if next < row.from || next > row.to {
				t.Errorf("next in %s, want %s to %s", next, row.from, row.to)
			}
		})
	}
}

func TestGoneDisables(t *testing.T) {
	n := notice("dl_1", 0)
	abandoned := webhook.Abandoned{Notice: n, Attempt: 1, Failure: webhook.FailedStatus, Status: 410, Millis: 7, At: at(1)}
	disabled := webhook.Changed{Version: 2, URL: hook, Disabled: true, By: domain.Service("webhooks"), At: at(1)}
	story := given(registered()).When(record(n, 1, webhook.FailedStatus, 410, 1)).Then(t, abandoned, disabled)
	abandoned.Notice = notice("dl_2", 0)
	story.When(record(notice("dl_2", 0), 1, webhook.FailedStatus, 410, 1)).Then(t, abandoned)
}

func TestDue(t *testing.T) {
	chosen := registered()
	chosen.Types = []webhook.Type{webhook.ApprovalRequested}
	alert := notice("dl_1", 0)
	alert.Type = webhook.BudgetAlerted
	for _, row := range []struct {
		name   string
		events []webhook.Event
		notice webhook.Notice
		after  time.Duration
		want   bool
	}{
		{"at once", []webhook.Event{registered()}, notice("dl_1", 0), 0, true},
		{"a type that was chosen", []webhook.Event{chosen}, notice("dl_1", 0), 0, true},
		{"a type that was not", []webhook.Event{chosen}, alert, 0, false},
		{"all types", []webhook.Event{registered()}, alert, 0, true},
		{"of another clock", []webhook.Event{registered()}, notice("dl_1", -time.Second), 0, true},
		{"disabled", []webhook.Event{registered(), webhook.Changed{Version: 2, URL: hook, Disabled: true}}, notice("dl_1", 0), 0, false},
		{"enabled again", []webhook.Event{registered(), webhook.Changed{Version: 2, Disabled: true}, webhook.Changed{Version: 3}}, notice("dl_1", 0), 0, true},
		{"never registered", nil, notice("dl_1", 0), 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, due := given(row.events...).State().Due(row.notice, at(row.after)); due != row.want {
				t.Errorf("due %v, want %v", due, row.want)
			}
		})
	}
}

// What waits and is wanted no more is forgotten, and an attempt that was under
// way meanwhile is the last.
func TestUnwanted(t *testing.T) {
	n := notice("dl_1", 0)
	failed := given(registered()).When(record(n, 1, webhook.FailedTimeout, 0, 1)).Accepted(t)
	for _, row := range []struct {
		name   string
		change webhook.Changed
		wanted bool
	}{
		{"disabled", webhook.Changed{Version: 2, URL: hook, Disabled: true}, false},
		{"other types", webhook.Changed{Version: 2, URL: hook, Types: []webhook.Type{webhook.BudgetAlerted}}, false},
		{"another address", webhook.Changed{Version: 2, URL: hook + "2"}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			story := failed.And(row.change)
			if got := story.State().Waiting(); (got == 1) != row.wanted || failed.State().Waiting() != 1 {
				t.Errorf("%d wait", got)
			}
			events := story.When(record(notice("dl_2", 0), 1, webhook.FailedTimeout, 0, 2)).Accepted(t).State().Newest(1)
			if over := events[0].Status == webhook.StatusAbandoned; over == row.wanted {
				t.Errorf("the attempt under way left it %s", events[0].Status)
			}
			if !row.wanted {
				story.When(record(n, 2, webhook.FailedTimeout, 0, 2)).Refused(t, domain.Conflict, "attempt_out_of_turn")
			}
		})
	}
}

// What is kept is bounded.
func TestBounds(t *testing.T) {
	s := domain.Fold[webhook.State, webhook.Command, webhook.Event](webhook.State{}, registered())
	do := func(c webhook.Command) []webhook.Event {
		t.Helper()
		events, err := s.Decide(c)
		if err != nil {
			t.Fatal(err)
		}
		s = domain.Fold(s, events...)
		return events
	}
	for i := range 1200 {
		do(record(notice(fmt.Sprint("dl_ok", i), time.Second), 1, "", 200, 2*time.Second))
	}
	if kept := s.Newest(5000); len(kept) != 1000 || kept[0].Notice.Delivery != "dl_ok1199" || kept[999].Notice.Delivery != "dl_ok200" {
		t.Errorf("%d deliveries are kept", len(kept))
	}
	if kept := s.Newest(3); len(kept) != 3 {
		t.Errorf("asked for 3, got %d", len(kept))
	}
	for i := range 5001 {
		events := do(record(notice(fmt.Sprint("dl_no", i), time.Second), 1, webhook.FailedTimeout, 0, 3*time.Second))
		if _, waits := events[0].(webhook.AttemptFailed); waits != (i < 5000) {
			t.Fatalf("with %d waiting: %T", i, events[0])
		}
	}
	if s.Waiting() != 5000 {
		t.Errorf("%d wait", s.Waiting())
	}
	domaintest.RoundTrip(t, s)
}

func TestDecodeRefusesOtherNames(t *testing.T) {
	if _, err := webhook.Decode("webhook.sent.v1", []byte(`{}`)); err == nil {
		t.Error("an unknown event was decoded")
	}
}
