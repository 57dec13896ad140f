package commands

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// fixed is rights and policies that never change.
type fixed struct {
	state workspace.State
	rules *policy.Evaluator
}

func (f fixed) Rules(domain.WorkspaceID) (workspace.State, *policy.Evaluator, bool, error) {
	return f.state, f.rules, true, nil
}

func (fixed) Invited(domain.Digest) (domain.WorkspaceID, bool) { return "", false }

// BenchmarkRequestExecution is one caller's decision, with its record on disk:
// look at what it allocates.
func BenchmarkRequestExecution(b *testing.B) {
	policies := func(n int) (s policy.State) {
		for i := range n {
			s = s.Evolve(policy.Written{ID: domain.PolicyID("policy-" + strconv.Itoa(i)), Version: 1, Policy: policy.Policy{Workflow: "*", Mode: policy.Enforce,
				Default: gate.Allow, Rules: []policy.Rule{{ID: "r", Actions: []domain.ActionKind{"payment.initiate"}, When: "action.params.n > 5.0", Effect: gate.Deny}}}})
		}
		return s
	}
	office := workspace.State{}.Evolve(workspace.Created{Workspace: "acme"}).
		Evolve(workspace.AgentRegistered{Agent: "ag_1", Roles: []domain.RoleName{domain.RoleAgent}, Workflows: []domain.Workflow{"*"}})
	for name, n := range map[string]int{"no policies": 0, "ten policies": 10} {
		b.Run(name, func(b *testing.B) {
			rules, err := policy.Compile(policies(n))
			if err != nil {
				b.Fatal(err)
			}
			f := ledgertest.New(b)
			s := New(Config{Log: f.Ledger, Secret: f.Keys.Secret(), Permits: signing{f.Keys}, Access: fixed{office, rules}, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
			defer func() { _ = s.Close(context.Background()) }()
			in := RequestExecution{Workflow: "w", Action: Action{Kind: "llm.call", Params: json.RawMessage(`{"n":1}`)}}
			b.ReportAllocs()
			for b.Loop() {
				c := s.NewCall("acme", domain.AgentActor("ag_1"), "tk_1", "POST", "/executions", "", nil)
				if _, err := s.RequestExecution(b.Context(), c, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
