package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
)

func five() Written {
	return written("p", "*", ask,
		on("a", allow, "payment.initiate").given(`action.params.amount < 100`),
		on("b", ask, "payment.initiate").given(`action.params.amount >= 100 && action.params.amount < 1000`),
		on("c", deny, "payment.initiate").given(`action.params.to == "XX00"`),
		on("d", deny, "payment.initiate").given(`!("payer" in actor.roles)`),
		on("e", deny, "payment.initiate").given(`workflow == "hr" || actor.kind != "agent"`))
}

func BenchmarkFiveRules(b *testing.B) {
	e := evaluator(b, five())
	in := sample()
	b.ReportAllocs()
	for b.Loop() {
		e.Evaluate(in)
	}
}

func BenchmarkFiveRulesWithComprehension(b *testing.B) {
	w := five()
	w.Policy.Rules = append(w.Policy.Rules, on("f", deny, "*").given(`action.params.tags.exists(t, t == "z")`))
	e := evaluator(b, w)
	in := sample()
	b.ReportAllocs()
	for b.Loop() {
		e.Evaluate(in)
	}
}

func BenchmarkNoPolicies(b *testing.B) {
	e := evaluator(b)
	for _, kind := range []domain.ActionKind{"llm.call", "payment.initiate"} {
		in := sample()
		in.Kind = kind
		b.Run(string(kind), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Evaluate(in)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	s := State{}.Evolve(five())
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			if _, err := Compile(s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cached", func(b *testing.B) {
		var c Cache
		for b.Loop() {
			if _, err := c.Compile(s); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecide200Rules(b *testing.B) {
	w := written("p", "*", allow)
	for i := range MaxRules {
		w.Policy.Rules = append(w.Policy.Rules, on(domain.RuleID(fmt.Sprint("r", i)), deny, "*").given(fmt.Sprint("action.params.amount > ", i)))
	}
	for b.Loop() {
		if _, err := (State{}).Decide(Write{ID: "p", Policy: w.Policy, At: time.Unix(0, 0)}); err != nil {
			b.Fatal(err)
		}
	}
}
