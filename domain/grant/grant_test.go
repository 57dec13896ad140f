package grant_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/grant"
)

var (
	start = time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
	soon  = start.Add(10 * time.Minute)
	end   = start.Add(24 * time.Hour)

	bot    = domain.AgentActor("ag_bot")
	helper = domain.AgentActor("ag_helper")
	alice  = domain.MemberActor("mb_alice")
	bob    = domain.MemberActor("mb_bob")

	supervisor = []domain.RoleName{"operations_supervisor"}
)

func terms(change ...func(*grant.Terms)) grant.Terms {
	t := grant.Terms{Kinds: []domain.ActionKind{"communication.send"}, Workflows: []domain.Workflow{"*"}, MaxUses: 2, Until: end, Reason: "Reminders."}
	for _, c := range change {
		c(&t)
	}
	return t
}

func give(id domain.GrantID, change ...func(*grant.Terms)) grant.Give {
	return grant.Give{Grant: id, Terms: terms(change...), By: alice, Roles: supervisor, At: start}
}

func given(id domain.GrantID, change ...func(*grant.Terms)) grant.Given {
	return grant.Given{Grant: id, Terms: terms(change...), By: alice, Roles: supervisor, At: start}
}

// use asks to cover the action n of the execution n.
func use(n int, candidates ...domain.GrantID) grant.Use {
	return grant.Use{Candidates: candidates, Execution: domain.ExecutionID(fmt.Sprint("ex_", n)), Action: domain.ActionID(fmt.Sprint("ac_", n)),
		Workflow: "invoices", Kind: "communication.send", Digest: "digest", Approval: "ap_1", Requester: bot, At: soon}
}

// used is what follows from use(n) as the nth use of a grant.
func used(id domain.GrantID, n, nth int) grant.Used {
	u := use(n)
	return grant.Used{Grant: id, Execution: u.Execution, Action: u.Action, Kind: u.Kind, Digest: u.Digest, Approval: u.Approval,
		Requester: u.Requester, Use: nth, At: u.At}
}

func changed(u grant.Use, change func(*grant.Use)) grant.Use {
	change(&u)
	return u
}

func book(events ...grant.Event) domaintest.Story[grant.State, grant.Command, grant.Event] {
	return domaintest.Given[grant.State](events...)
}

func events(e ...grant.Event) []grant.Event { return e }

