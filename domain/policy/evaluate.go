package policy

import (
	"slices"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// The names of what is not a written rule.
const (
	ruleDefault domain.RuleID = "default"
	ruleBuiltin domain.RuleID = "builtin"
)

// maxErrors bounds the errors recorded with a decision; all of them count.
const maxErrors = 100

// Evaluator answers what a workspace's policies say. It never changes and is
// safe for concurrent use. The zero Evaluator has no policies.
type Evaluator struct {
	policies map[domain.PolicyID]*compiled
	plans    map[domain.Workflow]*plan
	others   *plan // for workflows that no policy names
}

// weight orders statements of the same effect: which one is cited.
type weight int

const (
	byRule weight = iota
	byDefault
	byBuiltin
)

// statement is what one rule, default or built-in gate can say of an action.
type statement struct {
	effect   gate.Effect
	policy   *compiled // nil for a built-in gate
	rule     domain.RuleID
	weight   weight
	reason   string
	approval *gate.Approval // never nil with require_approval
}

// said is a statement that was made; errored, because its condition could not
// be evaluated.
type said struct {
	*statement
	errored bool
}

// Evaluate answers the decision on an action: see the package comment. Its Of
// is shared; read it.
func (e *Evaluator) Evaluate(in Input) gate.Decision {
	p := e.plan(in.Workflow)
	if p == nil {
		all, gated := builtin(nil, in.Kind, false)
		return decision(all, gated)
	}
	return p.evaluate(in)
}

func (p *plan) evaluate(in Input) gate.Decision {
	var room [8]said
	all := room[:0]
	var errs []gate.RuleError
	f := &facts{in: &in}
	for _, policy := range p.enforcing {
		all = policy.say(f, all, &errs)
	}
	all, gated := builtin(all, in.Kind, p.named[in.Kind])
	d := decision(all, gated)
	for _, policy := range p.shadows {
		would := strictest(policy.say(f, nil, &errs))
		d.Shadow = append(d.Shadow, gate.Shadowed{Policy: policy.id, Version: policy.version, Rule: would.rule, Effect: would.effect})
	}
	d.Of, d.Errors = p.of, errs
	return d
}

// EvaluatePolicy answers what one policy alone says of an action, in whatever
// mode it is and without the built-in gates: a dry run.
func (e *Evaluator) EvaluatePolicy(id domain.PolicyID, in Input) (gate.Decision, error) {
	policy, ok := e.policies[id]
	if !ok {
		return gate.Decision{}, domain.Refuse(domain.NotFound, "policy_unknown", "there is no such policy in this workspace")
	}
	if policy.workflow != "*" && policy.workflow != in.Workflow {
		return gate.Decision{}, domain.Refuse(domain.Invalid, "workflow_mismatch",
			"policy %s is for workflow %s and says nothing of others; try it with that one", id, policy.workflow)
	}
	var errs []gate.RuleError
	d := decision(policy.say(&facts{in: &in}, nil, &errs), false)
	d.Of, d.Errors = []gate.PolicyRef{{Policy: policy.id, Version: policy.version}}, errs
	return d, nil
}

// plan answers the policies that concern a workflow, nil for none.
func (e *Evaluator) plan(workflow domain.Workflow) *plan {
	if p := e.plans[workflow]; p != nil {
		return p
	}
	return e.others
}

// say appends what the policy says: its matching rules, or its default.
func (p *compiled) say(f *facts, all []said, errs *[]gate.RuleError) []said {
	before := len(all)
	concerned, ok := p.byKind[f.in.Kind]
	if !ok {
		concerned = p.stars
	}
	for _, i := range concerned {
		r := &p.rules[i]
		held, trouble := r.when.holds(f)
		if trouble != "" {
			held = r.says.effect != gate.Allow
			if len(*errs) < maxErrors {
				*errs = append(*errs, gate.RuleError{Policy: p.id, Rule: r.says.rule, Detail: trouble})
			}
		}
		if held {
			all = append(all, said{&r.says, trouble != ""})
		}
	}
	if len(all) == before {
		all = append(all, said{&p.fallback, false})
	}
	return all
}

// The built-in gates. They are only read.
var (
	harmless = statement{effect: gate.Allow, rule: ruleBuiltin, weight: byBuiltin,
		reason: "This kind of action is harmless and no policy says otherwise."}
	supervised = statement{effect: gate.RequireApproval, rule: ruleBuiltin, weight: byBuiltin, approval: risky("high"),
		reason: "This kind of action has effects outside, and no rule names it, so a supervisor must approve."}
	unheardOf = statement{effect: gate.RequireApproval, rule: ruleBuiltin, weight: byBuiltin, approval: risky("medium"),
		reason: "No policy names this kind of action, so a supervisor must approve; name it in a rule to decide otherwise."}
)

// builtin appends what the built-in gates say; gated reports whether it was
// one of those that keep their approver.
func builtin(all []said, kind domain.ActionKind, named bool) (_ []said, gated bool) {
	if named {
		return all, false
	}
	switch kind {
	case "llm.call", "tool.read":
		return append(all, said{&harmless, false}), false
	case "communication.send", "payment.initiate", "table.update":
		return append(all, said{&supervised, false}), true
	}
	if slices.ContainsFunc(all, func(s said) bool { return s.effect != gate.Allow }) {
		return all, false
	}
	return append(all, said{&unheardOf, false}), false
}
