package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
)

var (
	now    = time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC)
	author = domain.MemberActor("mb_author")
)

func good() policy.Policy {
	return policy.Policy{
		Workflow: "invoices", Mode: policy.Enforce, Default: gate.RequireApproval,
		Rules: []policy.Rule{
			{ID: "small", Actions: []domain.ActionKind{"payment.initiate"}, When: "action.params.amount < 100", Effect: gate.Allow},
			{ID: "large", Actions: []domain.ActionKind{"payment.initiate"}, When: "action.params.amount >= 100", Effect: gate.RequireApproval,
				Reason: "Large payments need two.",
				Approval: &gate.Approval{Roles: []domain.RoleName{"cfo"}, Count: 2, ExpiresIn: "4h", SeparationOfDuties: true, Risk: "high",
					Escalate: &gate.Escalation{After: "2h", Roles: []domain.RoleName{"ceo"}}}},
			{ID: "none", Actions: []domain.ActionKind{"*"}, When: "actor.kind != 'agent'", Effect: gate.Deny},
		},
		Sandbox: json.RawMessage(`{"network": "none"}`),
	}
}

func write(change ...func(*policy.Policy)) policy.Write {
	p := good()
	for _, c := range change {
		c(&p)
	}
	return policy.Write{ID: "payments", Policy: p, By: author, At: now}
}

func TestWrite(t *testing.T) {
	first := domaintest.Given[policy.State]().When(write()).Accepted(t)
	w, ok := first.State().Policy("payments")
	if !ok || w.Version != 1 || w.By != author || !w.At.Equal(now) || len(w.Policy.Rules) != 3 {
		t.Fatalf("stored %+v, %v", w, ok)
	}
	if digest, err := good().Digest(); err != nil || w.Digest != digest || len(digest) != 43 {
		t.Fatalf("digest %q, want %q (%v)", w.Digest, digest, err)
	}
	if string(w.Policy.Sandbox) != `{"network":"none"}` {
		t.Errorf("sandbox stored as %s", w.Policy.Sandbox)
	}

	first.When(write()).Then(t)
	same := write(func(p *policy.Policy) { p.Sandbox = json.RawMessage("{ \"network\":\n\"none\" }") })
	first.When(same).Then(t)

	second := first.When(write(func(p *policy.Policy) { p.Default = gate.Deny })).Accepted(t)
	w, _ = second.State().Policy("payments")
	if w.Version != 2 || w.Policy.Default != gate.Deny {
		t.Fatalf("second version is %d with default %s", w.Version, w.Policy.Default)
	}
	if old, ok := second.State().Version("payments", 1); !ok || old.Policy.Default != gate.RequireApproval {
		t.Fatalf("the first version became %+v, %v", old, ok)
	}
	if _, ok := second.State().Version("payments", 3); ok {
		t.Fatal("there is no third version")
	}
	if _, ok := second.State().Policy("other"); ok {
		t.Fatal("there is no other policy")
	}
	// Going back to what was is a new version, not a repeat.
	third := second.When(write()).Accepted(t)
	if w, _ = third.State().Policy("payments"); w.Version != 3 {
		t.Fatalf("third version is %d", w.Version)
	}
}

func TestWriteIfVersion(t *testing.T) {
	at := func(version int) policy.Write {
		c := write(func(p *policy.Policy) { p.Default = gate.Deny })
		c.IfVersion = &version
		return c
	}
	none := domaintest.Given[policy.State]()
	none.When(at(1)).Refused(t, domain.Stale, "version_mismatch")
	one := none.When(at(0)).Accepted(t)
	one.When(at(0)).Refused(t, domain.Stale, "version_mismatch")
	one.When(at(1)).Then(t)
}

