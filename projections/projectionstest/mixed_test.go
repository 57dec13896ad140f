package projectionstest_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/schema"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/approvals"
	"github.com/clawoffice/ledger/projections/directory"
	"github.com/clawoffice/ledger/projections/process"
	"github.com/clawoffice/ledger/projections/projectionstest"
	"github.com/clawoffice/ledger/projections/spending"
)

// absent are facts that a mixed history leaves out: what happens once in the
// life of a workspace, or takes away what the executions go by, and what
// auditors do.
var absent = []string{"workspace.suspended.v1", "workspace.resumed.v1", "workspace.member_removed.v1", "workspace.role_defined.v1",
	"workspace.role_deleted.v1", "workspace.agent_removed.v1", "workspace.delegated.v1", "workspace.delegation_ended.v1", "budget.deleted.v1",
	"execution.prompt_resolved.v1", "grant.revoked.v1", "webhook.changed.v1", "webhook.secret_rotated.v1", "webhook.removed.v1",
	"webhook.test_requested.v1", "webhook.abandoned.v1", "system.operator_acted.v1", "search.saved.v1", "search.deleted.v1",
	"search.retention_set.v1", "access.searched.v1", "access.exported.v1", "workspace.subject_erasure_ordered.v1", "workspace.subject_erased.v1"}

// The mixed history holds every other event, decodes, and leaves every
// projection with something to answer.
func TestMixed(t *testing.T) {
	f := ledgertest.New(t)
	records := projectionstest.Mixed(t, f, 24_000)
	seen, n := map[string]int{}, 0
	for r, err := range f.Read(context.Background(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if ledger.IsKeyStream(r.Stream) {
			continue
		}
		n++
		seen[r.Type]++
		if kind, _ := schema.Kind(r.Type); kind != schema.Fact {
			continue
		}
		_, data, err := ledger.UnwrapFact(r.Payload)
		if err == nil {
			_, err = schema.Decode(r.Type, data)
		}
		if err != nil {
			t.Fatalf("%s@%d, %s: %v", r.Stream, r.Revision, r.Type, err)
		}
	}
	if n != records || n < 24_000 {
		t.Errorf("%d records were read, %d counted", n, records)
	}
	for _, name := range schema.Names() {
		if missing := seen[name.Name] == 0; name.Class == schema.Fact && missing != slices.Contains(absent, name.Name) {
			t.Errorf("%s is there %d times", name.Name, seen[name.Name])
		}
	}
	answers(t, f)
}

// answers rebuilds all projections and asks each.
func answers(t *testing.T, f *ledgertest.Fixture) {
	t.Helper()
	rights, lists, owed, spent, inbox := access.New(f.Ring), directory.New(), process.New(), spending.New(), approvals.New()
	m, err := projections.New(f.Ledger, t.TempDir(), projections.Options{Logger: slog.New(slog.DiscardHandler)}, rights, lists, owed, spent, inbox)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	head, err := f.ReadHead(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range m.Health() {
		if err := m.WaitFor(ctx, h.Name, head); err != nil {
			t.Fatal(err)
		}
	}
	if w, ok := rights.Workspace("ws1"); !ok || w.Access().Agents.Len() == 0 || w.Policies().Policies.Len() == 0 {
		t.Error("ws1 has no agents or policies")
	}
	statuses := map[execution.Status]int{}
	page, err := lists.Executions(ctx, "ws1", directory.ExecutionFilter{}, "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Items {
		statuses[e.Status]++
	}
	if len(statuses) < 6 || statuses[execution.StatusCompleted]*10 < len(page.Items)*6 {
		t.Errorf("executions of ws1: %v", statuses)
	}
	waiting, err := inbox.List(ctx, "ws1", approvals.Filter{}, "", 1000)
	if err != nil || len(waiting.Items)*20 < len(page.Items) || len(waiting.Items)*4 > len(page.Items) {
		t.Errorf("%d approvals of %d executions: %v", len(waiting.Items), len(page.Items), err)
	}
	// Nearly everything that was called for was done; what is left waits for a person or a clock.
	for _, o := range owed.Due(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), 1_000_000) {
		if step := string(o.Command.Step); strings.HasPrefix(step, "bring") || step == "notify" || step == "settle" || step == "release" {
			t.Errorf("%+v is owed still", o.Command)
		}
	}
}
