package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/cel-go/common/types"

	"github.com/clawoffice/ledger/domain"
)

func lang(t testing.TB) language {
	t.Helper()
	l, err := newLanguage()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func sample() Input {
	return Input{
		Workflow: "invoices", Kind: "payment.initiate",
		Params:  []byte(`{"amount":250,"to":"DE89","tags":["a","b"],"nested":{"deep":1.5},"flag":true}`),
		Actor:   domain.AgentActor("ag_1"),
		Roles:   []domain.RoleName{"agent", "payer"},
		Context: []byte(`{"ticket":"T-1"}`),
		Now:     time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC),
	}
}

func TestConditionsSee(t *testing.T) {
	l := lang(t)
	for _, row := range []struct {
		when string
		want bool
	}{
		{`action.kind == "payment.initiate"`, true},
		{`action.params.amount > 100`, true},
		{`action.params.amount > 100.5`, true},
		{`action.params.amount == 250`, true},
		{`action.params["amount"] <= 249`, false},
		{`action.params.amount * 2.0 == 500.0`, true},
		{`action.params.nested.deep < 2`, true},
		{`action.params.flag == true`, true},
		{`has(action.params.amount) && !has(action.params.missing)`, true},
		{`"amount" in action.params`, true},
		{`size(action.params.tags) == 2 && "b" in action.params.tags`, true},
		{`action.params.tags.exists(t, t == "a")`, true},
		{`action.params.to.matches("^DE[0-9]+$")`, true},
		{`action.params.to.matches("^[A-Z]{2}[0-9]{2}$")`, true},
		{`matches(action.params.to, "^FR")`, false},
		{`actor.kind == "agent" && actor.id == "ag_1"`, true},
		{`"payer" in actor.roles`, true},
		{`"owner" in actor.roles`, false},
		{`workflow == "invoices"`, true},
		{`context.ticket.startsWith("T-")`, true},
		{`now < timestamp("2026-03-05T00:00:00Z")`, true},
		{`now.getHours() == 10 && now.getDayOfWeek() == 3`, true},
		{`now - timestamp("2026-03-04T10:00:00Z") == duration("30m")`, true},
		{`action.params != context && action.params == {"flag": true, "to": "DE89", "amount": 250, "tags": ["a", "b"], "nested": {"deep": 1.5}}`, true},
		{`action.params.to in ["FR", "DE89"] && !("DE" in ["DE89"]) && !("b" in action.params)`, true},
		{`action.params.tags.exists(t, t in ["b", "c"]) && action.params.amount in [1, 250]`, true},
		{`action.params.tags != ["a"] && action.params.tags != ["b", "a"] && action.params.nested != {"deep": 2}`, true},
		{`null == null && !(action.params.to == null)`, true},
		{`int(action.params.amount) == 250 && double("1.5") == action.params.nested.deep && bool("true")`, true},
		{`now.getHours("Europe/Berlin") == 11 && now.getHours() == 10`, true},
		{`context["ticket"] == "T-1" && action.params.tags.all(t, !(t in context))`, true},
		{`action.params.missing == 1 || action.kind == "payment.initiate"`, true},
	} {
		t.Run(row.when, func(t *testing.T) {
			c, err := l.compile(row.when)
			if err != nil {
				t.Fatal(err)
			}
			in := sample()
			got, trouble := c.holds(&facts{in: &in})
			if trouble != "" || got != row.want {
				t.Fatalf("got %v, %q; want %v", got, trouble, row.want)
			}
		})
	}
}

func TestConditionsRefused(t *testing.T) {
	l := lang(t)
	for _, row := range []struct {
		name, when   string
		line, column int
	}{
		{"syntax", "action.kind ==", 1, 15},
		{"second line", "action.kind == 'x' &&\n  nobody == 'y'", 2, 3},
		{"misspelt member", "action.knd == 'x'", 1, 1},
		{"misspelt actor", "actor.name == 'x'", 1, 1},
		{"wrong type", "workflow > 3", 1, 10},
		{"not bool", "action.params", 1, 1},
		{"not known to be bool", "action.params.flag", 1, 1},
		{"bad pattern", `workflow.matches("(")`, 1, 18},
		{"pattern that is no literal", `"a".matches(workflow)`, 1, 13},
		{"pattern that is no literal, in a function", `matches("a", workflow)`, 1, 14},
		{"large pattern", `workflow.matches("((a{1,30}){1,30}){1,30}")`, 1, 18},
		{"bad duration", `duration("soon") < duration("1h")`, 1, 10},
		{"key computed in a comprehension within another", "[1].all(a, [1].all(b, context[action.params.k] == a))", 1, 44},
		{"map made so", "[1].all(a, [1].all(b, {action.params.k: a} == context))", 1, 37},
		{"three comprehensions deep", "[1].all(a, [1].all(b, [1].all(c, a == b && b == c)))", 1, 30},
		{"too long", "workflow == '" + strings.Repeat("x", MaxCondition) + "'", 1, 1},
		{"empty", " ", 1, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := l.compile(row.when)
			var f *faulty
			if !errors.As(err, &f) {
				t.Fatalf("compile answered %v; want a faulty condition", err)
			}
			if f.line != row.line || f.column != row.column || f.message == "" {
				t.Fatalf("got %v; want line %d, column %d", f, row.line, row.column)
			}
		})
	}
}