func TestAccepted(t *testing.T) {
	few := func(t *grant.Terms) { t.Agents = []domain.AgentID{"ag_bot"} }
	flow := func(t *grant.Terms) { t.Workflows = []domain.Workflow{"invoices"} }
	one := func(t *grant.Terms) { t.MaxUses = 1 }
	revoked := grant.Revoked{Grant: "gr_1", Reason: "Enough.", By: bob, At: soon}
	tests := []struct {
		name  string
		given []grant.Event
		when  grant.Command
		then  []grant.Event
	}{
		{"a grant", nil, give("gr_1"), events(given("gr_1"))},
		{"given again", events(given("gr_1")), give("gr_1"), nil},
		{"given again after it was revoked", events(given("gr_1"), revoked), give("gr_1"), nil},
		{"lists are sorted and without repeats", nil, give("gr_1", func(t *grant.Terms) {
			t.Kinds, t.Workflows, t.Agents = []domain.ActionKind{"b", "a", "b"}, []domain.Workflow{"y", "x", "x"}, []domain.AgentID{}
		}), events(given("gr_1", func(t *grant.Terms) {
			t.Kinds, t.Workflows = []domain.ActionKind{"a", "b"}, []domain.Workflow{"x", "y"}
		}))},
		{"no workflow is all", nil, give("gr_1", func(t *grant.Terms) { t.Workflows = nil }), events(given("gr_1"))},
		{"all workflows take in the others", nil, give("gr_1", func(t *grant.Terms) { t.Workflows = []domain.Workflow{"x", "*"} }), events(given("gr_1"))},
		{"the largest", nil, give("gr_1", func(t *grant.Terms) { t.MaxUses, t.Until = 10_000, start.AddDate(1, 0, 0) }),
			events(given("gr_1", func(t *grant.Terms) { t.MaxUses, t.Until = 10_000, start.AddDate(1, 0, 0) }))},

		{"the first use", events(given("gr_1")), use(1, "gr_1"), events(used("gr_1", 1, 1))},
		{"the last use", events(given("gr_1"), used("gr_1", 1, 1)), use(2, "gr_1"), events(used("gr_1", 2, 2))},
		{"used up", events(given("gr_1", one), used("gr_1", 1, 1)), use(2, "gr_1"), nil},
		{"used up, and another is there", events(given("gr_1", one), given("gr_2"), used("gr_1", 1, 1)), use(2, "gr_1", "gr_2"), events(used("gr_2", 2, 1))},
		{"the first candidate", events(given("gr_1"), given("gr_2")), use(1, "gr_2", "gr_1"), events(used("gr_2", 1, 1))},
		{"no candidate", events(given("gr_1")), use(1), nil},
		{"a candidate that is unknown", events(given("gr_1")), use(1, "gr_9"), nil},
		{"revoked", events(given("gr_1"), revoked), use(1, "gr_1"), nil},
		{"its last moment", events(given("gr_1")), changed(use(1, "gr_1"), func(u *grant.Use) { u.At = end.Add(-time.Microsecond) }),
			events(func() grant.Used { u := used("gr_1", 1, 1); u.At = end.Add(-time.Microsecond); return u }())},
		{"its end", events(given("gr_1")), changed(use(1, "gr_1"), func(u *grant.Use) { u.At = end }), nil},
		{"another kind", events(given("gr_1")), changed(use(1, "gr_1"), func(u *grant.Use) { u.Kind = "payment.initiate" }), nil},
		{"its workflow", events(given("gr_1", flow)), use(1, "gr_1"), events(used("gr_1", 1, 1))},
		{"another workflow", events(given("gr_1", flow)), changed(use(1, "gr_1"), func(u *grant.Use) { u.Workflow = "letters" }), nil},
		{"its agent", events(given("gr_1", few)), use(1, "gr_1"), events(used("gr_1", 1, 1))},
		{"another agent", events(given("gr_1", few)), changed(use(1, "gr_1"), func(u *grant.Use) { u.Requester = helper }), nil},
		{"a member with the agent's id", events(given("gr_1", few)), changed(use(1, "gr_1"), func(u *grant.Use) { u.Requester = domain.MemberActor("ag_bot") }), nil},
		{"asked for by the giver", events(given("gr_1")), changed(use(1, "gr_1"), func(u *grant.Use) { u.Requester = alice }), nil},
		{"a repeat", events(given("gr_1"), used("gr_1", 1, 1)), use(1, "gr_1"), nil},
		{"a repeat when another grant is there", events(given("gr_1"), given("gr_2"), used("gr_1", 1, 1)), use(1, "gr_2"), nil},
		{"a repeat when its grant is used up", events(given("gr_1", one), given("gr_2"), used("gr_1", 1, 1)), use(1, "gr_2"), nil},
		{"a repeat when its grant is revoked", events(given("gr_1"), given("gr_2"), used("gr_1", 1, 1), revoked), use(1, "gr_2"), nil},
		{"another action of the execution", events(given("gr_1"), used("gr_1", 1, 1)), changed(use(1, "gr_1"), func(u *grant.Use) { u.Action = "ac_2" }), nil},
		{"another action of the execution by another grant", events(given("gr_1"), given("gr_2"), used("gr_1", 1, 1)),
			changed(use(1, "gr_1", "gr_2"), func(u *grant.Use) { u.Action = "ac_2" }),
			events(func() grant.Used { u := used("gr_2", 1, 1); u.Action = "ac_2"; return u }())},

		{"a revocation", events(given("gr_1")), grant.Revoke{Grant: "gr_1", Reason: "Enough.", By: bob, At: soon}, events(revoked)},
		{"revoked again", events(given("gr_1"), revoked), grant.Revoke{Grant: "gr_1", By: alice, At: soon}, nil},
		{"revoked when used up", events(given("gr_1", one), used("gr_1", 1, 1)), grant.Revoke{Grant: "gr_1", By: alice, At: soon}, nil},
		{"revoked when its time is over", events(given("gr_1")), grant.Revoke{Grant: "gr_1", By: alice, At: end}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { book(test.given...).When(test.when).Then(t, test.then...) })
	}
}

