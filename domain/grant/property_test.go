package grant_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/grant"
)

// history is a random run: the State beside a plain list of what happened,
// which every new event is held against.
type history struct {
	rt      *rapid.T
	state   grant.State
	given   map[domain.GrantID]grant.Given
	revoked map[domain.GrantID]bool
	uses    []grant.Used
	at      time.Time
}

func (h *history) usesOf(id domain.GrantID) (n int) {
	for _, u := range h.uses {
		if u.Grant == id {
			n++
		}
	}
	return n
}

// do decides and folds, and holds what follows against the list.
func (h *history) do(c grant.Command) []grant.Event {
	before := h.written(h.state)
	events, err := h.state.Decide(c)
	if err != nil {
		h.rt.Fatalf("%+v: %v", c, err)
	}
	next := h.state
	for _, e := range events {
		next = next.Evolve(e)
		switch e := e.(type) {
		case grant.Given:
			h.given[e.Grant] = e
		case grant.Used:
			h.judge(e)
			h.uses = append(h.uses, e)
		case grant.Revoked:
			h.revoked[e.Grant] = true
		}
	}
	if diff := cmp.Diff(before, h.written(h.state)); diff != "" {
		h.rt.Fatalf("%+v changed the older State (-before +after):\n%s", c, diff)
	}
	h.state = next
	return events
}

// judge holds a use against the promises.
func (h *history) judge(u grant.Used) {
	g, ok := h.given[u.Grant]
	switch {
	case !ok:
		h.rt.Fatalf("%+v uses a grant that was never given", u)
	case h.revoked[u.Grant]:
		h.rt.Fatalf("%+v uses a revoked grant", u)
	case !u.At.Before(g.Terms.Until):
		h.rt.Fatalf("%+v uses a grant that ended at %s", u, g.Terms.Until)
	case h.usesOf(u.Grant) >= g.Terms.MaxUses:
		h.rt.Fatalf("%+v is more than the %d uses of its grant", u, g.Terms.MaxUses)
	case u.Use != h.usesOf(u.Grant)+1:
		h.rt.Fatalf("%+v counts %d uses before it", u, h.usesOf(u.Grant))
	case u.Requester == g.By:
		h.rt.Fatalf("%+v covers what its giver asked for", u)
	case !slices.Contains(g.Terms.Kinds, u.Kind):
		h.rt.Fatalf("%+v is of a kind that its grant does not name: %v", u, g.Terms.Kinds)
	}
	for _, old := range h.uses {
		if old.Execution == u.Execution && (old.Action == u.Action || old.Grant == u.Grant) {
			h.rt.Fatalf("%+v comes after %+v", u, old)
		}
	}
}

// asks asks to cover an action, by any grants there are, known or not.
func (h *history) asks() grant.Use {
	rt := h.rt
	id := rapid.Custom(func(rt *rapid.T) domain.GrantID {
		return domain.GrantID(fmt.Sprint("gr_", rapid.IntRange(0, 6).Draw(rt, "grant")))
	})
	execution := rapid.IntRange(0, 9).Draw(rt, "execution")
	return grant.Use{Candidates: rapid.SliceOfN(id, 0, 5).Draw(rt, "candidates"), Execution: domain.ExecutionID(fmt.Sprint("ex_", execution)),
		Action:   domain.ActionID(fmt.Sprintf("ac_%d_%d", execution, rapid.IntRange(0, 2).Draw(rt, "action"))),
		Kind:     rapid.SampledFrom([]domain.ActionKind{"a", "b"}).Draw(rt, "kind"),
		Workflow: "w", Requester: rapid.SampledFrom([]domain.Actor{bot, helper, alice}).Draw(rt, "requester"), At: h.at}
}

// use asks, and looks at what the State then says of the action.
func (h *history) use() {
	c := h.asks()
	i := slices.IndexFunc(h.uses, func(u grant.Used) bool { return u.Execution == c.Execution && u.Action == c.Action })
	events := h.do(c)
	if i >= 0 && len(events) > 0 {
		h.rt.Fatalf("%+v repeats %+v and made %+v", c, h.uses[i], events)
	}
	if i < 0 && len(events) > 0 {
		i = len(h.uses) - 1
	}
	id, cover, ok := h.state.Covered(c.Execution, c.Action)
	if ok != (i >= 0) {
		h.rt.Fatalf("the State says %v of %+v, which is use %d", ok, c, i)
	}
	if ok && (id != h.uses[i].Grant || cover.Use != h.uses[i].Use || !cover.At.Equal(h.uses[i].At)) {
		h.rt.Fatalf("the State says %s %+v of %+v", id, cover, h.uses[i])
	}
}