func TestWriteRefused(t *testing.T) {
	rule := func(change func(*policy.Rule)) func(*policy.Policy) {
		return func(p *policy.Policy) { change(&p.Rules[1]) }
	}
	approval := func(change func(*gate.Approval)) func(*policy.Policy) {
		return rule(func(r *policy.Rule) { change(r.Approval) })
	}
	many := func(n int) []domain.RoleName {
		return strings2roles(strings.Split(strings.Repeat("r,", n-1)+"r", ","))
	}
	for _, row := range []struct {
		name    string
		change  func(*policy.Policy)
		pointer string
	}{
		{"no workflow", func(p *policy.Policy) { p.Workflow = "" }, "/workflow"},
		{"workflow with spaces", func(p *policy.Policy) { p.Workflow = "a b" }, "/workflow"},
		{"unknown mode", func(p *policy.Policy) { p.Mode = "dream" }, "/mode"},
		{"no default", func(p *policy.Policy) { p.Default = "" }, "/default"},
		{"sandbox no object", func(p *policy.Policy) { p.Sandbox = json.RawMessage(`[1]`) }, "/sandbox"},
		{"sandbox no JSON", func(p *policy.Policy) { p.Sandbox = json.RawMessage(`{"a"`) }, "/sandbox"},
		{"sandbox repeats a member", func(p *policy.Policy) { p.Sandbox = json.RawMessage(`{"a":1,"a":2}`) }, "/sandbox"},
		{"sandbox with a number beyond doubles", func(p *policy.Policy) { p.Sandbox = json.RawMessage(`{"a":1e999}`) }, "/sandbox"},
		{"sandbox too large", func(p *policy.Policy) {
			p.Sandbox = json.RawMessage(`{"a":"` + strings.Repeat("x", policy.MaxSandbox) + `"}`)
		}, "/sandbox"},
		{"too many rules", func(p *policy.Policy) {
			for i := range policy.MaxRules {
				p.Rules = append(p.Rules, policy.Rule{ID: domain.RuleID(fmt.Sprint("r", i)), Actions: p.Rules[0].Actions, Effect: gate.Deny})
			}
		}, "/rules"},
		{"too large", func(p *policy.Policy) {
			long := "workflow == '" + strings.Repeat("x", 4000) + "'"
			for i := range 70 {
				p.Rules = append(p.Rules, policy.Rule{ID: domain.RuleID(fmt.Sprint("r", i)), Actions: p.Rules[0].Actions, Effect: gate.Deny, When: long})
			}
		}, ""},
		{"rule without id", rule(func(r *policy.Rule) { r.ID = "" }), "/rules/1/id"},
		{"rule named default", rule(func(r *policy.Rule) { r.ID = "default" }), "/rules/1/id"},
		{"rule named builtin", rule(func(r *policy.Rule) { r.ID = "builtin" }), "/rules/1/id"},
		{"two rules of one id", rule(func(r *policy.Rule) { r.ID = "small" }), "/rules/1/id"},
		{"no actions", rule(func(r *policy.Rule) { r.Actions = nil }), "/rules/1/actions"},
		{"too many actions", rule(func(r *policy.Rule) { r.Actions = make([]domain.ActionKind, policy.MaxActions+1) }), "/rules/1/actions"},
		{"action with spaces", rule(func(r *policy.Rule) { r.Actions = []domain.ActionKind{"*", "a b"} }), "/rules/1/actions/1"},
		{"unknown effect", rule(func(r *policy.Rule) { r.Effect = "maybe" }), "/rules/1/effect"},
		{"long reason", rule(func(r *policy.Rule) { r.Reason = strings.Repeat("x", 501) }), "/rules/1/reason"},
		{"approval of a denial", rule(func(r *policy.Rule) { r.Effect = gate.Deny }), "/rules/1/approval"},
		{"nobody approves", approval(func(a *gate.Approval) { a.Count = 0 }), "/rules/1/approval/count"},
		{"too many approve", approval(func(a *gate.Approval) { a.Count = 11 }), "/rules/1/approval/count"},
		{"role with spaces", approval(func(a *gate.Approval) { a.Roles = strings2roles([]string{"a b"}) }), "/rules/1/approval/roles"},
		{"too many roles", approval(func(a *gate.Approval) { a.Roles = many(21) }), "/rules/1/approval/roles"},
		{"unknown risk", approval(func(a *gate.Approval) { a.Risk = "some" }), "/rules/1/approval/risk"},
		{"expiry no duration", approval(func(a *gate.Approval) { a.ExpiresIn = "soon" }), "/rules/1/approval/expires_in"},
		{"expiry too short", approval(func(a *gate.Approval) { a.ExpiresIn = "59s" }), "/rules/1/approval/expires_in"},
		{"expiry too long", approval(func(a *gate.Approval) { a.ExpiresIn = "721h" }), "/rules/1/approval/expires_in"},
		{"escalation without a time", approval(func(a *gate.Approval) { a.Escalate.After = "" }), "/rules/1/approval/escalate/after"},
		{"escalation when it is over", approval(func(a *gate.Approval) { a.Escalate.After = "4h" }), "/rules/1/approval/escalate/after"},
		{"escalation to too many roles", approval(func(a *gate.Approval) { a.Escalate.Roles = many(21) }), "/rules/1/approval/escalate/roles"},
	} {
		t.Run(row.name, func(t *testing.T) {
			refusal := domaintest.Given[policy.State]().When(write(row.change)).Refused(t, domain.Invalid, "invalid_policy")
			if refusal.Facts["pointer"] != row.pointer {
				t.Fatalf("points at %v, want %q: %v", refusal.Facts["pointer"], row.pointer, refusal)
			}
		})
	}
}

