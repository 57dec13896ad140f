package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// workload does whatever comes up, at random: requests of all sorts, starts,
// further actions, votes, and policies and roles that change in between.
type workload struct {
	*world
	random  *rand.Rand
	bot     domain.Actor
	n       int
	waiting []Requested // authorized or awaiting
	actions map[domain.ActionID]Action
	owners  map[domain.ExecutionID]domain.Actor
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func (l *workload) key() string { l.n++; return fmt.Sprint("key ", l.n) }

func (l *workload) action() Action {
	return Action{Kind: pick[domain.ActionKind](l.random, "payment.initiate", "llm.call", "shell.exec"),
		Params: json.RawMessage(pick(l.random, `{}`, `{ "amount": 5,"to":"<DE>" }`, `{"amount":250,"tags":{"b":1,"a":2,"c":3}}`, `{"amount":"many"}`))}
}

func (l *workload) claim() json.RawMessage {
	return json.RawMessage(pick(l.random, ``, `{}`, `{"ticket":"T-1", "urgent":true}`, `{"a":1,"b":"x","c":null}`))
}

func (l *workload) writePolicy() {
	conditions := []string{"", `action.params.amount > 100`, `"payer" in actor.roles`, `context.urgent == true`, `action.params.tags.map(k, k)[0] == "a"`,
		`context.all(k, context[k] != null)`, `now.getMinutes() % 2 == 0`, `actor.kind == "member"`}
	p := policy.Policy{Workflow: pick[domain.Workflow](l.random, "*", "invoices", "hr"), Mode: pick(l.random, policy.Enforce, policy.Enforce, policy.Shadow),
		Default: pick(l.random, gate.Allow, gate.Allow, gate.RequireApproval)}
	for i := range l.random.IntN(4) {
		p.Rules = append(p.Rules, policy.Rule{ID: domain.RuleID(fmt.Sprint("r", i)), Effect: pick(l.random, gate.Allow, gate.Allow, gate.RequireApproval, gate.Deny),
			Actions: []domain.ActionKind{pick[domain.ActionKind](l.random, "*", "payment.initiate", "llm.call", "shell.exec")}, When: pick(l.random, conditions...)})
	}
	_, _, err := l.s.WritePolicy(context.Background(), l.call(l.owner, l.key()), domain.PolicyID(fmt.Sprint("p", l.random.IntN(5))), p, nil)
	l.must(err)
}

func (l *workload) setRoles() {
	roles := pick(l.random, []domain.RoleName{domain.RoleAgent}, []domain.RoleName{domain.RoleAgent, "payer"}, []domain.RoleName{})
	_, err := l.s.SetRoles(context.Background(), l.call(l.owner, l.key()), pick(l.random, l.agent, l.bot), roles, nil, nil)
	l.must(err)
}

func (l *workload) requestSomething() {
	who, in := pick(l.random, l.agent, l.bot, l.owner), l.action()
	workflow := domain.Workflow("invoices")
	if who != l.agent {
		workflow = pick[domain.Workflow](l.random, "invoices", "hr", "other")
	}
	out, err := l.s.RequestExecution(context.Background(), l.call(who, l.key()), RequestExecution{Workflow: workflow, Action: in, Context: l.claim()})
	l.must(err)
	l.owners[out.Execution] = who
	l.note(out, in)
}

func (l *workload) note(out Requested, in Action) {
	l.actions[out.Action] = in
	if out.Status != execution.StatusDenied {
		l.waiting = append(l.waiting, out)
	}
}

// goOn votes, starts, and asks for further actions of what waits. Refusals are
// part of it.
func (l *workload) goOn() {
	if len(l.waiting) == 0 {
		return
	}
	ctx, i := context.Background(), l.random.IntN(len(l.waiting))
	out := l.waiting[i]
	l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
	if out.Approval != "" {
		_, _, _ = l.s.Decide(ctx, l.call(l.supervisor, l.key()), out.Approval, pick(l.random, approval.Approve, approval.Approve, approval.Deny), "why", out.Digest, "")
	}
	who := l.owners[out.Execution]
	state, err := l.s.Execution(ctx, "acme", out.Execution)
	l.must(err)
	permit := l.s.Permit("acme", state, out.Action, who)
	if permit == "" {
		return
	}
	in := l.actions[out.Action]
	in.Params = json.RawMessage(" " + string(in.Params)) // spelled otherwise than when it was asked for
	if _, _, err := l.s.Start(ctx, l.call(who, l.key()), out.Execution, out.Action, permit, in); err != nil {
		return
	}
	for range l.random.IntN(3) {
		in := l.action()
		further, err := l.s.RequestAction(ctx, l.call(who, l.key()), out.Execution, in, l.claim())
		l.must(err)
		l.note(further, in)
	}
}

func (l *workload) run(steps int) {
	for range steps {
		switch n := l.random.IntN(10); {
		case n == 0:
			l.writePolicy()
		case n == 1:
			l.setRoles()
		case n < 6:
			l.requestSomething()
		default:
			l.goOn()
		}
		l.clock = l.clock.Add(time.Duration(l.random.IntN(30)) * time.Second)
	}
}

// past reads the log from its start: the versions of policies, and of each
// execution its events.
func (w *world) past() (versions map[gate.PolicyRef]policy.Written, executions map[string][]execution.Event) {
	w.t.Helper()
	versions, executions = map[gate.PolicyRef]policy.Written{}, map[string][]execution.Event{}
	streams := map[string]bool{}
	for r, err := range w.f.Log.Read(context.Background(), eventlog.Query{}) {
		w.must(err)
		streams[r.Stream] = true
	}
	for stream := range streams {
		for r, err := range w.s.log.ReadStream(context.Background(), stream, ledger.NoTail()) {
			w.must(err)
			if isContent(r.Type) || !strings.HasPrefix(r.Type, "policy.") && !strings.HasPrefix(r.Type, "execution.") {
				continue
			}
			_, data, err := ledger.UnwrapFact(r.Payload)
			w.must(err)
			if r.Type == (policy.Written{}).EventType() {
				e, err := policy.Decode(r.Type, data)
				w.must(err)
				written := e.(policy.Written)
				versions[gate.PolicyRef{Policy: written.ID, Version: written.Version}] = written
				continue
			}
			e, err := execution.Decode(r.Type, data)
			w.must(err)
			executions[stream] = append(executions[stream], e)
		}
	}
	return versions, executions
}

// recorded is a decision of the log with the inputs that the log has for it.
type recorded struct {
	what     string
	decision gate.Decision
	in       policy.Input
}

// decisions lists what was decided about an execution.
func decisions(events []execution.Event) (list []recorded) {
	var of execution.Requested
	asked := map[domain.ActionID]policy.Input{}
	for _, event := range events {
		switch e := event.(type) {
		case execution.Requested:
			of = e
			in := policy.Input{Workflow: e.Workflow, Kind: e.Action.Kind, Params: e.Action.Params, Actor: e.By, Roles: e.Roles, Context: e.Context, Now: e.At}
			asked[e.Action.ID] = in
			list = append(list, recorded{"requested", e.Decision, in})
		case execution.ActionRequested:
			in := policy.Input{Workflow: of.Workflow, Kind: e.Action.Kind, Params: e.Action.Params, Actor: of.By, Roles: e.Roles, Context: e.Context, Now: e.At}
			asked[e.Action.ID] = in
			list = append(list, recorded{"further", e.Decision, in})
		case execution.ActionStarted:
			in := asked[e.Action]
			in.Roles, in.Now = e.Roles, e.At
			list = append(list, recorded{"started", e.Decision, in})
		}
	}
	return list
}

// Every decision in the log can be made again from the log alone, whatever
// the policies and roles have become since.
func TestDecisionsAreMadeAgainFromTheLog(t *testing.T) {
	w := newWorld(t, ledgertest.Engine(t))
	ctx := context.Background()
	_, _, err := w.s.DefineRole(ctx, w.call(w.owner, "role"), "payer", []domain.Permission{domain.ExecutionRequest}, "", nil)
	w.must(err)
	bot, _, err := w.s.RegisterAgent(ctx, w.call(w.owner, "bot"), "bot", []domain.RoleName{domain.RoleAgent}, []domain.Workflow{"*"})
	w.must(err)
	l := &workload{world: w, random: rand.New(rand.NewPCG(5, 6)), bot: domain.AgentActor(bot), actions: map[domain.ActionID]Action{}, owners: map[domain.ExecutionID]domain.Actor{}}
	l.run(500)

	versions, executions := w.past()
	lookup := func(id domain.PolicyID, version int) (policy.Written, bool) {
		v, ok := versions[gate.PolicyRef{Policy: id, Version: version}]
		return v, ok
	}
	var cache policy.Cache
	seen := map[string]int{}
	for stream, events := range executions {
		for _, r := range decisions(events) {
			again, err := cache.Rederive(lookup, r.decision.Of, r.in)
			w.must(err)
			var back gate.Decision // as it would be stored
			w.must(json.Unmarshal([]byte(jsonOf(t, again)), &back))
			if diff := cmp.Diff(r.decision, back); diff != "" {
				t.Fatalf("%s: what was decided when it was %s comes out differently (-recorded +again):\n%s", stream, r.what, diff)
			}
			seen[r.what]++
			seen[string(r.decision.Effect)]++
			if len(r.decision.Errors) > 0 {
				seen["errors"]++
			}
			if len(r.decision.Shadow) > 0 {
				seen["shadows"]++
			}
			if len(r.decision.Of) > 1 {
				seen["several policies"]++
			}
		}
	}
	for _, what := range []string{"requested", "further", "started", "allow", "require_approval", "deny", "errors", "shadows", "several policies"} {
		if seen[what] < 10 {
			t.Errorf("the workload has too little of %q: %v", what, seen)
		}
	}
	t.Log(len(versions), "versions of policies;", seen)
}
