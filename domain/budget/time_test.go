package budget_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
)

// TestNextWindow begins from nothing, and leaves reservations of the window
// before in that one.
func TestNextWindow(t *testing.T) {
	late := today.End.Add(-time.Minute)
	tomorrow := today.End
	story := given(defined(calls(2)))
	story = story.When(reserve("rs_1", func(c *budget.Reserve) { c.At = late })).Accepted(t)
	story = story.When(reserve("rs_2", func(c *budget.Reserve) { c.At = late })).Accepted(t)
	story.When(reserve("rs_3", func(c *budget.Reserve) { c.At = tomorrow.Add(-1) })).Refused(t, domain.Exceeded, "budget_exceeded")
	story = story.When(reserve("rs_3", func(c *budget.Reserve) { c.At = tomorrow })).Accepted(t)
	story = story.When(settle("rs_1", func(c *budget.Settle) { c.At = tomorrow })).Then(t,
		settled("rs_1", func(e *budget.Settled) { e.At = tomorrow }))
	story = story.When(budget.Release{Reservation: "rs_2", At: tomorrow}).Accepted(t)
	if got := line(story.State(), "b", "calls", tomorrow); got.Used != 0 || got.Reserved != 1 || *got.Free != 1 {
		t.Errorf("the new window has used %d, reserved %d, free %d; want 0, 1, 1", got.Used, got.Reserved, *got.Free)
	}
}

// TestFoldNeedsNoZone folds windows of a zone that does not exist.
func TestFoldNeedsNoZone(t *testing.T) {
	s := given(defined(with(calls(2), func(s *budget.Spec) { s.Timezone = "Mars/Olympus" })), reserved("rs_1")).State()
	if got := line(s, "b", "calls", noon); got.Reserved != 1 {
		t.Errorf("reserved %d, want 1", got.Reserved)
	}
	if _, err := s.Decide(reserve("rs_2", func(c *budget.Reserve) { c.At = noon })); err != nil {
		t.Errorf("a reservation in the window that is known: %v", err)
	}
	if _, err := s.Decide(reserve("rs_2", func(c *budget.Reserve) { c.At = today.End })); err == nil ||
		err.(*domain.Error).Code != "timezone_unavailable" {
		t.Errorf("a reservation in a window that can't be known: %v, want timezone_unavailable", err)
	}
}

// TestSweepIsBounded writes the expiry of many reservations in steps, and
// counts those of later steps as open.
func TestSweepIsBounded(t *testing.T) {
	s := given(defined(calls(500))).State()
	for i := range 500 {
		s = s.Evolve(reserved(domain.ReservationID(fmt.Sprintf("rs_%04d", i))))
	}
	for step, want := range []int{200, 200, 100, 0} {
		if next, ok := s.NextExpiry(); ok != (want > 0) || ok && !next.Equal(due) {
			t.Fatalf("step %d: the next expiry is %s, %v", step, next, ok)
		}
		if open := line(s, "b", "calls", due).Reserved; open != int64(500-200*step) && want > 0 {
			t.Fatalf("step %d: %d are open", step, open)
		}
		events, err := s.Decide(budget.Expire{At: due})
		if err != nil || len(events) != want {
			t.Fatalf("step %d: %d expiries, error %v; want %d", step, len(events), err, want)
		}
		s = domain.Fold[budget.State, budget.Command, budget.Event](s, events...)
	}
	if open := line(s, "b", "calls", due).Reserved; open != 0 {
		t.Errorf("%d are open after all expired", open)
	}
}

// TestExpiryMakesRoom shows that a grant which relies on an expiry writes it.
func TestExpiryMakesRoom(t *testing.T) {
	story := given(defined(calls(1)), reserved("rs_1"))
	story.When(reserve("rs_2", func(c *budget.Reserve) { c.At = due.Add(-time.Microsecond) })).Refused(t, domain.Exceeded, "budget_exceeded")
	story.When(reserve("rs_2", func(c *budget.Reserve) { c.At = due })).Then(t, budget.Expired{Reservation: "rs_1", At: due},
		reserved("rs_2", func(e *budget.Reserved) { e.At, e.ExpiresAt = due, due.Add(10*time.Minute) }))
}