func TestConditionsBoundedInDepthAndSize(t *testing.T) {
	l := lang(t)
	for name, when := range map[string]string{
		"parentheses": strings.Repeat("(", 2000) + "true" + strings.Repeat(")", 2000),
		"terms":       "true" + strings.Repeat("||true", 600),
		"lists":       strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + " == []",
	} {
		t.Run(name, func(t *testing.T) {
			var f *faulty
			if _, err := l.compile(when); !errors.As(err, &f) {
				t.Fatalf("compile answered %v; want a faulty condition", err)
			}
		})
	}
}

func TestConditionsErrWithoutContent(t *testing.T) {
	const secret = "hunter2"
	l := lang(t)
	for _, row := range []struct{ name, when, params, want string }{
		{"missing member", `action.params.amount > 1`, `{}`, "missing"},
		{"missing member named by content", `context[action.params.s] == 1`, `{"s":"hunter2"}`, "missing"},
		{"types", `action.params.s > 1`, `{"s":"hunter2"}`, "types"},
		{"double with int", `action.params.n * 2 > 1`, `{"n":1}`, "2.0"},
		{"not a number", `int(action.params.s) > 1`, `{"s":"hunter2"}`, "can't be evaluated"},
		{"not a time", `timestamp(action.params.s) < now`, `{"s":"hunter2"}`, "can't be evaluated"},
		{"index", `action.params.l[5] == 1`, `{"l":["hunter2"]}`, "index"},
		{"division", `1 / int(action.params.n) == 1`, `{"n":0}`, "division"},
		{"params of another shape", `action.params.amount > 1`, `["hunter2"]`, "not a JSON object"},
		{"params that are no JSON", `action.params.amount > 1`, `{"hunter2`, "not a JSON object"},
		{"cost", `action.params.l.all(a, action.params.l.all(b, a == b))`, `{"l":[` + strings.Repeat("1,", 999) + `1]}`, "cost more than"},
		{"long text", `action.params.s.matches("a")`, `{"s":"hunter2` + strings.Repeat("x", maxMatched) + `"}`, "too long"},
		{"long text in a function", `matches(action.params.s, "a")`, `{"s":"hunter2` + strings.Repeat("x", maxMatched) + `"}`, "too long"},
		{"matching a number", `action.params.n.matches("a")`, `{"n":1}`, "types"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := l.compile(row.when)
			if err != nil {
				t.Fatal(err)
			}
			in := sample()
			in.Params = []byte(row.params)
			held, trouble := c.holds(&facts{in: &in})
			if held || trouble == "" {
				t.Fatalf("got %v, %q; want trouble", held, trouble)
			}
			if !strings.Contains(trouble, row.want) {
				t.Errorf("trouble %q does not say %q", trouble, row.want)
			}
			if strings.Contains(trouble, secret) {
				t.Errorf("trouble %q quotes content", trouble)
			}
		})
	}
}

func TestFactsReadOnce(t *testing.T) {
	in := sample()
	f := &facts{in: &in}
	l := lang(t)
	for i := range 3 {
		c, err := l.compile(fmt.Sprintf("action.params.amount > %d", i))
		if err != nil {
			t.Fatal(err)
		}
		c.holds(f)
		if i == 0 {
			in.Params = []byte(`not read again`)
		}
	}
	if held, trouble := (*condition)(nil).holds(f); !held || trouble != "" {
		t.Fatal("no condition must always hold")
	}
	if got, ok := f.params.(*ordered); !ok || got.Get(types.String("amount")) != types.Double(250) {
		t.Fatalf("params are %v", f.params)
	}
}

func TestFactsUnread(t *testing.T) {
	in := sample()
	f := &facts{in: &in}
	c, err := lang(t).compile(`workflow == "invoices"`)
	if err != nil {
		t.Fatal(err)
	}
	c.holds(f)
	if f.params != nil || f.context != nil {
		t.Fatal("params and context were read, and nobody asked")
	}
}

func FuzzCondition(f *testing.F) {
	for _, seed := range []string{`action.params.amount > 1`, `[1].all(x, x == 1)`, `has(context.a)`, `"a".matches(workflow)`, `(((`, "\x00"} {
		f.Add(seed, `{"amount":1}`)
	}
	l := lang(f)
	f.Fuzz(func(t *testing.T, when, params string) {
		c, err := l.compile(when)
		if err != nil {
			var bad *faulty
			if !errors.As(err, &bad) || bad.line < 1 || bad.column < 1 {
				t.Fatalf("compile answered %v", err)
			}
			return
		}
		in := sample()
		in.Params = []byte(params)
		c.holds(&facts{in: &in})
	})
}
