package commands

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// mails is a policy under which letters need one supervisor and are of low risk.
func (w *world) mails(change ...func(*gate.Approval)) {
	w.t.Helper()
	need := gate.Approval{Roles: []domain.RoleName{domain.RoleOperationsSupervisor}, Count: 1, Risk: "low"}
	for _, c := range change {
		c(&need)
	}
	_, _, err := w.s.WritePolicy(context.Background(), w.call(w.owner, "mails"), "mails", policy.Policy{Workflow: "invoices", Mode: policy.Enforce, Default: gate.Allow,
		Rules: []policy.Rule{{ID: "letters", Actions: []domain.ActionKind{"communication.send"}, Effect: gate.RequireApproval, Approval: &need}}}, nil)
	w.must(err)
}

func (w *world) letters(change ...func(*grant.Terms)) grant.Terms {
	t := grant.Terms{Kinds: []domain.ActionKind{"communication.send"}, MaxUses: 20, Until: w.s.now().Add(time.Hour), Reason: "Reminders."}
	for _, c := range change {
		c(&t)
	}
	return t
}

func (w *world) give(by domain.Actor, key string, change ...func(*grant.Terms)) grant.Grant {
	w.t.Helper()
	g, _, err := w.s.GiveGrant(context.Background(), w.call(by, key), w.letters(change...))
	w.must(err)
	return g
}

// usesInLog lists what the log holds of uses.
func (w *world) usesInLog() (uses []grant.Used) {
	w.t.Helper()
	for r, err := range w.f.Ledger.ReadStream(context.Background(), ledger.GrantStream("acme"), ledger.NoTail()) {
		w.must(err)
		if r.Type != "grant.used.v1" {
			continue
		}
		_, data, err := ledger.UnwrapFact(r.Payload)
		w.must(err)
		e, err := grant.Decode(r.Type, data)
		w.must(err)
		uses = append(uses, e.(grant.Used))
	}
	return uses
}

func TestGrantTakesTheApprovalsPlace(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	w.mails()
	g := w.give(w.supervisor, "give", func(t *grant.Terms) { t.MaxUses = 1 })
	if diff := cmp.Diff([]domain.RoleName{domain.RoleOperationsSupervisor}, g.Roles); diff != "" || g.By != w.supervisor {
		t.Errorf("given by %s with %v", g.By, g.Roles)
	}
	out := w.request("covered", "communication.send")
	if out.Status != execution.StatusAuthorized || out.Permit == "" {
		t.Fatalf("the covered action is %s", out.Status)
	}
	state, err := w.s.Execution(ctx, "acme", out.Execution)
	w.must(err)
	if act, _ := state.Action(out.Action); act.Grant != g.ID {
		t.Errorf("the execution names the grant %q, want %q", act.Grant, g.ID)
	}
	if _, err := w.s.Approval(ctx, "acme", out.Approval); code(err) != "not_found" {
		t.Errorf("an approval was opened beside: %v", err)
	}
	_, _, err = w.s.Start(ctx, w.call(w.agent, "start"), out.Execution, "", out.Permit,
		Action{Kind: "communication.send", Params: json.RawMessage(`{"amount":12}`)})
	w.must(err)
	if out := w.request("one too many", "communication.send"); out.Status != execution.StatusAwaiting {
		t.Errorf("an action beyond the grant is %s", out.Status)
	}
	uses := w.usesInLog()
	if len(uses) != 1 || uses[0].Execution != out.Execution || uses[0].Digest != out.Digest || uses[0].Requester != w.agent || uses[0].Use != 1 {
		t.Errorf("recorded %+v", uses)
	}
}

