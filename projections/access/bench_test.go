package access_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/projectionstest"
)

// benchAgents is how many there are in the workspace that checks are made in.
const benchAgents = 2000

// crowd makes a model of a workspace with many agents, their tokens and a
// policy of five rules.
func crowd(b *testing.B) (m *access.Model, tokens []string) {
	b.Helper()
	f, at := ledgertest.New(b), time.Now()
	events := []domain.Event{workspace.Created{Workspace: "acme", Name: "Acme", Currency: "EUR", At: at}}
	for i := range benchAgents {
		agent := domain.AgentID(fmt.Sprintf("ag_%026d", i))
		token, hash := ledgercrypto.NewToken(ledgercrypto.CredentialToken)
		tokens = append(tokens, token)
		events = append(events, workspace.AgentRegistered{Agent: agent, Name: "bot", Roles: []domain.RoleName{domain.RoleAgent}, Workflows: []domain.Workflow{"*"}, At: at},
			workspace.TokenIssued{Token: domain.CredentialID(fmt.Sprintf("tk_%026d", i)), Actor: domain.AgentActor(agent), Hash: hash, At: at})
	}
	rule := func(id domain.RuleID, effect gate.Effect, when string) policy.Rule {
		return policy.Rule{ID: id, Actions: []domain.ActionKind{"payment.initiate"}, When: when, Effect: effect}
	}
	put(b, f, ledger.WorkspaceStream("acme"), events)
	put(b, f, ledger.PolicyStream("acme"), []domain.Event{policy.Written{ID: "payments", Version: 1, At: at, Policy: policy.Policy{Workflow: "*", Mode: policy.Enforce,
		Default: gate.Allow, Rules: []policy.Rule{
			rule("small", gate.Allow, `action.params.amount < 100`), rule("other", gate.Deny, `action.params.to == "XX00"`),
			rule("large", gate.Deny, `action.params.amount >= 1000`), rule("payer", gate.Deny, `!("agent" in actor.roles)`),
			rule("people", gate.Deny, `workflow == "hr" || actor.kind != "agent"`)}}}})
	m = access.New(f.Ring)
	all, err := projections.New(f.Ledger, b.TempDir(), projections.Options{Logger: slog.New(slog.DiscardHandler)}, m)
	if err != nil {
		b.Fatal(err)
	}
	if err := all.Rebuild(context.Background(), nil, nil); err != nil {
		b.Fatal(err)
	}
	return m, tokens
}

func put(b *testing.B, f *ledgertest.Fixture, stream string, events []domain.Event) {
	b.Helper()
	tail := ledger.NoTail()
	for len(events) > 0 {
		n := min(500, len(events))
		var list []ledger.Draft
		for i, e := range events[:n] {
			list = append(list, projectionstest.Draft(b, fmt.Sprint(stream, len(events), i), e))
		}
		receipt, err := f.Append(context.Background(), stream, tail, list)
		if err != nil {
			b.Fatal(err)
		}
		tail, events = receipt.Tail, events[n:]
	}
}

// BenchmarkCheck is what every call goes through: the token is hashed, its
// holder found, and the permission asked for. Tokens come from all agents in
// turn. "gate" is what the policies say of an action, CEL included.
func BenchmarkCheck(b *testing.B) {
	m, tokens := crowd(b)
	var hashes []domain.Digest
	for _, token := range tokens {
		hash, ok := ledgercrypto.TokenHash(token)
		if !ok {
			b.Fatal("a token that was just made is none")
		}
		hashes = append(hashes, hash)
	}
	check := func(token string) {
		hash, _ := ledgercrypto.TokenHash(token)
		who, err := m.Authenticate(hash, time.Now())
		if err != nil || !who.Workspace.Allows(who.Actor, domain.ExecutionRequest, time.Now()) {
			b.Errorf("an agent may not request executions: %v", err)
		}
	}
	each := func(name string, do func(i int)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				do(i % benchAgents)
			}
		})
	}
	each("authenticate", func(i int) {
		if _, err := m.Authenticate(hashes[i], time.Now()); err != nil {
			b.Error(err)
		}
	})
	each("allows", func(i int) {
		if m.Allows("acme", domain.AgentActor(domain.AgentID("ag_00000000000000000000000001")), domain.ApprovalDecide, time.Now()) {
			b.Error("an agent may decide")
		}
	})
	each("hash, authenticate and allows", func(i int) { check(tokens[i]) })
	b.Run("the same on all cores", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				check(tokens[i%benchAgents])
			}
		})
	})
	w, _ := m.Workspace("acme")
	rules, err := w.Evaluator()
	if err != nil {
		b.Fatal(err)
	}
	asked := policy.Input{Workflow: "invoices", Kind: "payment.initiate", Params: json.RawMessage(`{"amount":42,"to":"DE02120300000000202051"}`),
		Actor: domain.AgentActor("ag_1"), Roles: []domain.RoleName{domain.RoleAgent}, Now: time.Now()}
	each("gate", func(int) {
		if d := rules.Evaluate(asked); d.Effect != gate.Allow {
			b.Errorf("the policies say %s, by rule %s", d.Effect, d.Rule)
		}
	})
}
