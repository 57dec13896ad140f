package approvals_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/approvals"
	"github.com/clawoffice/ledger/projections/projectionstest"
)

// asked appends an approval with two votes: four records in two appends, or
// only its request and the first vote.
func asked(tb testing.TB, f *ledgertest.Fixture, i int, waits bool) {
	ws, id := domain.WorkspaceID(fmt.Sprintf("ws%d", i%4)), domain.ApprovalID(fmt.Sprintf("ap_%026d", i))
	now := time.Now()
	parts := [][]approval.Event{{
		approval.Requested{Approval: id, Execution: domain.ExecutionID(fmt.Sprintf("ex_%026d", i)), Action: "ac_1", Workflow: "invoices",
			Kind: "payment.initiate", Params: json.RawMessage(`{"amount":1200,"iban":"DE02120300000000202051"}`),
			Digest: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Policy: "p1", Version: 1, Rule: "r1", Reason: "large amounts",
			Requirement: gate.Approval{Roles: []domain.RoleName{"operations_supervisor"}, Count: 2, Risk: "high",
				Escalate: &gate.Escalation{After: "1h", Roles: []domain.RoleName{"owner"}}},
			Requester: domain.AgentActor(domain.AgentID(fmt.Sprintf("ag_%02d", i%20))), Excluded: []domain.Actor{carol}, At: now, ExpiresAt: now.Add(24 * time.Hour)},
		approval.VoteCast{By: alice, Roles: []domain.RoleName{"operations_supervisor"}, Choice: approval.Approve, Reason: "checked", At: now},
	}, {
		approval.VoteCast{By: bob, Roles: []domain.RoleName{"operations_supervisor"}, Choice: approval.Approve, Reason: "checked", At: now},
		approval.Approved{At: now},
	}}
	if waits {
		parts = parts[:1]
	}
	tail := ledger.NoTail()
	for n, part := range parts {
		var list []ledger.Draft
		for k, e := range part {
			list = append(list, projectionstest.Draft(tb, fmt.Sprint(id, n, k), e))
		}
		receipt, err := f.Append(context.Background(), ledger.ApprovalStream(ws, id), tail, list)
		if err != nil {
			tb.Error(err)
			return
		}
		tail = receipt.Tail
	}
}

// only appends approvals and nothing else, half of which wait.
func only(tb testing.TB, f *ledgertest.Fixture, records int) int {
	tb.Helper()
	projectionstest.Spread(records/6*2, func(i int) { asked(tb, f, i, i%2 == 0) })
	return records / 6 * 6
}

// BenchmarkRebuild makes the model from approvals alone, the worst there is for
// it. A mixed history is measured in package projectionstest.
func BenchmarkRebuild(b *testing.B) {
	f, records := projectionstest.History(b, "approvals", 100_000, only)
	projectionstest.Rebuild(b, f.Ledger, records, nil, func() []projections.Projection { return []projections.Projection{approvals.New()} })
}

// BenchmarkQueries answers pages of 100 where 10,000 approvals wait in each of
// four workspaces.
func BenchmarkQueries(b *testing.B) {
	f := ledgertest.New(b)
	projectionstest.Spread(40_000, func(i int) { asked(b, f, i, true) })
	m, ctx := built(b, f.Ledger, b.TempDir()), context.Background()
	now := approvals.Filter{Status: approval.StatusPending, At: time.Now()}
	voter := func(who domain.Actor) approvals.Voter {
		return approvals.Voter{Actor: who, Roles: []domain.RoleName{"operations_supervisor", "member"}}
	}
	for name, ask := range map[string]func() (approvals.Page, error){
		"pending": func() (approvals.Page, error) { return m.List(ctx, "ws1", now, "", 100) },
		"of a requester": func() (approvals.Page, error) {
			return m.List(ctx, "ws1", approvals.Filter{Requester: domain.AgentActor("ag_01")}, "", 100)
		},
		"mine":                  func() (approvals.Page, error) { return m.Mine(ctx, "ws1", voter(bob), now, "", 100) },
		"mine, voted on by all": func() (approvals.Page, error) { return m.Mine(ctx, "ws1", voter(alice), now, "", 100) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
