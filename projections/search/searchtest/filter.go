package searchtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

func filterChecks() []check {
	return []check{
		{"every condition, and its negation", conditions},
		{"any query on random rows", randomQueries},
	}
}

// few are rows written by hand, at the positions 1 to 6, for conditions whose
// answers were written by hand.
func few() []search.Row {
	at := func(minutes int) time.Time { return noon().Add(time.Duration(minutes) * time.Minute) }
	return []search.Row{
		{Actor: domain.AgentActor("ag_7"), Time: at(0), Type: "execution.started.v1", Action: "payment.initiate", Outcome: "allowed", Cost: 5_000_000, Tags: []search.Tag{tagOf(4), tagOf(5)}},
		{Actor: domain.AgentActor("ag_71"), Time: at(1), Action: "payment.refund", Outcome: "denied", Cost: 5_000_001, Severity: 3, Tags: []search.Tag{tagOf(5)}},
		{Actor: domain.MemberActor("ag_7"), Time: at(5), Action: "payments", Model: "gpt-4o", PromptTokens: 60, OutputTokens: 40, Tags: []search.Tag{tagOf(4), tagOf(6), tagOf(5)}},
		{Actor: domain.Operator(), Time: at(3), Action: "Payment.initiate", Model: "gpt-4o-mini", PromptTokens: 100, Tags: []search.Tag{tagOf(6), tagOf(6)}},
		{Time: at(4), Stream: "acme/execution-1", Execution: "1", Workflow: "w", Policy: "main", Rule: "r", Approval: "ap", Credential: "tk", Correlation: "cor"},
		{Time: at(5).Add(time.Microsecond), Action: "payment_initiate", Model: "gpt%", Severity: 6, Cost: -1},
	}
}

// filterCase is a condition and the positions of few that meet it.
type filterCase struct {
	name string
	c    search.Condition
	want []eventlog.Position
}

func is(f search.Field, texts ...string) search.In {
	in := search.In{Field: f}
	for _, t := range texts {
		text, prefix := strings.CutSuffix(t, "*")
		in.Any = append(in.Any, search.Pattern{Text: text, Prefix: prefix})
	}
	return in
}

func cases() []filterCase {
	at := func(minutes int) time.Time { return noon().Add(time.Duration(minutes) * time.Minute) }
	tagged := func(n ...int) (t search.Tagged) {
		for _, n := range n {
			t.All = append(t.All, tagOf(n))
		}
		return t
	}
	these := func(list ...eventlog.Position) []eventlog.Position { return list }
	return []filterCase{
		{"actor", is(search.Actor, "agent:ag_7"), these(1)},
		{"actor, prefix", is(search.Actor, "agent:ag_7*"), these(1, 2)},
		{"no actor", is(search.Actor, ""), these(5, 6)},
		{"any actor", is(search.Actor, "*"), these(1, 2, 3, 4, 5, 6)},
		{"kind", is(search.Kind, "member"), these(3)},
		{"kind, prefix of two", is(search.Kind, "o*", "m*"), these(3, 4)},
		{"type", is(search.Type, "execution.started.v1"), these(1)},
		{"stream", is(search.Stream, "acme/execution-1"), these(5)},
		{"execution", is(search.Execution, "1"), these(5)},
		{"workflow", is(search.Workflow, "w"), these(5)},
		{"action, prefix to the dot", is(search.Action, "payment.*"), these(1, 2)},
		{"action, prefix", is(search.Action, "payment*"), these(1, 2, 3, 6)},
		{"action, case matters", is(search.Action, "Payment.initiate"), these(4)},
		{"action, underscore is no pattern", is(search.Action, "payment_initiate"), these(6)},
		{"one of several", is(search.Action, "payments", "mail.send", "payment.refund"), these(2, 3)},
		{"outcome", is(search.Outcome, "denied"), these(2)},
		{"model is not its prefix", is(search.Model, "gpt-4o"), these(3)},
		{"model, per cent is no pattern", is(search.Model, "gpt%"), these(6)},
		{"model, per cent as prefix", is(search.Model, "gpt%*"), these(6)},
		{"policy", is(search.Policy, "main"), these(5)},
		{"rule", is(search.Rule, "r"), these(5)},
		{"approval", is(search.Approval, "ap"), these(5)},
		{"credential", is(search.Credential, "tk"), these(5)},
		{"correlation", is(search.Correlation, "cor"), these(5)},
		{"none such", is(search.Correlation, "co"), nil},
		{"cost more", search.Compare{Measure: search.Cost, Op: search.More, Value: 5_000_000}, these(2)},
		{"cost at least", search.Compare{Measure: search.Cost, Op: search.AtLeast, Value: 5_000_000}, these(1, 2)},
		{"cost less", search.Compare{Measure: search.Cost, Op: search.Less, Value: 0}, these(6)},
		{"cost at most", search.Compare{Measure: search.Cost, Op: search.AtMost, Value: 0}, these(3, 4, 5, 6)},
		{"severity", search.Compare{Measure: search.Severity, Op: search.Equal, Value: 3}, these(2)},
		{"prompt tokens", search.Compare{Measure: search.PromptTokens, Op: search.Equal, Value: 100}, these(4)},
		{"output tokens", search.Compare{Measure: search.OutputTokens, Op: search.More, Value: 0}, these(3)},
		{"tokens of both", search.Compare{Measure: search.Tokens, Op: search.Equal, Value: 100}, these(3, 4)},
		{"position equal", search.Compare{Measure: search.Position, Op: search.Equal, Value: 4}, these(4)},
		{"position more", search.Compare{Measure: search.Position, Op: search.More, Value: 4}, these(5, 6)},
		{"position at least", search.Compare{Measure: search.Position, Op: search.AtLeast, Value: 4}, these(4, 5, 6)},
		{"position less", search.Compare{Measure: search.Position, Op: search.Less, Value: 3}, these(1, 2)},
		{"position at most", search.Compare{Measure: search.Position, Op: search.AtMost, Value: 3}, these(1, 2, 3)},
		{"position none", search.Compare{Measure: search.Position, Op: search.Less, Value: -5}, nil},
		{"from, which is in", search.During{From: at(4)}, these(3, 5, 6)},
		{"until, which is not", search.During{Until: at(4)}, these(1, 2, 4)},
		{"between, times out of order", search.During{From: at(1), Until: at(5)}, these(2, 4, 5)},
		{"from within a microsecond", search.During{From: at(5).Add(time.Nanosecond)}, these(6)},
		{"until within a microsecond", search.During{Until: at(5).Add(time.Nanosecond)}, these(1, 2, 3, 4, 5)},
		{"a time that ends before it begins", search.During{From: at(4), Until: at(1)}, nil},
		{"at any time", search.During{}, these(1, 2, 3, 4, 5, 6)},
		{"a word", tagged(4), these(1, 3)},
		{"two words", tagged(4, 5), these(1, 3)},
		{"three words", tagged(4, 5, 6), these(3)},
		{"a word twice", tagged(6, 6), these(3, 4)},
		{"words that no row has both", tagged(0, 5), nil},
		{"an unknown word", tagged(300), nil},
	}
}

