package policy

import (
	"fmt"
	"slices"
	"sync"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// Cache keeps compiled conditions, by their text, for the next Compile. The
// zero Cache is ready; it is safe for concurrent use, and one may serve all
// workspaces. It holds at most 8,192 conditions and forgets old ones.
type Cache struct {
	mu         sync.Mutex
	language   language
	young, old map[string]*condition
}

const generation = 4096 // conditions before the young become the old

// Compile makes the evaluator of a workspace's policies. It fails only when a
// stored condition no longer compiles, and then no action may be allowed.
func Compile(s State) (*Evaluator, error) { return new(Cache).Compile(s) }

// Compile is the function Compile, reusing conditions compiled before.
func (c *Cache) Compile(s State) (*Evaluator, error) {
	e := &Evaluator{policies: map[domain.PolicyID]*compiled{}, plans: map[domain.Workflow]*plan{}}
	var all []*compiled
	for id := range s.Policies.All() {
		written, ok := s.Policy(id)
		if !ok {
			continue
		}
		p, err := c.compilePolicy(written)
		if err != nil {
			return nil, err
		}
		e.policies[id] = p
		all = append(all, p)
	}
	if len(all) == 0 {
		return e, nil
	}
	e.others = newPlan("*", all)
	for _, p := range all {
		if e.plans[p.workflow] == nil {
			e.plans[p.workflow] = newPlan(p.workflow, all)
		}
	}
	return e, nil
}

// compiled is one version of a policy, ready to evaluate.
type compiled struct {
	id       domain.PolicyID
	version  int
	digest   domain.Digest
	author   domain.Actor
	workflow domain.Workflow
	mode     Mode
	fallback statement
	rules    []rule
	byKind   map[domain.ActionKind][]int // rules that concern a kind some rule names, in order
	stars    []int                       // rules that concern all kinds, in order
}

// rule is a compiled rule.
type rule struct {
	when *condition
	says statement
}

func (c *Cache) compilePolicy(w Written) (*compiled, error) {
	p := &compiled{id: w.ID, version: w.Version, digest: w.Digest, author: w.By,
		workflow: w.Policy.Workflow, mode: w.Policy.Mode, byKind: map[domain.ActionKind][]int{}}
	p.fallback = statement{effect: w.Policy.Default, policy: p, rule: ruleDefault, weight: byDefault,
		reason: "No rule of policy " + string(w.ID) + " matched, so its default applies.", approval: standard()}
	for i, r := range w.Policy.Rules {
		when, err := c.condition(r.When)
		if err != nil {
			return nil, fmt.Errorf("compiling policy %s, version %d, rule %s: %w", w.ID, w.Version, r.ID, err)
		}
		p.rules = append(p.rules, rule{when, p.statementOf(r)})
		if slices.Contains(r.Actions, "*") {
			p.stars = append(p.stars, i)
		}
		for _, kind := range r.Actions {
			p.byKind[kind] = nil
		}
	}
	delete(p.byKind, "*")
	for kind := range p.byKind {
		for i, r := range w.Policy.Rules {
			if slices.Contains(r.Actions, kind) || slices.Contains(r.Actions, "*") {
				p.byKind[kind] = append(p.byKind[kind], i)
			}
		}
	}
	return p, nil
}

func (p *compiled) statementOf(r Rule) statement {
	says := statement{effect: r.Effect, policy: p, rule: r.ID, weight: byRule, reason: r.Reason, approval: standard()}
	if r.Approval != nil {
		says.approval = r.Approval
	}
	if says.reason == "" {
		says.reason = "Rule " + string(r.ID) + " of policy " + string(p.id) + " applies."
	}
	return says
}

// condition answers the compiled expression, nil for none.
func (c *Cache) condition(expression string) (*condition, error) {
	if expression == "" {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if compiled, ok := c.young[expression]; ok {
		return compiled, nil
	}
	fresh, ok := c.old[expression]
	if !ok {
		var err error
		if fresh, err = c.compileLocked(expression); err != nil {
			return nil, err
		}
	}
	if c.young == nil || len(c.young) >= generation {
		c.old, c.young = c.young, map[string]*condition{}
	}
	c.young[expression] = fresh
	return fresh, nil
}

func (c *Cache) compileLocked(expression string) (*condition, error) {
	if c.language.env == nil {
		language, err := newLanguage()
		if err != nil {
			return nil, err
		}
		c.language = language
	}
	return c.language.compile(expression)
}

// plan is the policies that concern one workflow.
type plan struct {
	enforcing []*compiled // the workflow's own first, then those of "*"
	shadows   []*compiled
	named     map[domain.ActionKind]bool // kinds that an enforcing rule names
	of        []gate.PolicyRef           // all of them, as they are asked; shared by all decisions
}

func newPlan(workflow domain.Workflow, all []*compiled) *plan {
	var asked []*compiled
	for _, c := range all {
		if c.workflow == workflow && workflow != "*" {
			asked = append(asked, c)
		}
	}
	for _, c := range all {
		if c.workflow == "*" {
			asked = append(asked, c)
		}
	}
	return planOf(asked)
}

// planOf makes the plan of these policies. Those in force are asked before
// those in shadow mode, and both in this order.
func planOf(asked []*compiled) *plan {
	p := &plan{named: map[domain.ActionKind]bool{}}
	for _, c := range asked {
		if c.mode == Shadow {
			p.shadows = append(p.shadows, c)
			continue
		}
		p.enforcing = append(p.enforcing, c)
		for kind := range c.byKind {
			p.named[kind] = true
		}
	}
	for _, c := range slices.Concat(p.enforcing, p.shadows) {
		p.of = append(p.of, gate.PolicyRef{Policy: c.id, Version: c.version})
	}
	p.of = slices.Clip(p.of)
	return p
}

// standard is the approval asked for where nobody says which: one
// operations_supervisor, within the default time.
func standard() *gate.Approval {
	return &gate.Approval{Roles: []domain.RoleName{domain.RoleOperationsSupervisor}, Count: 1}
}

// risky is the standard approval of an action of that risk.
func risky(risk string) *gate.Approval {
	a := standard()
	a.Risk = risk
	return a
}