func strings2roles(names []string) []domain.RoleName {
	var roles []domain.RoleName
	for _, name := range names {
		roles = append(roles, domain.RoleName(name))
	}
	return roles
}

func TestWriteRefusesConditions(t *testing.T) {
	c := write(func(p *policy.Policy) { p.Rules[2].When = "workflow == 'a' &&\n action.knd == 'x'" })
	refusal := domaintest.Given[policy.State]().When(c).Refused(t, domain.Invalid, "invalid_condition")
	want := map[string]any{"pointer": "/rules/2/when", "rule": domain.RuleID("none"), "line": 2, "column": 2}
	if diff := cmp.Diff(want, refusal.Facts); diff != "" {
		t.Fatalf("facts (-want +got):\n%s", diff)
	}
}

func TestWriteRefusesIDs(t *testing.T) {
	c := write()
	c.ID = "a b"
	domaintest.Given[policy.State]().When(c).Refused(t, domain.Invalid, "invalid_id")
}

func TestWriteRefusesTooManyPolicies(t *testing.T) {
	var events []policy.Event
	for i := range policy.MaxPolicies {
		events = append(events, policy.Written{ID: domain.PolicyID(fmt.Sprint("p", i)), Version: 1, Policy: good()})
	}
	full := domaintest.Given[policy.State](events...)
	full.When(write()).Refused(t, domain.Conflict, "too_many_policies")
	again := write()
	again.ID = "p7"
	full.When(again).Accepted(t)
}

func TestUnknownCommand(t *testing.T) {
	domaintest.Given[policy.State]().When(nil).Refused(t, domain.Invalid, "command_unknown")
}

func TestDigestIsOfTheCanonicalForm(t *testing.T) {
	a := policy.Policy{Workflow: "*", Mode: policy.Enforce, Default: gate.Allow, Sandbox: json.RawMessage(`{"b":1.0,"a":"<"}`)}
	b := a
	b.Rules, b.Sandbox = []policy.Rule{}, json.RawMessage(` { "a" : "\u003c", "b" : 1 } `)
	x, errX := a.Digest()
	y, errY := b.Digest()
	if errX != nil || errY != nil || x != y {
		t.Fatalf("digests %q, %q (%v, %v) of the same policy differ", x, y, errX, errY)
	}
	b.Default = gate.Deny
	if z, _ := b.Digest(); z == x {
		t.Fatal("another policy has the same digest")
	}
}

func TestDecode(t *testing.T) {
	want := policy.Written{ID: "p", Version: 2, Digest: "d", Policy: good(), By: author, At: now}
	want.Policy.Sandbox = json.RawMessage(`{"network":"none"}`)
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := policy.Decode(want.EventType(), data)
	if diff := cmp.Diff(policy.Event(want), got); err != nil || diff != "" {
		t.Fatalf("error %v (-want +got):\n%s", err, diff)
	}
	if _, err := policy.Decode("policy.written.v0", data); !errors.Is(err, policy.ErrUnknownEvent) {
		t.Fatalf("unknown name answered %v", err)
	}
	if _, err := policy.Decode(want.EventType(), []byte(`{"id":`)); err == nil || errors.Is(err, policy.ErrUnknownEvent) {
		t.Fatalf("broken data answered %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	data, err := json.Marshal(policy.Written{ID: "p", Version: 1, Policy: good(), By: author, At: now})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("policy.written.v1", data)
	f.Add("policy.written.v1", []byte(`null`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		e, err := policy.Decode(name, data)
		if err != nil {
			return
		}
		s := policy.State{}.Evolve(e)
		domaintest.RoundTrip(t, s)
		evaluator, err := policy.Compile(s)
		if err != nil {
			return
		}
		evaluator.Evaluate(policy.Input{Workflow: "invoices", Kind: "payment.initiate", Actor: author, Now: now})
	})
}
