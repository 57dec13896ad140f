package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

const slow = `action.params.s.matches("([ab]{1,60}[ab]{1,60})+c")`

// costly are conditions that take long on the params below, or would without
// a meter.
func costly() map[string]string {
	return map[string]string{
		"regexp":         slow,
		"short regexp":   `action.params.list.all(x, action.params.mid.matches("([ab]{1,20}[ab]{1,20})+c") || true)`,
		"loops":          `action.params.list.all(x, action.params.list.all(y, x < 10 || y < 10))`,
		"documents":      `action.params.list.all(x, action.params.tree == context.tree)`,
		"own documents":  `action.params.list.all(x, [action.params.tree, x] == [context.tree, x])`,
		"in a list":      `action.params.list.all(x, !(action.params.tree in [context.tree, 1]) || true)`,
		"long texts":     `action.params.list.all(x, action.params.long == context.long)`,
		"order":          `action.params.list.all(x, action.params.long <= context.long)`,
		"sizes":          `action.params.list.all(x, action.params.list.all(y, size(action.params.long) > 1))`,
		"numbers":        `action.params.list.all(x, int(action.params.long) == 1 || true)`,
		"durations":      `action.params.list.all(x, duration(action.params.time) > duration("1h"))`,
		"zones":          `action.params.list.all(x, now.getHours(action.params.zone) < 25 || true)`,
		"keys":           `action.params.list.all(x, context[action.params.long] == 1 || true)`,
		"keys in maps":   `action.params.list.all(x, action.params.long in context || true)`,
		"keys of maps":   `action.params.list.all(x, {action.params.long: 1} != {action.params.long: 2})`,
		"texts made":     `action.params.list.all(x, (action.params.long + context.long) != "")`,
		"texts in texts": `action.params.list.all(x, !action.params.long.contains("aaaaaaaaaaaaaaab"))`,
	}
}

func heavy(t testing.TB) Input {
	t.Helper()
	list, tree := make([]int, 1000), make([][]int, 1000)
	for i := range tree {
		list[i], tree[i] = 1, make([]int, 20)
	}
	body := func(members map[string]any) []byte {
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	long := strings.Repeat("a", 300_000)
	in := sample()
	in.Params = body(map[string]any{"s": strings.Repeat("ab", maxMatched/2), "mid": strings.Repeat("ab", 500), "list": list, "tree": tree,
		"long": long, "time": strings.Repeat("1h", 50_000), "zone": "America/Argentina/Buenos_Aires"})
	in.Context = body(map[string]any{"tree": tree, "long": long})
	return in
}

// However many conditions, and whatever they do, a decision takes no more
// steps than it has, and what could not be afforded counts as an error.
func TestDecisionsAreBounded(t *testing.T) {
	in := heavy(t)
	for name, when := range costly() {
		t.Run(name, func(t *testing.T) {
			f := &facts{in: &in}
			e := evaluator(t, crowd(when))
			var errs []gate.RuleError
			said := e.policies["p"].say(f, nil, &errs)
			if f.budget.spent > DecisionSteps || len(errs) != maxErrors || len(said) != MaxRules {
				t.Fatalf("took %d steps, with %d errors and %d rules that spoke", f.budget.spent, len(errs), len(said))
			}
			if last := errs[maxErrors-1]; last.Detail == "" {
				t.Fatal("an error without a reason")
			}
		})
	}
}

func crowd(when string) Written {
	w := written("p", "*", allow)
	for i := range MaxRules {
		w.Policy.Rules = append(w.Policy.Rules, on(domain.RuleID(fmt.Sprint("r", i)), deny, "*").given(fmt.Sprintf("%s && %d >= 0", when, i)))
	}
	return w
}

func TestAnExhaustedDecisionIsStrict(t *testing.T) {
	in := sample()
	in.Params = []byte(`{"s":"` + strings.Repeat("ab", 5000) + `","amount":250}`)
	spent := written("a", "*", allow)
	for i := range 20 {
		spent.Policy.Rules = append(spent.Policy.Rules, on(domain.RuleID(fmt.Sprint("r", i)), allow, "*").given(fmt.Sprintf(`%s || %d < 0`, wide, i)))
	}
	const cheap = `action.params.amount == 1`
	for _, row := range []struct {
		name  string
		other Written
		want  string
	}{
		{"a deny matches", written("b", "*", allow, on("r", deny, "payment.initiate").given(cheap)), "deny b/r"},
		{"a require_approval matches", written("b", "*", allow, on("r", ask, "payment.initiate").given(cheap)), "require_approval b/r"},
		{"an allow does not", written("b", "*", deny, on("r", allow, "payment.initiate").given(`action.params.amount == 250`)), "deny b/default"},
		{"a rule without a condition speaks", written("b", "*", allow, on("r", deny, "payment.initiate")), "deny b/r"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := evaluator(t, spent, row.other).Evaluate(in)
			if got := strings.SplitN(summary(d), " !", 2)[0]; got != row.want {
				t.Fatalf("got %s; want %s", got, row.want)
			}
			if row.other.Policy.Rules[0].When != "" && d.Errors[len(d.Errors)-1].Policy != "b" {
				t.Fatalf("the error is not recorded: %v", d.Errors)
			}
		})
	}
	// One that is cut off leaves the others their share.
	d := evaluator(t, written("a", "*", allow, on("r", allow, "*").given(slow)), written("b", "*", deny, on("r", allow, "payment.initiate").given(`action.params.amount == 250`))).Evaluate(in)
	if d.Effect != allow || len(d.Errors) != 1 {
		t.Fatalf("got %s", summary(d))
	}
}

// wide takes about half a million steps on ten thousand bytes.
const wide = `action.params.s.matches("([ab]{1,12}[ab]{1,12})+c")`

func BenchmarkCostly(b *testing.B) {
	in := heavy(b)
	for name, when := range costly() {
		e := evaluator(b, crowd(when))
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e.Evaluate(in)
			}
		})
	}
}
