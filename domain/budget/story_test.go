package budget_test

import (
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/domaintest"
)

var (
	noon  = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	soon  = noon.Add(time.Minute)
	due   = noon.Add(10 * time.Minute)
	alice = domain.MemberActor("mb_alice")
	today = budget.Entry{Budget: "b", Epoch: 1, Start: time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC),
		End: time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)}
)

func ptr[T any](v T) *T { return &v }

// calls is a daily budget of so many calls, without alerts.
func calls(n int64) budget.Spec {
	return budget.Spec{Scope: budget.Scope{Workspace: true}, Window: budget.Day, Timezone: "UTC",
		Limits: budget.Limits{Calls: &n}, Mode: budget.Enforce}
}

func with(spec budget.Spec, change func(*budget.Spec)) budget.Spec {
	change(&spec)
	return spec
}

// defined is the first version of the budget "b".
func defined(spec budget.Spec) budget.Defined {
	return budget.Defined{Budget: "b", Version: 1, Spec: spec, By: alice, At: noon}
}

func define(spec budget.Spec, change ...func(*budget.Define)) budget.Define {
	c := budget.Define{Budget: "b", Spec: spec, By: alice, At: noon}
	for _, f := range change {
		f(&c)
	}
	return c
}

func reserve(id domain.ReservationID, change ...func(*budget.Reserve)) budget.Reserve {
	c := budget.Reserve{Reservation: id, Call: call(), Amounts: amounts(), At: noon}
	for _, f := range change {
		f(&c)
	}
	return c
}

// reserved is what reserve is answered with where only "b" matches.
func reserved(id domain.ReservationID, change ...func(*budget.Reserved)) budget.Reserved {
	e := budget.Reserved{Reservation: id, Call: call(), Amounts: amounts(), Entries: []budget.Entry{today}, ExpiresAt: due, At: noon}
	for _, f := range change {
		f(&e)
	}
	return e
}

func settle(id domain.ReservationID, change ...func(*budget.Settle)) budget.Settle {
	c := budget.Settle{Reservation: id, Used: amounts(), At: soon}
	for _, f := range change {
		f(&c)
	}
	return c
}

func settled(id domain.ReservationID, change ...func(*budget.Settled)) budget.Settled {
	e := budget.Settled{Reservation: id, Used: amounts(), Call: call(), Entries: []budget.Entry{today}, At: soon}
	for _, f := range change {
		f(&e)
	}
	return e
}

func list(events ...budget.Event) []budget.Event { return events }

func given(events ...budget.Event) domaintest.Story[budget.State, budget.Command, budget.Event] {
	return domaintest.Given[budget.State](events...)
}

// line answers one line of a budget's usage.
func line(s budget.State, id domain.BudgetID, limit string, at time.Time) budget.Line {
	usage, _ := s.Usage(id, at)
	for _, l := range usage.Lines {
		if l.Limit == limit {
			return l
		}
	}
	return budget.Line{Limit: "none"}
}