// TestLapsedIsKeptAWeek settles late, up to seven days after the expiry.
func TestLapsedIsKeptAWeek(t *testing.T) {
	base := given(defined(calls(9)), reserved("rs_1"), budget.Expired{Reservation: "rs_1", At: due})
	week := due.Add(7 * 24 * time.Hour)
	other := func(at time.Time) []budget.Event {
		return list(reserved("rs_2", func(e *budget.Reserved) { e.At = at }), budget.Expired{Reservation: "rs_2", At: at})
	}
	base.And(other(week)...).When(settle("rs_1", func(c *budget.Settle) { c.At = week })).Accepted(t)
	base.And(other(week.Add(time.Microsecond))...).When(settle("rs_1")).Refused(t, domain.NotFound, "reservation_unknown")
}

// TestLapsedIsBounded drops the oldest where very many expire unsettled.
func TestLapsedIsBounded(t *testing.T) {
	var s budget.State
	for i := range 20_001 {
		id := domain.ReservationID(fmt.Sprintf("rs_%05d", i))
		at := due.Add(time.Duration(i) * time.Microsecond)
		s = s.Evolve(budget.Reserved{Reservation: id, ExpiresAt: at, At: noon}).Evolve(budget.Expired{Reservation: id, At: at})
	}
	if n := s.Reservations.Len(); n != 20_000 || s.Lapsed.Len() != n || s.Due.Len() != 0 {
		t.Errorf("%d reservations, %d lapsed, %d due; want 20000, 20000, 0", n, s.Lapsed.Len(), s.Due.Len())
	}
	if s.Reservations.Has("rs_00000") || !s.Reservations.Has("rs_00001") {
		t.Error("it is not the oldest that was dropped")
	}
}

// TestEndingsAreRemembered for some thousands of reservations, not for ever.
func TestEndingsAreRemembered(t *testing.T) {
	var s budget.State
	for i := range 10_000 {
		id := domain.ReservationID(fmt.Sprintf("rs_%05d", i))
		s = s.Evolve(budget.Reserved{Reservation: id, ExpiresAt: due}).Evolve(budget.Released{Reservation: id})
	}
	if n := s.Recent.Len() + s.Older.Len(); n < 2000 || n > 5000 {
		t.Errorf("%d endings are remembered, want some thousands", n)
	}
	for back := range 2000 {
		id := domain.ReservationID(fmt.Sprintf("rs_%05d", 9_999-back))
		if events, err := s.Decide(budget.Release{Reservation: id, At: noon}); err != nil || len(events) != 0 {
			t.Fatalf("releasing %s again: %d events, error %v", id, len(events), err)
		}
	}
}

func TestTooManyReservations(t *testing.T) {
	var s budget.State
	for i := range 100_000 {
		s = s.Evolve(budget.Reserved{Reservation: domain.ReservationID(fmt.Sprintf("rs_%06d", i)), ExpiresAt: due})
	}
	_, err := s.Decide(reserve("rs_new"))
	if refusal, ok := err.(*domain.Error); !ok || refusal.Code != "too_many_reservations" || refusal.Kind != domain.Throttled {
		t.Errorf("one more reservation: %v, want too_many_reservations", err)
	}
}