// A grant covers only what its giver might have decided on alone, now and when
// it was given, and what its terms say.
func TestGrantDoesNotCover(t *testing.T) {
	ctx := context.Background()
	risk := func(r string) func(*gate.Approval) { return func(a *gate.Approval) { a.Risk = r } }
	separate := func(a *gate.Approval) { a.SeparationOfDuties = true }
	when := func(text string) func(*grant.Terms) { return func(t *grant.Terms) { t.When = text } }
	tests := []struct {
		name    string
		policy  func(*gate.Approval)
		terms   func(*grant.Terms)
		by      func(*world) domain.Actor
		after   func(*world, grant.Grant) error
		covered bool
	}{
		{name: "what it is for", covered: true},
		{name: "what needs no role", policy: func(a *gate.Approval) { a.Roles = []domain.RoleName{} }, covered: true},
		{name: "what its condition holds for", terms: when("action.params.amount < 20.0"), covered: true},
		{name: "no risk named", policy: risk("")},
		{name: "medium risk", policy: risk("medium")},
		{name: "two approvers", policy: func(a *gate.Approval) { a.Count = 2 }},
		{name: "another role", policy: func(a *gate.Approval) { a.Roles = []domain.RoleName{domain.RoleAuditor} }},
		{name: "a condition that does not hold", terms: when("action.params.amount > 20.0")},
		{name: "a condition that errs", terms: when("action.params.missing == 1.0")},
		{name: "another kind", terms: func(t *grant.Terms) { t.Kinds = []domain.ActionKind{"table.update"} }},
		{name: "another workflow", terms: func(t *grant.Terms) { t.Workflows = []domain.Workflow{"letters"} }},
		{name: "another agent", terms: func(t *grant.Terms) { t.Agents = []domain.AgentID{"ag_other"} }},
		{name: "a giver without the role", by: func(w *world) domain.Actor { return w.owner }},
		{name: "duties that are separated from others", policy: separate, covered: true},
		{name: "a giver by another role", policy: func(a *gate.Approval) { a.Roles = []domain.RoleName{domain.RoleOwner} },
			by: func(w *world) domain.Actor { return w.owner }, covered: true},
		{name: "a giver who made the agent", policy: func(a *gate.Approval) { separate(a); a.Roles = []domain.RoleName{domain.RoleOwner} },
			by: func(w *world) domain.Actor { return w.owner }},
		{name: "revoked", after: func(w *world, g grant.Grant) error {
			_, err := w.s.RevokeGrant(ctx, w.call(w.owner, "revoke"), g.ID, "enough")
			return err
		}},
		{name: "its time over", after: func(w *world, _ grant.Grant) error { w.wait(time.Hour); return nil }},
		{name: "a giver who was removed", after: func(w *world, _ grant.Grant) error {
			_, err := w.s.RemoveMember(ctx, w.call(w.owner, "remove"), domain.MemberID(w.supervisor.ID))
			return err
		}},
		{name: "a giver who lost the role", after: func(w *world, _ grant.Grant) error { return w.roles(domain.RoleMember) }},
		{name: "a giver who has the role for a time", after: func(w *world, _ grant.Grant) error {
			until := w.s.now().Add(time.Minute)
			_, err := w.s.SetRoles(ctx, w.call(w.owner, "roles"), w.supervisor, []domain.RoleName{domain.RoleOperationsSupervisor}, &until, nil)
			w.wait(2 * time.Minute)
			return err
		}},
		{name: "a giver who may not decide any more, where no role is asked for", policy: func(a *gate.Approval) { a.Roles = []domain.RoleName{} },
			after: func(w *world, _ grant.Grant) error { return w.roles(domain.RoleMember) }},
		{name: "a role that the giver got later", policy: func(a *gate.Approval) { a.Roles = []domain.RoleName{domain.RoleAuditor} },
			after: func(w *world, _ grant.Grant) error {
				return w.roles(domain.RoleOperationsSupervisor, domain.RoleAuditor)
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, ledgertest.Engine(t))
			by := w.supervisor
			if test.by != nil {
				by = test.by(w)
			}
			if test.policy == nil {
				test.policy = func(*gate.Approval) {}
			}
			if test.terms == nil {
				test.terms = func(*grant.Terms) {}
			}
			w.mails(test.policy)
			g := w.give(by, "give", test.terms)
			if test.after != nil {
				w.must(test.after(w, g))
			}
			out := w.request("ask", "communication.send")
			if got := out.Status == execution.StatusAuthorized; got != test.covered || len(w.usesInLog()) > 0 != test.covered {
				t.Errorf("the action is %s, with %d uses", out.Status, len(w.usesInLog()))
			}
		})
	}
}

// roles sets what the supervisor holds.
func (w *world) roles(roles ...domain.RoleName) error {
	_, err := w.s.SetRoles(context.Background(), w.call(w.owner, "roles"), w.supervisor, roles, nil, nil)
	return err
}

