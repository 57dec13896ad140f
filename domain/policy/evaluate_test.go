package policy

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

const (
	allow = gate.Allow
	ask   = gate.RequireApproval
	deny  = gate.Deny
)

func written(id domain.PolicyID, workflow domain.Workflow, otherwise gate.Effect, rules ...Rule) Written {
	p := Policy{Workflow: workflow, Mode: Enforce, Default: otherwise, Rules: rules}
	digest, err := p.Digest()
	if err != nil {
		panic(err)
	}
	return Written{ID: id, Version: 1, Digest: digest, Policy: p, By: domain.MemberActor("mb_author")}
}

func shadowed(w Written) Written {
	w.Policy.Mode = Shadow
	return w
}

func on(id domain.RuleID, effect gate.Effect, kinds ...domain.ActionKind) Rule {
	return Rule{ID: id, Actions: kinds, Effect: effect}
}

func (r Rule) given(when string) Rule          { r.When = when; return r }
func (r Rule) approvedBy(a gate.Approval) Rule { r.Approval = &a; return r }
func by(count int, roles ...domain.RoleName) gate.Approval {
	return gate.Approval{Roles: roles, Count: count}
}

func evaluator(t testing.TB, policies ...Written) *Evaluator {
	t.Helper()
	var s State
	for _, w := range policies {
		s = s.Evolve(w)
	}
	e, err := Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestEvaluate is the table of the package comment.
func TestEvaluate(t *testing.T) {
	const pay, mail, llm, other = "payment.initiate", "communication.send", "llm.call", "shell.exec"
	const yes, no, broken = "action.params.amount == 250", "action.params.amount == 1", "action.params.missing == 1"
	for _, row := range []struct {
		name     string
		policies []Written
		kind     domain.ActionKind
		want     string // effect policy/rule
	}{
		{"no policy, a gate", nil, pay, "require_approval /builtin"},
		{"no policy, another gate", nil, mail, "require_approval /builtin"},
		{"no policy, the third gate", nil, "table.update", "require_approval /builtin"},
		{"no policy, harmless", nil, llm, "allow /builtin"},
		{"no policy, harmless too", nil, "tool.read", "allow /builtin"},
		{"no policy, unknown kind", nil, other, "require_approval /builtin"},

		{"a rule that names the kind lifts the gate", []Written{written("p", "invoices", deny, on("r", allow, pay))}, pay, "allow p/r"},
		{"so does one of *", []Written{written("p", "*", deny, on("r", allow, pay))}, pay, "allow p/r"},
		{"one of another workflow does not", []Written{written("p", "hr", allow, on("r", allow, pay))}, pay, "require_approval /builtin"},
		{"a star does not lift the gate", []Written{written("p", "*", allow, on("r", allow, "*"))}, pay, "require_approval /builtin"},
		{"a star does not free an unknown kind", []Written{written("p", "*", allow, on("r", allow, "*"))}, other, "require_approval /builtin"},
		{"a default does not lift the gate", []Written{written("p", "*", allow)}, pay, "require_approval /builtin"},
		{"a default does not free an unknown kind", []Written{written("p", "*", allow)}, other, "require_approval /builtin"},
		{"naming frees an unknown kind", []Written{written("p", "*", deny, on("r", allow, other))}, other, "allow p/r"},
		{"a star denies everything", []Written{written("p", "*", allow, on("r", deny, "*"))}, pay, "deny p/r"},
		{"a star denies the harmless", []Written{written("p", "*", allow, on("r", deny, "*"))}, llm, "deny p/r"},
		{"a star asks for the unknown", []Written{written("p", "*", allow, on("r", ask, "*"))}, other, "require_approval p/r"},

		{"named, not matched: the default allows", []Written{written("p", "*", allow, on("r", deny, pay).given(no))}, pay, "allow p/default"},
		{"named, not matched: the default asks", []Written{written("p", "*", ask, on("r", allow, pay).given(no))}, pay, "require_approval p/default"},
		{"named, not matched: the default denies", []Written{written("p", "*", deny, on("r", allow, pay).given(no))}, pay, "deny p/default"},
		{"matched: the default is silent", []Written{written("p", "*", deny, on("r", allow, pay).given(yes))}, pay, "allow p/r"},
		{"the default denies the harmless", []Written{written("p", "*", deny)}, llm, "deny p/default"},
		{"the default asks for the harmless", []Written{written("p", "*", ask)}, llm, "require_approval p/default"},
		{"the default allows the harmless", []Written{written("p", "*", allow)}, llm, "allow p/default"},
		{"a rule keeps the harmless free", []Written{written("p", "*", deny, on("r", allow, llm))}, llm, "allow p/r"},
		{"the default asks beside the gate", []Written{written("p", "*", ask)}, pay, "require_approval p/default"},
		{"the default denies beside the gate", []Written{written("p", "*", deny)}, pay, "deny p/default"},

		{"deny over require_approval over allow", []Written{written("p", "*", allow, on("a", allow, pay), on("b", ask, pay), on("c", deny, pay))}, pay, "deny p/c"},
		{"require_approval over allow", []Written{written("p", "*", allow, on("a", allow, pay), on("b", ask, pay))}, pay, "require_approval p/b"},
		{"first of equal rules", []Written{written("p", "*", allow, on("a", deny, pay), on("b", deny, pay))}, pay, "deny p/a"},
		{"a rule before a default", []Written{written("a", "*", deny), written("b", "*", allow, on("r", deny, pay))}, pay, "deny b/r"},
		{"the workflow's own before *", []Written{written("a", "*", allow, on("r", deny, pay)), written("b", "invoices", allow, on("r", deny, pay))}, pay, "deny b/r"},
		{"in order of ids", []Written{written("b", "*", allow, on("r", deny, pay)), written("a", "*", allow, on("r", deny, pay))}, pay, "deny a/r"},
		{"the stricter default of two policies", []Written{written("a", "*", allow, on("r", allow, pay)), written("b", "invoices", ask)}, pay, "require_approval b/default"},

		{"error of an allow is no match", []Written{written("p", "*", ask, on("r", allow, pay).given(broken))}, pay, "require_approval p/default !p/r"},
		{"error of a deny is a match", []Written{written("p", "*", allow, on("r", deny, pay).given(broken))}, pay, "deny p/r !p/r"},
		{"error of a require_approval is a match", []Written{written("p", "*", allow, on("r", ask, pay).given(broken))}, pay, "require_approval p/r !p/r"},
		{"a rule of another kind is not evaluated", []Written{written("p", "*", allow, on("r", deny, mail).given(broken))}, llm, "allow p/default"},

		{"shadow decides nothing", []Written{shadowed(written("p", "*", deny, on("r", deny, llm)))}, llm, "allow /builtin ~deny p/r"},
		{"shadow names nothing", []Written{shadowed(written("p", "*", allow, on("r", allow, pay)))}, pay, "require_approval /builtin ~allow p/r"},
		{"shadow says its default", []Written{shadowed(written("p", "invoices", ask))}, llm, "allow /builtin ~require_approval p/default"},
		{"shadow of another workflow says nothing", []Written{shadowed(written("p", "hr", ask))}, llm, "allow /builtin"},
		{"errors of shadow are recorded", []Written{shadowed(written("p", "*", allow, on("r", deny, llm).given(broken)))}, llm, "allow /builtin !p/r ~deny p/r"},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := sample()
			in.Kind = row.kind
			d := evaluator(t, row.policies...).Evaluate(in)
			if got := summary(d); got != row.want {
				t.Fatalf("got  %s\nwant %s", got, row.want)
			}
			if (d.Approval != nil) != (d.Effect == ask) {
				t.Errorf("effect %s with approval %v", d.Effect, d.Approval)
			}
			if d.Reason == "" {
				t.Error("the decision gives no reason")
			}
			if d.Policy != "" && (d.Version != 1 || d.Digest == "" || d.Author != domain.MemberActor("mb_author")) {
				t.Errorf("the deciding version is not told: %+v", d)
			}
		})
	}
}