func (h *history) give() {
	rt := h.rt
	n := rapid.IntRange(0, 6).Draw(rt, "grant")
	h.do(grant.Give{Grant: domain.GrantID(fmt.Sprint("gr_", n)), By: rapid.SampledFrom([]domain.Actor{alice, bob}).Draw(rt, "giver"), At: h.at,
		Terms: grant.Terms{Kinds: rapid.SampledFrom([][]domain.ActionKind{{"a"}, {"a", "b"}}).Draw(rt, "kinds"),
			MaxUses: rapid.IntRange(1, 3).Draw(rt, "uses"), Until: h.at.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "minutes")) * time.Minute)}})
}

func (h *history) reload() {
	var back grant.State
	if err := json.Unmarshal([]byte(h.written(h.state)), &back); err != nil {
		h.rt.Fatal(err)
	}
	if diff := cmp.Diff(h.state, back); diff != "" {
		h.rt.Fatalf("the State changed on its way through JSON (-before +after):\n%s", diff)
	}
	h.state = back
}

func (h *history) written(s grant.State) string {
	data, err := json.Marshal(s)
	if err != nil {
		h.rt.Fatal(err)
	}
	return string(data)
}

// agrees compares the counts and statuses of all grants with the list.
func (h *history) agrees() {
	if known := len(h.state.Grants()); known != len(h.given) {
		h.rt.Fatalf("%d grants are known, %d were given", known, len(h.given))
	}
	for id, given := range h.given {
		g, _ := h.state.Grant(id)
		want := grant.StatusActive
		switch {
		case h.revoked[id]:
			want = grant.StatusRevoked
		case h.usesOf(id) >= given.Terms.MaxUses:
			want = grant.StatusUsedUp
		case !h.at.Before(given.Terms.Until):
			want = grant.StatusEnded
		}
		if g.Status(h.at) != want || g.Used != h.usesOf(id) {
			h.rt.Fatalf("%s is %s with %d uses, want %s with %d", id, g.Status(h.at), g.Used, want, h.usesOf(id))
		}
	}
}

// Whatever is asked in whatever order: no grant is used more often than it may,
// an action is covered once, of one execution a grant covers one action at
// most, and a repeat is told by which grant.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{rt: rt, given: map[domain.GrantID]grant.Given{}, revoked: map[domain.GrantID]bool{}, at: start}
		rt.Repeat(map[string]func(*rapid.T){
			"give":   func(*rapid.T) { h.give() },
			"use":    func(*rapid.T) { h.use() },
			"use 2":  func(*rapid.T) { h.use() },
			"use 3":  func(*rapid.T) { h.use() },
			"reload": func(*rapid.T) { h.reload() },
			"wait": func(rt *rapid.T) {
				h.at = h.at.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "minutes")) * time.Minute)
			},
			"revoke": func(rt *rapid.T) {
				id := domain.GrantID(fmt.Sprint("gr_", rapid.IntRange(0, 6).Draw(rt, "grant")))
				if _, ok := h.given[id]; ok {
					h.do(grant.Revoke{Grant: id, By: bob, At: h.at})
				}
			},
			"": func(*rapid.T) { h.agrees() },
		})
	})
}

// With every grant it may have, of as many uses as there may be, a decision
// stays quick and what it looked at stays small.
func BenchmarkUse(b *testing.B) {
	var s grant.State
	for n := range grant.MaxLive {
		id := domain.GrantID(fmt.Sprint("gr_", n))
		s = s.Evolve(given(id, func(t *grant.Terms) { t.MaxUses = 500 }))
		for k := range 400 {
			s = s.Evolve(used(id, n*1000+k, k+1))
		}
	}
	c := use(1_000_000, "gr_7")
	b.ReportAllocs()
	for b.Loop() {
		if events, err := s.Decide(c); err != nil || len(events) != 1 {
			b.Fatal(events, err)
		}
	}
}
