package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// conditions of all sorts: those that hold and those that do not, those that
// err on some inputs, those that walk maps, and one that takes all its work.
func someConditions() []string {
	return []string{"", `action.params.amount > 100`, `action.params.amount < 1000 && "payer" in actor.roles`, `action.params.missing == 1`,
		`action.params.exists(k, k == "to")`, `action.params.map(k, k)[0] == "amount"`, `context.all(k, size(k) < 3)`,
		`action.params.all(k, action.params[k] > 1)`, `has(context.a) && context.a / 0.0 > 1.0`, `now.getHours() < 12`,
		`action.params.lines.exists(l, l.map(k, k)[0] == "price")`, `{"b": context, "a": context}.map(k, k)[0] == "a"`,
		`action.params == context`, `workflow == "invoices" || actor.kind == "member"`, wide}
}

func somePolicy(r *rand.Rand, id domain.PolicyID) Written {
	effects, conditions := []gate.Effect{allow, ask, deny}, someConditions()
	w := written(id, []domain.Workflow{"*", "invoices", "hr"}[r.IntN(3)], effects[r.IntN(3)])
	for i := range r.IntN(6) {
		rule := on(domain.RuleID(fmt.Sprint("r", i)), effects[r.IntN(3)],
			[]domain.ActionKind{"*", "payment.initiate", "llm.call", "shell.exec"}[r.IntN(4)]).given(conditions[r.IntN(len(conditions))])
		if rule.Effect == ask && r.IntN(2) == 0 {
			rule = rule.approvedBy(gate.Approval{Roles: []domain.RoleName{"cfo"}, Count: 1 + r.IntN(3), ExpiresIn: []string{"", "1h", "5m"}[r.IntN(3)],
				SeparationOfDuties: r.IntN(2) == 0, Escalate: &gate.Escalation{After: "2m", Roles: []domain.RoleName{"ceo"}}})
		}
		w.Policy.Rules = append(w.Policy.Rules, rule)
	}
	if r.IntN(3) == 0 {
		w = shadowed(w)
	}
	digest, err := w.Policy.Digest()
	if err != nil {
		panic(err)
	}
	w.Digest = digest
	return w
}

func someInput(r *rand.Rand) Input {
	params := []string{``, `{}`, `{"amount": 5, "to": "DE"}`, `{ "to":"<&>\u00e9", "amount":250.5 }`, `{"amount":"5","z":1,"b":2,"c":3}`,
		`{"amount":2,"lines":[{"sku":"x","price":1},{"price":2,"qty":3,"a":1}]}`, `{"amount":3,"s":"` + strings.Repeat("ab", 4000) + `"}`}
	return Input{Workflow: []domain.Workflow{"invoices", "hr", "other"}[r.IntN(3)], Kind: []domain.ActionKind{"payment.initiate", "llm.call", "shell.exec"}[r.IntN(3)],
		Params: json.RawMessage(params[r.IntN(len(params))]), Context: json.RawMessage(params[r.IntN(len(params))]), Actor: domain.AgentActor("ag_1"),
		Roles: [][]domain.RoleName{nil, {"agent"}, {"agent", "payer"}}[r.IntN(3)], Now: time.Date(2026, 3, 4, r.IntN(24), 30, 0, 123456000, time.UTC)}
}

// stored is a value as the log gives it back.
func stored[T any](t *testing.T, v T) (back T) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// recorded is an input as events hold it.
func recorded(t *testing.T, in Input) Input {
	if len(in.Params) == 0 {
		in.Params = json.RawMessage(`{}`) // as package execution completes it
	}
	if len(in.Context) == 0 {
		in.Context = json.RawMessage(`{}`) // a RawMessage of nothing is no JSON
	}
	return stored(t, in)
}

// Whatever the policies and the inputs were, the record is enough to make the
// decision again.
func TestRederive(t *testing.T) {
	r, cache := rand.New(rand.NewPCG(1, 2)), new(Cache)
	log := map[gate.PolicyRef]Written{}
	lookup := func(id domain.PolicyID, version int) (Written, bool) {
		w, ok := log[gate.PolicyRef{Policy: id, Version: version}]
		return w, ok
	}
	var state State
	effects, troubled, shadows := map[gate.Effect]int{}, 0, 0
	for range 1500 {
		if r.IntN(8) == 0 {
			w := somePolicy(r, domain.PolicyID(fmt.Sprint("p", r.IntN(6))))
			if stands, ok := state.Policy(w.ID); ok {
				w.Version = stands.Version + 1
			}
			state = state.Evolve(w)
			log[gate.PolicyRef{Policy: w.ID, Version: w.Version}] = stored(t, w)
		}
		evaluator, err := cache.Compile(state)
		if err != nil {
			t.Fatal(err)
		}
		in := someInput(r)
		d := evaluator.Evaluate(in)
		effects[d.Effect]++
		troubled, shadows = troubled+len(d.Errors), shadows+len(d.Shadow)
		again, err := cache.Rederive(lookup, stored(t, d).Of, recorded(t, in))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(stored(t, d), stored(t, again)); diff != "" {
			t.Fatalf("the decision on %+v differs (-recorded +again):\n%s", in, diff)
		}
	}
	if len(effects) != 3 || troubled < 100 || shadows < 100 {
		t.Errorf("the workload is poor: %v, %d errors, %d shadowed", effects, troubled, shadows)
	}
}