// A suspended workspace's grants cover nothing new; the action's approval is
// for when it goes on.
func TestGrantInSuspendedWorkspace(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	w.give(w.supervisor, "give")
	_, err := w.s.Suspend(ctx, w.call(domain.Operator(), "suspend"), "")
	w.must(err)
	r, in := w.wanted(1)
	if _, ok, _, err := w.s.useGrant(ctx, w.call(w.agent, "ask"), r, in); ok || err != nil {
		t.Errorf("covered: %v, %v", ok, err)
	}
}

// Each append of a use fails in each way; whoever asks again finds one use.
func TestGrantUnderFaults(t *testing.T) {
	for name, fault := range map[string]eventlogtest.Fault{"before": eventlogtest.Before, "after": eventlogtest.After} {
		t.Run(name, func(t *testing.T) {
			armed := false
			log := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, stream string) eventlogtest.Fault {
				if hit := armed && stream == ledger.GrantStream("acme"); hit {
					armed = false
					return fault
				}
				return eventlogtest.None
			})
			w, ctx := newWorld(t, log), context.Background()
			w.mails()
			w.give(w.supervisor, "give")
			armed = true
			ask := func() (Requested, error) {
				return w.s.RequestExecution(ctx, w.call(w.agent, "ask"), RequestExecution{Workflow: "invoices",
					Action: Action{Kind: "communication.send", Params: json.RawMessage(`{"amount":12}`)}})
			}
			out, err := ask()
			for try := 0; err != nil && try < 3; try++ {
				out, err = ask()
			}
			if err != nil || out.Status != execution.StatusAuthorized || len(w.usesInLog()) != 1 {
				t.Errorf("%s with %d uses: %v", out.Status, len(w.usesInLog()), err)
			}
		})
	}
}

func TestGiveGrant(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	terms := w.letters()
	first, receipt, err := w.s.GiveGrant(ctx, w.call(w.supervisor, "give"), terms)
	w.must(err)
	_, err = w.s.RevokeGrant(ctx, w.call(w.owner, "revoke"), first.ID, "enough")
	w.must(err)
	w.restart()
	again, repeat, err := w.s.GiveGrant(ctx, w.call(w.supervisor, "give"), terms)
	if err != nil || again.ID != first.ID || repeat.Position != receipt.Position || !repeat.Replayed {
		t.Errorf("again %s at %d (%v), first %s at %d", again.ID, repeat.Position, err, first.ID, receipt.Position)
	}
	for name, test := range map[string]struct {
		change func(*grant.Terms)
		want   string
	}{
		"a wrong condition":  {func(t *grant.Terms) { t.When = "workflow ==\n nothing" }, "invalid_condition"},
		"no bool":            {func(t *grant.Terms) { t.When = "workflow" }, "invalid_condition"},
		"a condition's size": {func(t *grant.Terms) { t.When = strings.Repeat("(", 5000) }, "invalid_condition"},
		"no kind":            {func(t *grant.Terms) { t.Kinds = nil }, "grant_invalid"},
		"no end":             {func(t *grant.Terms) { t.Until = time.Time{} }, "grant_invalid"},
	} {
		_, _, err := w.s.GiveGrant(ctx, w.call(w.supervisor, name), w.letters(test.change))
		var refusal *domain.Error
		if !errors.As(err, &refusal) || refusal.Code != test.want || refusal.Facts["pointer"] == nil {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	if _, err := w.s.RevokeGrant(ctx, w.call(w.owner, "none"), "gr_none", ""); code(err) != "grant_unknown" {
		t.Errorf("revoking what is not there: %v", err)
	}
}

// A workspace without grants pays next to nothing for the question.
func TestNoGrantsWriteNothing(t *testing.T) {
	w, ctx := newWorld(t, ledgertest.Engine(t)), context.Background()
	r, in := w.wanted(1)
	before := count(t, w.f.Log)
	if _, ok, _, err := w.s.useGrant(ctx, w.call(w.agent, "ask"), r, in); ok || err != nil {
		t.Errorf("covered: %v, %v", ok, err)
	}
	if now := count(t, w.f.Log); now != before {
		t.Errorf("the question wrote %d records", now-before)
	}
}