func TestAlerts(t *testing.T) {
	alert := func(threshold int, used int64, at time.Time) budget.Alerted {
		return budget.Alerted{Budget: "b", Limit: "calls", Threshold: threshold, Start: today.Start, Used: used, Max: 10, At: at}
	}
	watched := defined(with(calls(10), func(s *budget.Spec) { s.AlertAt = []int{50, 80, 120} }))
	many := func(n int64) func(*budget.Reserve) { return func(c *budget.Reserve) { c.Amounts.Calls = n } }
	manyReserved := func(n int64) func(*budget.Reserved) { return func(e *budget.Reserved) { e.Amounts.Calls = n } }
	usedMany := func(n int64) func(*budget.Settle) { return func(c *budget.Settle) { c.Used.Calls = n } }
	settledMany := func(n int64) func(*budget.Settled) {
		return func(e *budget.Settled) { e.Used.Calls, e.Overrun = n, true }
	}
	given(watched).When(reserve("rs_1", many(4))).Then(t, reserved("rs_1", manyReserved(4)))
	given(watched).When(reserve("rs_1", many(5))).Then(t, reserved("rs_1", manyReserved(5)), alert(50, 5, noon))
	given(watched).When(reserve("rs_1", many(8))).Then(t, reserved("rs_1", manyReserved(8)), alert(50, 8, noon), alert(80, 8, noon))

	half := given(watched).When(reserve("rs_1", many(5))).Accepted(t)
	half.When(reserve("rs_2", many(1))).Then(t, reserved("rs_2", manyReserved(1)))
	half.When(settle("rs_1", usedMany(12))).Then(t, settled("rs_1", settledMany(12)), alert(80, 12, soon), alert(120, 12, soon))
	released := half.When(budget.Release{Reservation: "rs_1", At: soon}).Accepted(t)
	released.When(reserve("rs_2", many(5))).Then(t,
		reserved("rs_2", manyReserved(5))) // once for each window

	next := today.End
	half.When(reserve("rs_2", many(5), func(c *budget.Reserve) { c.At = next })).Then(t,
		budget.Expired{Reservation: "rs_1", At: next},
		reserved("rs_2", manyReserved(5), func(e *budget.Reserved) {
			e.Entries = []budget.Entry{{Budget: "b", Epoch: 1, Start: next, End: next.Add(24 * time.Hour)}}
			e.At, e.ExpiresAt = next, next.Add(10*time.Minute)
		}),
		budget.Alerted{Budget: "b", Limit: "calls", Threshold: 50, Start: next, Used: 5, Max: 10, At: next})

	larger := with(calls(20), func(s *budget.Spec) { s.AlertAt = []int{50, 80, 120} })
	raised := half.When(define(larger)).Accepted(t)
	raised.When(reserve("rs_2", many(5))).Then(t, reserved("rs_2", manyReserved(5)),
		budget.Alerted{Budget: "b", Limit: "calls", Threshold: 50, Start: today.Start, Used: 10, Max: 20, At: noon})
}

// TestAlertOfNothing does not alert a limit of nothing before it is used, and
// alerts of it when an observed call comes.
func TestAlertOfNothing(t *testing.T) {
	spec := with(calls(0), func(s *budget.Spec) {
		s.Mode, s.AlertAt = budget.Observe, []int{100}
		s.Limits.CostMicros = ptr(domain.Micros(0))
	})
	given(defined(spec)).When(reserve("rs_1")).Then(t, reserved("rs_1"),
		budget.Alerted{Budget: "b", Limit: "calls", Threshold: 100, Start: today.Start, Used: 1, Max: 0, At: noon})
}

// TestAlertsAreBounded alerts of many budgets in steps.
func TestAlertsAreBounded(t *testing.T) {
	var s budget.State
	for i := range 150 {
		e := defined(with(calls(10), func(s *budget.Spec) { s.AlertAt = []int{10} }))
		e.Budget = domain.BudgetID(fmt.Sprintf("b%03d", i))
		s = s.Evolve(e)
	}
	for step, want := range []int{100, 50, 0} {
		events, err := s.Decide(reserve(domain.ReservationID(fmt.Sprint("rs_", step))))
		if err != nil || len(events) != 1+want {
			t.Fatalf("step %d: %d events, error %v; want the reservation and %d alerts", step, len(events), err, want)
		}
		s = domain.Fold[budget.State, budget.Command, budget.Event](s, events...)
	}
}