func TestRederiveNeedsEveryVersion(t *testing.T) {
	whole := written("p", "invoices", deny)
	summary := whole
	summary.Policy = Policy{}
	elsewhere := written("p", "hr", deny)
	for _, row := range []struct {
		name string
		has  Written
		ok   bool
	}{
		{"it is there", whole, true},
		{"it is missing", Written{ID: "q", Version: 1}, false},
		{"it is another version", Written{ID: "p", Version: 2, Policy: whole.Policy}, false},
		{"it is a summary", summary, false},
		{"it says nothing of the workflow", elsewhere, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			lookup := func(id domain.PolicyID, version int) (Written, bool) {
				return row.has, row.has.ID == id && row.has.Version == version
			}
			d, err := Rederive(lookup, []gate.PolicyRef{{Policy: "p", Version: 1}}, sample())
			if row.ok != (err == nil) || !row.ok && !errors.Is(err, ErrNotRederivable) {
				t.Fatalf("answered %+v, %v", d, err)
			}
			if row.ok && d.Effect != deny {
				t.Errorf("decided %s", d.Effect)
			}
		})
	}
}

// Of lists all that were asked: the workflow's own before those of "*", those
// in force before those in shadow mode.
func TestOf(t *testing.T) {
	all := []Written{written("d", "invoices", allow), shadowed(written("a", "invoices", allow)), written("b", "*", allow),
		shadowed(written("c", "*", allow)), written("e", "hr", allow)}
	e := evaluator(t, all...)
	names := func(d gate.Decision) (s string) {
		for _, ref := range d.Of {
			s += fmt.Sprint(ref.Policy, ref.Version, " ")
		}
		return s
	}
	in := sample()
	for workflow, want := range map[domain.Workflow]string{"invoices": "d1 b1 a1 c1 ", "hr": "e1 b1 c1 ", "other": "b1 c1 "} {
		in.Workflow = workflow
		if got := names(e.Evaluate(in)); got != want {
			t.Errorf("%s: asked %q, want %q", workflow, got, want)
		}
	}
	in.Workflow = "invoices"
	if d, err := e.EvaluatePolicy("a", in); err != nil || names(d) != "a1 " {
		t.Errorf("alone: asked %q, %v", names(d), err)
	}
	if got := names(evaluator(t).Evaluate(in)); got != "" {
		t.Errorf("without policies: asked %q", got)
	}
}

// What a condition makes of a map does not depend on the order in which Go
// walks it: not the answer, not the error, not the work.
func TestMapsAreWalkedInOrder(t *testing.T) {
	in := sample()
	in.Params = json.RawMessage(`{"h":1,"g":"x","f":[{"z":1,"y":2,"x":{"b":1,"a":2,"c":3}}],"e":null,"d":2,"c":{},"b":3,"a":4}`)
	for _, row := range []struct{ name, when, want string }{
		{"the first key", `action.params.map(k, k)[0] == "a"`, "true"},
		{"keys of a map in a list", `action.params.f[0].map(k, k)[0] == "x"`, "true"},
		{"keys of a map in a map in a list", `action.params.f.all(m, m.x.map(k, k) == ["a", "b", "c"])`, "true"},
		{"of a map that was made", `{"c": workflow, "a": workflow, "b": workflow}.map(k, k) == ["a", "b", "c"]`, "true"},
		{"of a map of constants", `{"c": 1, "a": 2, "b": 3}.map(k, k) == ["a", "b", "c"]`, "true"},
		{"of a map with keys of many types", `{"c": 1, 2: 2, true: 3, 1: 4, "a": 5}.map(k, k) == [true, 1, 2, "a", "c"]`, "true"},
		{"the error it meets last", `action.params.all(k, action.params[k] > 0)`, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := lang(t).compile(row.when)
			if err != nil {
				t.Fatal(err)
			}
			var first string
			for i := range 100 {
				f := &facts{in: &in}
				held, trouble := c.holds(f)
				got := fmt.Sprintf("%v, %s, %d steps", held, trouble, f.budget.spent)
				if i == 0 {
					first = got
				}
				if got != first || row.want != "" && fmt.Sprint(held) != row.want {
					t.Fatalf("got %s; at first %s; want %s", got, first, row.want)
				}
			}
		})
	}
}

// The way a document is spelled is lost in the record, and may not count.
func TestSpellingCostsNothing(t *testing.T) {
	c, err := lang(t).compile(`has(action.params.names) && action.params.names.exists(n, has(context.a) && context[n] == 1)`)
	if err != nil {
		t.Fatal(err)
	}
	spent := func(params, context string) int {
		in := sample()
		in.Params, in.Context = json.RawMessage(params), json.RawMessage(context)
		f := &facts{in: &in}
		c.holds(f)
		return f.budget.spent
	}
	text := strings.Repeat("<", 500)
	a := spent(`{"names":["a","`+text+`"]}`, `{"a":2}`)
	b := spent(`{ "names" : [ "a" ,   "`+strings.Repeat(`\u003c`, 500)+`" ] }`, "{\n\"a\": 2 }")
	if a != b || a == 0 {
		t.Errorf("one spelling takes %d steps and the other %d", a, b)
	}
}