func conditions(e *env) {
	b := search.Batch{To: 6, Rows: few()}
	for i := range b.Rows {
		b.Rows[i].Workspace, b.Rows[i].Position = "acme", eventlog.Position(1+i)
	}
	e.insert(b)
	e.insert(search.Batch{From: 6, To: 7, Rows: []search.Row{{Workspace: "beta", Position: 7, Time: noon(), Outcome: "denied", Tags: []search.Tag{tagOf(4)}}}})
	for _, c := range cases() {
		var rest []eventlog.Position
		for at := eventlog.Position(1); at <= 6; at++ {
			if !slices.Contains(c.want, at) {
				rest = append(rest, at)
			}
		}
		e.find(c.name, c.want, c.c)
		e.find("not: "+c.name, rest, search.Not{Condition: c.c})
		e.find("with its negation: "+c.name, nil, c.c, search.Not{Condition: c.c})
	}
}

func (e *env) find(name string, want []eventlog.Position, where ...search.Condition) {
	e.Helper()
	q := search.Query{Workspace: "acme", Where: where, Order: search.OldestFirst}
	if got := positions(all(e, e.ctx, e.Engine, q)); !cmp.Equal(want, got, compared()) {
		e.Errorf("%s: found %v, want %v", name, got, want)
	}
	if got := positions(all(e, e.ctx, e.naive, q)); !cmp.Equal(want, got, compared()) {
		e.Errorf("%s: the naive index found %v, want %v", name, got, want)
	}
}

// randomQueries asks both indexes the same.
func randomQueries(e *env) {
	m := newMaker(20)
	for _, n := range []int{1, 500, 13, 900, 100} {
		e.insert(m.batch(n))
	}
	e.remove(search.Erasure{Workspace: "acme", Subject: "subject-b"})
	e.remove(search.Retention{Workspace: "acme", Class: "access", Before: noon().Add(2 * time.Hour)})
	rapid.Check(e, func(t *rapid.T) {
		r := &maker{Rand: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2)), at: m.at}
		q := search.Query{Workspace: one(r, workspaces()), Order: search.Order(r.IntN(2)), Limit: []int{0, 1 + r.IntN(60)}[r.IntN(2)]}
		for range rapid.IntRange(0, 4).Draw(t, "conditions") {
			c := r.condition()
			if r.IntN(4) == 0 {
				c = search.Not{Condition: c}
			}
			q.Where = append(q.Where, c)
		}
		e.agree(t, q)
	})
}

func (m *maker) condition() search.Condition {
	switch m.IntN(6) {
	case 0:
		d := search.During{From: noon().Add(time.Duration(m.IntN(1_000_000)) * 100 * time.Millisecond)}
		if m.IntN(2) == 0 {
			d.Until = d.From.Add(time.Duration(m.IntN(300)) * time.Minute)
		}
		return d
	case 1:
		values := []int64{-1, 0, 1, 3, 100, 5_000_000, int64(m.IntN(int(m.at) + 5))}
		return search.Compare{Measure: one(m, search.Measures()), Op: one(m, []search.Op{search.Less, search.AtMost, search.Equal, search.AtLeast, search.More}), Value: one(m, values)}
	case 2, 3:
		var t search.Tagged
		for range 1 + m.IntN(3) {
			t.All = append(t.All, tagOf(m.IntN(tagCount)))
		}
		return t
	}
	field, row := one(m, search.Fields()), m.row()
	text, _ := row.Text(field)
	if m.IntN(3) == 0 {
		return is(field, fmt.Sprint(text[:m.IntN(len(text)+1)], "*"))
	}
	return is(field, text, "nothing")
}
