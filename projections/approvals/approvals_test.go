package approvals_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/approvals"
)

func vote(by domain.Actor, choice approval.Choice) approval.VoteCast {
	return approval.VoteCast{By: by, Choice: choice, Reason: "canary-vote", At: noon.Add(time.Minute)}
}

func TestList(t *testing.T) {
	b, ctx := newBook(t), context.Background()
	other := domain.AgentActor("ag_other")
	b.put("acme", "ap_1", request("ap_1"), vote(bob, approval.Approve), approval.Approved{At: noon.Add(time.Minute)})
	b.put("acme", "ap_2", request("ap_2", func(r *approval.Requested) { r.Requester, r.Kind = other, "table.update" }))
	b.put("acme", "ap_3", request("ap_3", func(r *approval.Requested) { r.ExpiresAt = noon.Add(time.Minute) }))
	b.put("other", "ap_4", request("ap_4"))
	b.put("acme", "ap_5", request("ap_5", func(r *approval.Requested) { r.Requirement.Risk = "low" }))
	b.put("acme", "ap_6", request("ap_6", func(r *approval.Requested) { r.Requirement.Risk = "" }))
	b.put("acme", "ap_2", approval.Withdrawn{By: other, Reason: "canary-withdrawal", At: noon.Add(time.Minute)})
	b.put("acme", "ap_5", vote(bob, approval.Deny), approval.Denied{At: noon.Add(2 * time.Minute)})
	b.put("acme", "ap_7", request("ap_7"), approval.Expired{At: noon.Add(time.Hour)})
	m := built(t, b.Ledger, t.TempDir())
	later := noon.Add(10 * time.Minute) // ap_3 is overdue

	tests := []struct {
		name string
		f    approvals.Filter
		want []domain.ApprovalID
	}{
		{"all, newest first", approvals.Filter{}, []domain.ApprovalID{"ap_7", "ap_6", "ap_5", "ap_3", "ap_2", "ap_1"}},
		{"pending before one is overdue", approvals.Filter{Status: "pending", At: noon}, []domain.ApprovalID{"ap_6", "ap_3"}},
		{"pending", approvals.Filter{Status: "pending", At: later}, []domain.ApprovalID{"ap_6"}},
		{"pending in the moment it is over", approvals.Filter{Status: "pending", At: noon.Add(time.Minute)}, []domain.ApprovalID{"ap_6"}},
		{"approved", approvals.Filter{Status: "approved", At: later}, []domain.ApprovalID{"ap_1"}},
		{"denied", approvals.Filter{Status: "denied", At: later}, []domain.ApprovalID{"ap_5"}},
		{"expired, written or not", approvals.Filter{Status: "expired", At: later}, []domain.ApprovalID{"ap_7", "ap_3"}},
		{"withdrawn", approvals.Filter{Status: "withdrawn", At: later}, []domain.ApprovalID{"ap_2"}},
		{"of no known status", approvals.Filter{Status: "sleeping", At: later}, nil},
		{"of a requester", approvals.Filter{Requester: other}, []domain.ApprovalID{"ap_2"}},
		{"of a kind", approvals.Filter{Kind: "table.update"}, []domain.ApprovalID{"ap_2"}},
		{"of a risk", approvals.Filter{Risk: "high"}, []domain.ApprovalID{"ap_7", "ap_3", "ap_2", "ap_1"}},
		{"of a risk nothing has", approvals.Filter{Risk: "critical"}, nil},
		{"of everything at once", approvals.Filter{Status: "expired", Requester: bot, Kind: "payment.initiate", Risk: "high", At: later},
			[]domain.ApprovalID{"ap_7", "ap_3"}},
		{"of everything but the requester", approvals.Filter{Status: "pending", Requester: other, Kind: "payment.initiate", Risk: "high", At: noon}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := pages(t, func(cursor string) (approvals.Page, error) { return m.List(ctx, "acme", tt.f, cursor, 1) })
			if diff := cmp.Diff(tt.want, ids(got), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	for ws, want := range map[domain.WorkspaceID]int64{"acme": 2, "other": 1, "none": 0} {
		if got := must(m.Waiting(ctx, ws))(t); got != want {
			t.Errorf("in %s wait %d, want %d", ws, got, want)
		}
	}
}

func TestRow(t *testing.T) {
	b, ctx := newBook(t), context.Background()
	at := b.put("acme", "ap_1", request("ap_1", func(r *approval.Requested) {
		r.Requirement.Count, r.Excluded = 2, []domain.Actor{carol}
		r.Requirement.Escalate = &gate.Escalation{After: "30m", Roles: []domain.RoleName{"owner"}}
	}))
	b.put("acme", "ap_1", vote(alice, approval.Approve))
	last := b.put("acme", "ap_1", approval.Escalated{Roles: []domain.RoleName{"owner"}, At: noon.Add(31 * time.Minute)})
	dir := t.TempDir()
	m := built(t, b.Ledger, dir)
	p := must(m.List(ctx, "acme", approvals.Filter{}, "", 0))(t)
	want := approvals.Approval{ID: "ap_1", Execution: "ex_1", Action: "ac_1", Workflow: "invoices", Kind: "payment.initiate", Risk: "high",
		Requester: bot, Status: approval.StatusPending, Created: noon, Expires: noon.Add(time.Hour), Roles: []domain.RoleName{"supervisor"},
		Needed: 2, Escalates: noon.Add(30 * time.Minute), Escalated: noon.Add(31 * time.Minute), Escalation: []domain.RoleName{"owner"},
		Excluded: []domain.Actor{carol}, Votes: []approvals.Vote{{By: alice, Approve: true}}, Position: last}
	if diff := cmp.Diff([]approvals.Approval{want}, p.Items, cmpopts.IgnoreUnexported(approvals.Approval{})); diff != "" {
		t.Error(diff)
	}
	if n := p.Items[0].Approvals(); n != 1 || at == last {
		t.Errorf("%d approvals, want 1", n)
	}
	m.stop()
	noContent(t, dir)
}

// noContent looks for what rows must not hold in the model's raw files.
func noContent(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "models", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("canary")) {
			t.Errorf("%s holds content", filepath.Base(path))
		}
	}
}

func TestCursors(t *testing.T) {
	b, ctx := newBook(t), context.Background()
	for _, id := range []domain.ApprovalID{"ap_1", "ap_2", "ap_3"} {
		b.put("acme", id, request(id))
	}
	m := built(t, b.Ledger, t.TempDir())
	v := approvals.Voter{Actor: bob, Roles: []domain.RoleName{"supervisor"}}
	list := must(m.List(ctx, "acme", approvals.Filter{}, "", 1))(t).Next()
	mine := must(m.Mine(ctx, "acme", v, approvals.Filter{At: noon}, "", 1))(t).Next()
	if list == "" || mine == "" {
		t.Fatal("there is no next page")
	}
	for _, cursor := range []string{"x", "!!!!", "bjAuMA", "bjAuLTE", list + "A", mine} {
		if _, err := m.List(ctx, "acme", approvals.Filter{}, cursor, 1); !errors.Is(err, approvals.ErrCursor) {
			t.Errorf("list with cursor %q: %v", cursor, err)
		}
	}
	if _, err := m.Mine(ctx, "acme", v, approvals.Filter{At: noon}, list, 1); !errors.Is(err, approvals.ErrCursor) {
		t.Errorf("inbox with a list's cursor: %v", err)
	}
	p := must(m.List(ctx, "acme", approvals.Filter{}, "", 3))(t)
	if p.Next() != "" || p.Cut(3).Next() != "" {
		t.Error("a whole list has a next page")
	}
	if got := ids(must(m.List(ctx, "acme", approvals.Filter{}, p.Cut(1).Next(), 3))(t).Items); !cmp.Equal(got, []domain.ApprovalID{"ap_2", "ap_1"}) {
		t.Errorf("after the first item: %v", got)
	}
	if p.Cut(0).Next() != "" {
		t.Error("a page of nothing has a cursor")
	}
	if _, err := approvals.New().List(ctx, "acme", approvals.Filter{}, "", 1); !errors.Is(err, projections.ErrNotReady) {
		t.Errorf("a model without a file: %v", err)
	}
}

// A record that can't be understood stops the model: passing it over might show
// as waiting what is decided.
func TestPoison(t *testing.T) {
	record := func(revision int64, kind, payload string) *ledger.Record {
		r := &ledger.Record{Position: 1, Payload: []byte(payload)}
		r.Workspace, r.Stream, r.Revision, r.Type = "acme", "acme/approval-ap_1", revision, kind
		return r
	}
	fact := func(event string) string { return string(ledger.WrapFact("", []byte(event))) }
	erased := record(1, "approval.denied.v1", "")
	erased.Erased = true
	elsewhere := record(0, "approval.denied.v1", "")
	elsewhere.Stream = "acme/execution-ex_1"
	tests := []struct {
		name string
		r    *ledger.Record
		stop bool
	}{
		{"a request", record(0, "approval.requested.v1", fact(`{"params":{}}`)), false},
		{"a vote", record(1, "approval.vote_cast.v1", fact(`{}`)), false},
		{"another stream's", elsewhere, false},
		{"erased", erased, true},
		{"of a newer version", record(1, "approval.denied.v9", fact(`{}`)), true},
		{"of another shape", record(1, "approval.denied.v1", fact(`{"at":7}`)), true},
		{"not a fact", record(1, "approval.denied.v1", `{}`), true},
		{"a second request", record(1, "approval.requested.v1", fact(`{}`)), true},
		{"a vote on nothing", record(0, "approval.vote_cast.v1", fact(`{}`)), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := approvals.New().Apply(context.Background(), tt.r)
			if (err != nil) != tt.stop || errors.Is(err, projections.ErrTransient) {
				t.Errorf("answered %v, want one that stops: %v", err, tt.stop)
			}
		})
	}
}

func TestUnknownEventStops(t *testing.T) {
	b := newBook(t)
	b.put("acme", "ap_1", request("ap_1"))
	future := ledgertest.Draft("future", "approval.future.v9", "")
	future.Payload = ledger.WrapFact("", []byte("{}"))
	b.append("acme/approval-ap_1", []ledger.Draft{future})
	m := run(t, b.Ledger, t.TempDir())
	for deadline := time.Now().Add(time.Minute); m.all.Health()[0].Condition != projections.Stopped; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("health %+v, want stopped", m.all.Health())
		}
	}
}
