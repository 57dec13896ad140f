package budget_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
)

// TestWindowsRoll spends a budget of one call in windows that are not as long
// as others. The call is granted, settled at once, refused to the last
// microsecond of the window, and granted in the next one.
func TestWindowsRoll(t *testing.T) {
	tests := []struct {
		name         string
		window       budget.Window
		zone         string
		first, again string // a call, and the first instant at which another is granted
	}{
		{"a day that is an hour short", budget.Day, "Europe/Berlin", "2026-03-29T10:00:00Z", "2026-03-29T22:00:00Z"},
		{"a day that is an hour long", budget.Day, "Europe/Berlin", "2026-10-25T10:00:00Z", "2026-10-25T23:00:00Z"},
		{"a short day in America", budget.Day, "America/New_York", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"a long day in America", budget.Day, "America/New_York", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"a day that is half an hour long", budget.Day, "Australia/Lord_Howe", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"},
		{"a day that is half an hour short", budget.Day, "Australia/Lord_Howe", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"},
		{"a day before a midnight that is skipped", budget.Day, "America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"},
		{"a day whose midnight is skipped", budget.Day, "Africa/Cairo", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"},
		{"a day whose last hour comes twice", budget.Day, "America/Santiago", "2026-04-05T02:30:00Z", "2026-04-05T04:00:00Z"},
		{"an hour that comes twice", budget.Hour, "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"},
		{"an hour before one that is skipped", budget.Hour, "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"},
		{"a half hour that comes twice", budget.Hour, "Australia/Lord_Howe", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"},
		{"a week that is an hour short", budget.Week, "Europe/Berlin", "2026-03-23T00:00:00Z", "2026-03-29T22:00:00Z"},
		{"a week over the end of a year", budget.Week, "America/New_York", "2026-12-31T12:00:00Z", "2027-01-04T05:00:00Z"},
		{"a month of 31 days", budget.Month, "UTC", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"},
		{"February", budget.Month, "UTC", "2026-02-28T23:00:00Z", "2026-03-01T00:00:00Z"},
		{"February with a leap day", budget.Month, "UTC", "2028-02-28T23:00:00Z", "2028-03-01T00:00:00Z"},
		{"a month that is an hour long", budget.Month, "Europe/Berlin", "2026-10-01T00:00:00Z", "2026-10-31T23:00:00Z"},
		{"December", budget.Month, "Europe/Berlin", "2026-12-01T00:00:00Z", "2026-12-31T23:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first, again := instant(t, tt.first), instant(t, tt.again)
			at := func(at time.Time) func(*budget.Reserve) { return func(c *budget.Reserve) { c.At = at } }
			spec := with(calls(1), func(s *budget.Spec) { s.Window, s.Timezone = tt.window, tt.zone })
			story := given().When(define(spec, func(c *budget.Define) { c.At = first })).Accepted(t)
			story = story.When(reserve("rs_1", at(first))).Accepted(t).When(settle("rs_1", func(c *budget.Settle) { c.At = first })).Accepted(t)
			refusal := story.When(reserve("rs_2", at(again.Add(-time.Microsecond)))).Refused(t, domain.Exceeded, "budget_exceeded")
			if end := refusal.Facts["window_end"]; !again.Equal(end.(time.Time)) {
				t.Errorf("the window is said to end at %s, want %s", end, again)
			}
			story = story.When(reserve("rs_2", at(again))).Accepted(t)
			if got := line(story.State(), "b", "calls", again); got.Used != 0 || got.Reserved != 1 {
				t.Errorf("the new window has used %d, reserved %d; want 0, 1", got.Used, got.Reserved)
			}
		})
	}
}

// TestClockStepsBack decides by stream time: what the book has seen is not
// undone by a clock that goes back.
func TestClockStepsBack(t *testing.T) {
	tomorrow := today.End.Add(time.Hour)
	next := budget.Entry{Budget: "b", Epoch: 1, Start: today.End, End: today.End.AddDate(0, 0, 1)}
	inNext := func(e *budget.Reserved) {
		e.At, e.ExpiresAt, e.Entries = tomorrow, tomorrow.Add(10*time.Minute), []budget.Entry{next}
	}
	gone := list(defined(calls(2)), reserved("rs_1"), budget.Expired{Reservation: "rs_1", At: tomorrow}, reserved("rs_2", inNext))
	tests := []struct {
		name string
		when budget.Command
		then []budget.Event
	}{
		{"a reservation counts in the window that has begun", reserve("rs_3"), list(reserved("rs_3", inNext))},
		{"an expiry stays, and the settlement is late", settle("rs_1", func(c *budget.Settle) { c.At = noon }),
			list(settled("rs_1", func(e *budget.Settled) { e.At, e.Late = tomorrow, true }))},
		{"a settlement keeps its window", settle("rs_2", func(c *budget.Settle) { c.At = noon }),
			list(settled("rs_2", func(e *budget.Settled) { e.At, e.Entries = tomorrow, []budget.Entry{next} }))},
		{"what is not due does not expire", budget.Expire{At: noon}, nil},
		{"a change is dated as the book is", define(calls(3)), list(budget.Defined{Budget: "b", Version: 2, Spec: withZone(calls(3)), By: alice, At: tomorrow})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { given(gone...).When(tt.when).Then(t, tt.then...) })
	}
	s := given(gone...).State()
	if u, _ := s.Usage("b", noon); !u.Start.Equal(next.Start) || u.Lines[0].Reserved != 1 {
		t.Errorf("usage of before is of %s with %d reserved, want the window that has begun, with 1", u.Start, u.Lines[0].Reserved)
	}
}

// withZone is a spec as it is stored.
func withZone(s budget.Spec) budget.Spec {
	s.Timezone, s.Mode = "UTC", budget.Enforce
	return s
}

// TestLimitsChangeAtOnce raises and lowers limits in the middle of a window in
// which six calls are settled and two are open.
func TestLimitsChangeAtOnce(t *testing.T) {
	base := given(defined(calls(8)), reserved("rs_1"), settled("rs_1", func(e *budget.Settled) { e.Used.Calls = 6 }), reserved("rs_2"), reserved("rs_3"))
	base.When(reserve("rs_4")).Refused(t, domain.Exceeded, "budget_exceeded")
	tests := []struct {
		name  string
		spec  budget.Spec
		grant int // calls in a row that are granted
		free  int64
	}{
		{"raised by one", calls(9), 1, 1},
		{"raised by three", calls(11), 3, 3},
		{"lowered below what is open", calls(7), 0, 0},
		{"lowered below what is settled", calls(2), 0, 0},
		{"lowered to nothing", calls(0), 0, 0},
		{"only observed", with(calls(2), func(s *budget.Spec) { s.Mode = budget.Observe }), 3, 0},
		{"another amount limited", with(calls(0), func(s *budget.Spec) { s.Limits = budget.Limits{OutputTokens: ptr(domain.Tokens(200*3 + 399))} }), 1, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			story := base.When(define(tt.spec)).Accepted(t)
			if free := line(story.State(), "b", "calls", noon).Free; tt.free >= 0 && *free != tt.free {
				t.Errorf("%d are free, want %d", *free, tt.free)
			}
			for i := range tt.grant {
				story = story.When(reserve(domain.ReservationID(fmt.Sprint("rs_x", i)))).Accepted(t)
			}
			if tt.spec.Mode != budget.Observe {
				story.When(reserve("rs_y")).Refused(t, domain.Exceeded, "budget_exceeded")
			}
			story.When(settle("rs_2")).Accepted(t) // what was granted before can be settled
		})
	}
}

// TestLoweredLimitGrantsAgain in the next window.
func TestLoweredLimitGrantsAgain(t *testing.T) {
	story := given(defined(calls(8)), reserved("rs_1"), settled("rs_1", func(e *budget.Settled) { e.Used.Calls = 6 }))
	story = story.When(define(calls(2))).Accepted(t)
	story.When(reserve("rs_2")).Refused(t, domain.Exceeded, "budget_exceeded")
	story.When(reserve("rs_2", func(c *budget.Reserve) { c.At = today.End })).Accepted(t)
}

func TestForecast(t *testing.T) {
	use := func(n int64) []budget.Event {
		return list(reserved("rs_1"), settled("rs_1", func(e *budget.Settled) { e.Used.Calls, e.At = n, noon }))
	}
	day := 24 * time.Hour
	tests := []struct {
		name   string
		window budget.Window
		given  []budget.Event
		after  time.Duration // of today's
		want   int64         // -1 for none
	}{
		{"half the day", budget.Day, use(6), day / 2, 12},
		{"three quarters", budget.Day, use(6), 3 * day / 4, 8},
		{"rounded up", budget.Day, use(6), day*2/3 + time.Second, 9},
		{"at the end of the day", budget.Day, use(6), day - time.Microsecond, 7},
		{"nothing used", budget.Day, nil, day / 2, 0},
		{"reserved only", budget.Day, list(reserved("rs_1", func(e *budget.Reserved) { e.ExpiresAt = today.End })), day / 2, 1},
		{"more reserved than the line says", budget.Day, append(use(1), reserved("rs_2", func(e *budget.Reserved) { e.Amounts.Calls, e.ExpiresAt = 9, today.End })), day / 2, 10},
		{"a month", budget.Month, use(6), day / 2, 54}, // 3.5 days of 31
		{"a window that never ends", budget.Total, use(6), day / 2, -1},
		{"more than can be told", budget.Day, use(math.MaxInt64/2 + 1), day / 2, math.MaxInt64},
		{"far more than can be told", budget.Month, use(math.MaxInt64 - 1), day / 2, math.MaxInt64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := with(calls(10), func(s *budget.Spec) { s.Window = tt.window })
			s := given(defined(spec)).State()
			for _, e := range tt.given {
				s = s.Evolve(inWindow(e, tt.window))
			}
			got := int64(-1)
			if f := line(s, "b", "calls", today.Start.Add(tt.after)).Forecast; f != nil {
				got = *f
			}
			if got != tt.want {
				t.Errorf("forecast %d, want %d", got, tt.want)
			}
		})
	}
}

// inWindow moves an event of today into the window of another kind.
func inWindow(e budget.Event, window budget.Window) budget.Event {
	entry := today
	entry.Start, entry.End = budget.WindowAt(window, time.UTC, noon)
	switch e := e.(type) {
	case budget.Reserved:
		e.Entries = []budget.Entry{entry}
		return e
	case budget.Settled:
		e.Entries = []budget.Entry{entry}
		return e
	}
	return e
}

// TestForecastTakesTime waits for two parts of a hundred of the window.
func TestForecastTakesTime(t *testing.T) {
	morning := today.Start.Add(time.Minute)
	s := given(budget.Defined{Budget: "b", Version: 1, Spec: calls(10), At: morning},
		reserved("rs_1", func(e *budget.Reserved) { e.At = morning }),
		settled("rs_1", func(e *budget.Settled) { e.At = morning })).State()
	floor := today.Start.Add(24 * time.Hour / 50)
	if f := line(s, "b", "calls", floor.Add(-time.Microsecond)).Forecast; f != nil {
		t.Errorf("forecast %d before 2 %% of the window have passed, want none", *f)
	}
	if f := line(s, "b", "calls", floor).Forecast; f == nil || *f != 50 {
		t.Errorf("forecast %v at 2 %% of the window, want 50", f)
	}
}