func summary(d gate.Decision) string {
	s := fmt.Sprintf("%s %s/%s", d.Effect, d.Policy, d.Rule)
	for _, e := range d.Errors {
		s += fmt.Sprintf(" !%s/%s", e.Policy, e.Rule)
	}
	for _, w := range d.Shadow {
		s += fmt.Sprintf(" ~%s %s/%s", w.Effect, w.Policy, w.Rule)
	}
	return s
}

func TestEvaluateCombinesApprovals(t *testing.T) {
	const pay, other = "payment.initiate", "shell.exec"
	supervisor := []domain.RoleName{domain.RoleOperationsSupervisor}
	escalating := gate.Approval{Roles: []domain.RoleName{"cfo"}, Count: 1, ExpiresIn: "4h",
		Escalate: &gate.Escalation{After: "2h", Roles: []domain.RoleName{"ceo"}}}
	for _, row := range []struct {
		name  string
		kind  domain.ActionKind
		rules []Rule
		rule  domain.RuleID
		want  gate.Approval
	}{
		{"the built-in gate", pay, nil, "builtin", gate.Approval{Roles: supervisor, Count: 1, Risk: "high"}},
		{"a kind that nobody named", other, nil, "builtin", gate.Approval{Roles: supervisor, Count: 1, Risk: "medium"}},
		{"a rule that does not say", pay, []Rule{on("r", ask, pay)}, "r", gate.Approval{Roles: supervisor, Count: 1}},
		{"as the rule says", pay, []Rule{on("r", ask, pay).approvedBy(escalating)}, "r", escalating},
		{"the larger count", pay, []Rule{on("a", ask, pay).approvedBy(by(1, "x")), on("b", ask, pay).approvedBy(by(2, "y"))}, "b", by(2, "y")},
		{"then separation of duties", pay, []Rule{on("a", ask, pay).approvedBy(by(1, "x")),
			on("b", ask, pay).approvedBy(gate.Approval{Roles: []domain.RoleName{"y"}, Count: 1, SeparationOfDuties: true})}, "b",
			gate.Approval{Roles: []domain.RoleName{"y"}, Count: 1, SeparationOfDuties: true}},
		{"then the shorter expiry", pay, []Rule{on("a", ask, pay).approvedBy(by(1, "x")),
			on("b", ask, pay).approvedBy(gate.Approval{Roles: []domain.RoleName{"y"}, Count: 1, ExpiresIn: "1h"})}, "b",
			gate.Approval{Roles: []domain.RoleName{"y"}, Count: 1, ExpiresIn: "1h"}},
		{"tightened by the others", pay, []Rule{on("a", ask, pay).approvedBy(by(2, "x")),
			on("b", ask, pay).approvedBy(gate.Approval{Roles: []domain.RoleName{"y"}, Count: 1, ExpiresIn: "1h", SeparationOfDuties: true})}, "a",
			gate.Approval{Roles: []domain.RoleName{"x"}, Count: 2, ExpiresIn: "1h", SeparationOfDuties: true}},
		{"the higher risk", pay, []Rule{on("a", ask, pay).approvedBy(gate.Approval{Count: 2, Risk: "low"}), on("b", ask, pay).approvedBy(gate.Approval{Count: 1, Risk: "critical"})},
			"a", gate.Approval{Count: 2, Risk: "critical"}},
		{"low only if all say so", pay, []Rule{on("a", ask, pay).approvedBy(gate.Approval{Count: 2, Risk: "low"}), on("b", ask, pay).approvedBy(by(1, "x"))},
			"a", gate.Approval{Count: 2}},
		{"an allow does not tighten", pay, []Rule{on("a", ask, pay).approvedBy(by(1, "x")), on("b", allow, pay)}, "a", by(1, "x")},
		{"no escalation after the end", pay, []Rule{on("a", ask, pay).approvedBy(gate.Approval{Count: 2, ExpiresIn: "4h", Escalate: &gate.Escalation{After: "2h"}}),
			on("b", ask, pay).approvedBy(gate.Approval{Count: 1, ExpiresIn: "1h"})}, "a", gate.Approval{Count: 2, ExpiresIn: "1h"}},
		{"a star makes the gate stricter, with its roles", pay, []Rule{on("r", ask, "*").approvedBy(gate.Approval{Roles: []domain.RoleName{"cfo"}, Count: 2, ExpiresIn: "4h",
			Escalate: &gate.Escalation{After: "2h"}})}, "r", gate.Approval{Roles: supervisor, Count: 2, ExpiresIn: "4h", Risk: "high"}},
		{"a star can't hand the gate to others", pay, []Rule{on("r", ask, "*").approvedBy(by(1, "friend"))}, "r", gate.Approval{Roles: supervisor, Count: 1, Risk: "high"}},
		{"a star can't call the gate low", pay, []Rule{on("r", ask, "*").approvedBy(gate.Approval{Count: 2, Risk: "low"})}, "r", gate.Approval{Roles: supervisor, Count: 2, Risk: "high"}},
		{"a star says who approves an unknown kind", other, []Rule{on("r", ask, "*").approvedBy(by(1, "cfo"))}, "r", by(1, "cfo")},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := sample()
			in.Kind = row.kind
			d := evaluator(t, written("p", "*", allow, row.rules...)).Evaluate(in)
			if d.Effect != ask || d.Rule != row.rule {
				t.Fatalf("got %s", summary(d))
			}
			if diff := cmp.Diff(&row.want, d.Approval, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("approval (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecisionsShareNothing(t *testing.T) {
	e := evaluator(t, written("p", "*", allow, on("r", ask, "payment.initiate").approvedBy(
		gate.Approval{Roles: []domain.RoleName{"cfo"}, Count: 1, Escalate: &gate.Escalation{After: "1h", Roles: []domain.RoleName{"ceo"}}})))
	d := e.Evaluate(sample())
	d.Approval.Roles[0], d.Approval.Escalate.Roles[0], d.Approval.Escalate.After = "thief", "thief", "1m"
	again := e.Evaluate(sample())
	if again.Approval.Roles[0] != "cfo" || again.Approval.Escalate.Roles[0] != "ceo" || again.Approval.Escalate.After != "1h" {
		t.Fatalf("changing one decision changed the next: %+v", again.Approval)
	}
}

func TestErrorsAreBounded(t *testing.T) {
	var rules []Rule
	for i := range MaxRules {
		rules = append(rules, on(domain.RuleID(fmt.Sprintf("r%d", i)), allow, "*").given("context.none == 1"))
	}
	if d := evaluator(t, written("p", "*", deny, rules...)).Evaluate(sample()); len(d.Errors) != maxErrors || d.Effect != deny {
		t.Fatalf("%d errors, effect %s", len(d.Errors), d.Effect)
	}
}

func TestZeroEvaluator(t *testing.T) {
	in := sample()
	in.Kind = "llm.call"
	if d := new(Evaluator).Evaluate(in); d.Effect != allow {
		t.Fatalf("got %s", summary(d))
	}
}

func TestEvaluatePolicy(t *testing.T) {
	e := evaluator(t,
		written("own", "invoices", allow, on("r", ask, "payment.initiate").given("action.params.amount > 100")),
		written("strict", "*", deny),
		shadowed(written("trial", "*", allow, on("r", deny, "*").given("context.none == 1"))),
		written("hr", "hr", allow))
	for _, row := range []struct {
		policy domain.PolicyID
		want   string
	}{
		{"own", "require_approval own/r"},
		{"strict", "deny strict/default"},
		{"trial", "deny trial/r !trial/r"},
	} {
		d, err := e.EvaluatePolicy(row.policy, sample())
		if err != nil || summary(d) != row.want {
			t.Errorf("%s: got %s, %v; want %s", row.policy, summary(d), err, row.want)
		}
	}
	for policy, code := range map[domain.PolicyID]string{"none": "policy_unknown", "hr": "workflow_mismatch"} {
		_, err := e.EvaluatePolicy(policy, sample())
		if refusal, ok := err.(*domain.Error); !ok || refusal.Code != code {
			t.Errorf("%s: got %v; want %s", policy, err, code)
		}
	}
}

func TestOnlyTheCurrentVersionSpeaks(t *testing.T) {
	old, fresh := written("p", "*", deny), written("p", "*", allow)
	fresh.Version = 2
	in := sample()
	in.Kind = "llm.call"
	if d := evaluator(t, old, fresh).Evaluate(in); d.Effect != allow || d.Version != 2 {
		t.Fatalf("got %s of version %d", summary(d), d.Version)
	}
}

func TestCompileRefusesWhatNoLongerCompiles(t *testing.T) {
	s := State{}.Evolve(written("p", "*", allow, on("r", deny, "*").given("no such thing")))
	if _, err := Compile(s); err == nil {
		t.Fatal("compiled a condition that is none")
	}
}

func TestCacheReusesAndForgets(t *testing.T) {
	var c Cache
	compile := func(when string) *condition {
		t.Helper()
		got, err := c.condition(when)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := compile("1 < 2")
	if compile("1 < 2") != first {
		t.Fatal("compiled one condition twice")
	}
	crowd := func() {
		c.young = map[string]*condition{}
		for i := range generation {
			c.young[fmt.Sprint(i)] = first
		}
	}
	c.old, c.young = c.young, nil
	crowd()
	if c.old["1 < 2"] = first; compile("1 < 2") != first {
		t.Fatal("forgot a condition of the old generation")
	}
	crowd()
	compile("2 < 3")
	crowd()
	compile("3 < 4")
	if compile("1 < 2") == first {
		t.Fatal("never forgets")
	}
	if len(c.young)+len(c.old) > 2*generation {
		t.Fatalf("holds %d conditions", len(c.young)+len(c.old))
	}
}

func TestEvaluateConcurrently(t *testing.T) {
	var c Cache
	s := State{}.Evolve(written("p", "*", allow, on("r", deny, "*").given(`action.params.tags.exists(t, t == "b")`)))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			e, err := c.Compile(s)
			if err != nil {
				t.Error(err)
				return
			}
			for range 100 {
				if d := e.Evaluate(sample()); d.Effect != deny || len(d.Errors) > 0 {
					t.Errorf("got %s", summary(d))
					return
				}
			}
		})
	}
	group.Wait()
}