func TestRefused(t *testing.T) {
	long := strings.Repeat("x", 501)
	for name, change := range map[string]func(*grant.Terms){
		"no kind":              func(t *grant.Terms) { t.Kinds = nil },
		"all kinds":            func(t *grant.Terms) { t.Kinds = []domain.ActionKind{"*"} },
		"a kind with a space":  func(t *grant.Terms) { t.Kinds = []domain.ActionKind{"a", "a b"} },
		"too many kinds":       func(t *grant.Terms) { t.Kinds = make([]domain.ActionKind, 51) },
		"too many workflows":   func(t *grant.Terms) { t.Workflows = make([]domain.Workflow, 101) },
		"a workflow's name":    func(t *grant.Terms) { t.Workflows = []domain.Workflow{"a/b"} },
		"too many agents":      func(t *grant.Terms) { t.Agents = make([]domain.AgentID, 101) },
		"an agent's id":        func(t *grant.Terms) { t.Agents = []domain.AgentID{""} },
		"no use":               func(t *grant.Terms) { t.MaxUses = 0 },
		"too many uses":        func(t *grant.Terms) { t.MaxUses = 10_001 },
		"over already":         func(t *grant.Terms) { t.Until = start },
		"without end":          func(t *grant.Terms) { t.Until = time.Time{} },
		"more than a year":     func(t *grant.Terms) { t.Until = start.AddDate(1, 0, 0).Add(time.Microsecond) },
		"a long reason":        func(t *grant.Terms) { t.Reason = long },
		"a reason not in text": func(t *grant.Terms) { t.Reason = "\xff" },
		"a long condition":     func(t *grant.Terms) { t.When = strings.Repeat("x", 4097) },
	} {
		t.Run(name, func(t *testing.T) {
			refusal := book().When(give("gr_1", change)).Refused(t, domain.Invalid, "grant_invalid")
			if p, _ := refusal.Facts["pointer"].(string); !strings.HasPrefix(p, "/") {
				t.Errorf("it points to %v", refusal.Facts["pointer"])
			}
		})
	}
	machine := give("gr_1")
	machine.By = bot
	book().When(machine).Refused(t, domain.Forbidden, "human_required")
	book().When(give("")).Refused(t, domain.Invalid, "grant_invalid")
	book().When(grant.Revoke{Grant: "gr_1", By: alice, At: soon}).Refused(t, domain.NotFound, "grant_unknown")
	book(given("gr_1")).When(grant.Revoke{Grant: "gr_1", Reason: long, By: alice, At: soon}).Refused(t, domain.Invalid, "invalid_reason")
	book().When(nil).Refused(t, domain.Invalid, "command_unknown")
}

// The live grants are bounded, by their number and by what they may cover
// together; those that are over make room.
func TestRoom(t *testing.T) {
	id := func(n int) domain.GrantID { return domain.GrantID(fmt.Sprintf("gr_%03d", n)) }
	later := give("gr_new", func(t *grant.Terms) { t.Until = end.Add(time.Hour) })

	s := book()
	for n := range grant.MaxLive {
		s = s.When(give(id(n))).Accepted(t)
	}
	s.When(later).Refused(t, domain.Conflict, "too_many_grants")
	s.And(grant.Revoked{Grant: id(7), By: bob, At: soon}).When(later).Accepted(t)
	s.And(used(id(7), 1, 1), used(id(7), 2, 2)).When(later).Accepted(t)
	later.At = end
	if n := s.When(later).Accepted(t).State().Live.Len(); n != 1 {
		t.Errorf("%d grants are live, want the new one", n)
	}

	s = book()
	for n := range grant.MaxPromised / grant.MaxUses {
		s = s.When(give(id(n), func(t *grant.Terms) { t.MaxUses = grant.MaxUses })).Accepted(t)
	}
	s.When(give("gr_new")).Refused(t, domain.Conflict, "too_many_grants")
	s.And(grant.Revoked{Grant: id(7), By: bob, At: soon}).When(give("gr_new")).Accepted(t)
}

// What is kept of grants that are over is bounded: the newest of them, each
// with its newest uses.
func TestForgets(t *testing.T) {
	s := book(given("gr_1", func(t *grant.Terms) { t.MaxUses = 150 }))
	for n := 1; n <= 149; n++ {
		s = s.And(used("gr_1", n, n))
	}
	g, _ := s.State().Grant("gr_1")
	if len(g.Uses) != 100 || g.Uses[0].Use != 50 || g.Uses[99].Use != 149 || g.Covers.Len() != 149 {
		t.Errorf("kept %d uses, of %d covered", len(g.Uses), g.Covers.Len())
	}
	if id, c, ok := s.State().Covered("ex_1", "ac_1"); !ok || id != "gr_1" || c.Use != 1 || !c.At.Equal(soon) {
		t.Errorf("the first action was covered by %q, %+v, %v", id, c, ok)
	}
	s = s.And(used("gr_1", 150, 150))
	g, _ = s.State().Grant("gr_1")
	if s.State().Live.Len() != 0 || g.Status(soon) != grant.StatusUsedUp || g.Covers.Len() != 100 || g.Used != 150 {
		t.Errorf("used up: %d live, %s, %d covered", s.State().Live.Len(), g.Status(soon), g.Covers.Len())
	}
	if _, _, ok := s.State().Covered("ex_51", "ac_51"); !ok {
		t.Error("the oldest of the newest 100 was forgotten")
	}
	if _, _, ok := s.State().Covered("ex_50", "ac_50"); ok {
		t.Error("more than the newest 100 is kept")
	}
	for n := range 200 {
		id := domain.GrantID(fmt.Sprint("gr_", 1000+n))
		s = s.And(given(id), grant.Revoked{Grant: id, By: bob, At: soon})
	}
	if _, known := s.State().Grant("gr_1"); known || s.State().Past.Len() != 200 {
		t.Errorf("%d past grants are kept, the oldest %v", s.State().Past.Len(), known)
	}
	if all := s.State().Grants(); len(all) != 200 || all[0].ID != "gr_1199" || all[199].ID != "gr_1000" {
		t.Errorf("%d grants, from %s to %s", len(all), all[0].ID, all[len(all)-1].ID)
	}
	domaintest.RoundTrip(t, s.State())
}

func TestCandidates(t *testing.T) {
	s := book(given("gr_c"), given("gr_a"), given("gr_b", func(t *grant.Terms) { t.Agents = []domain.AgentID{"ag_helper"} }),
		given("gr_d", func(t *grant.Terms) { t.Kinds = []domain.ActionKind{"tool.write"} }),
		given("gr_e"), grant.Revoked{Grant: "gr_e", By: bob, At: soon}).State()
	ids := func(list []grant.Grant) (ids []domain.GrantID) {
		for _, g := range list {
			ids = append(ids, g.ID)
		}
		return ids
	}
	for name, test := range map[string]struct {
		requester domain.Actor
		at        time.Time
		want      []domain.GrantID
	}{
		"an agent, oldest first": {bot, soon, []domain.GrantID{"gr_c", "gr_a"}},
		"a named agent":          {helper, soon, []domain.GrantID{"gr_c", "gr_a", "gr_b"}},
		"the giver":              {alice, soon, nil},
		"when all are over":      {bot, end, nil},
	} {
		if diff := cmp.Diff(test.want, ids(s.Candidates("communication.send", "w", test.requester, test.at))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestStatus(t *testing.T) {
	for name, test := range map[string]struct {
		events []grant.Event
		at     time.Time
		want   grant.Status
	}{
		"active":                   {events(given("gr_1")), soon, grant.StatusActive},
		"its last moment":          {events(given("gr_1")), end.Add(-1), grant.StatusActive},
		"ended":                    {events(given("gr_1")), end, grant.StatusEnded},
		"ended, then others given": {events(given("gr_1"), grant.Given{Grant: "gr_2", Terms: terms(), At: end}), end, grant.StatusEnded},
		"used up":                  {events(given("gr_1"), used("gr_1", 1, 1), used("gr_1", 2, 2)), end, grant.StatusUsedUp},
		"revoked":                  {events(given("gr_1"), grant.Revoked{Grant: "gr_1", At: soon}), end, grant.StatusRevoked},
	} {
		g, ok := book(test.events...).State().Grant("gr_1")
		if got := g.Status(test.at); !ok || got != test.want {
			t.Errorf("%s: %s, %v; want %s", name, got, ok, test.want)
		}
	}
}

// Events of grants that are not live, which only a damaged history has, change
// nothing.
func TestStrayEvents(t *testing.T) {
	s := book(given("gr_1"), grant.Revoked{Grant: "gr_1", By: bob, At: soon}).State()
	for _, e := range events(used("gr_1", 1, 1), used("gr_9", 1, 1), grant.Revoked{Grant: "gr_1", By: alice, At: end}, grant.Revoked{Grant: "gr_9", At: end}) {
		if diff := cmp.Diff(s, s.Evolve(e)); diff != "" {
			t.Errorf("%T changed the state:\n%s", e, diff)
		}
	}
}

func TestDecode(t *testing.T) {
	if e, err := grant.Decode("grant.used.v1", []byte(`{"grant":"gr_1","use":3,"later":1}`)); err != nil || e.(grant.Used).Use != 3 {
		t.Errorf("decoded %+v, %v", e, err)
	}
	if _, err := grant.Decode("grant.lost.v1", []byte(`{}`)); !errors.Is(err, grant.ErrUnknownEvent) {
		t.Errorf("an unknown name: %v", err)
	}
	for _, name := range []string{"grant.given.v1", "grant.used.v1", "grant.revoked.v1"} {
		if _, err := grant.Decode(name, []byte(`[]`)); err == nil {
			t.Errorf("%s of a list was decoded", name)
		}
	}
}
