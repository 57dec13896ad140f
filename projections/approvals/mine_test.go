package approvals_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/projections/approvals"
)

func TestMine(t *testing.T) {
	b, ctx := newBook(t), context.Background()
	ends := func(minutes int) func(*approval.Requested) {
		return func(r *approval.Requested) { r.ExpiresAt = noon.Add(time.Duration(minutes) * time.Minute) }
	}
	two := func(r *approval.Requested) { r.Requirement.Count = 2 }
	for _, r := range []approval.Requested{
		request("ap_50", ends(50)),
		request("ap_40", ends(40), func(r *approval.Requested) { r.Requirement.Roles = nil }),
		request("ap_30", ends(30), func(r *approval.Requested) { r.Requester = bob }),
		request("ap_20", ends(20), func(r *approval.Requested) { r.Excluded = []domain.Actor{bob, carol} }),
		request("ap_45", ends(45), two),
		request("ap_35", ends(35), func(r *approval.Requested) {
			r.Requirement.Roles = []domain.RoleName{"lawyer", "auditor"}
			r.Requirement.Escalate = &gate.Escalation{After: "10m", Roles: []domain.RoleName{"supervisor", "lawyer"}}
		}),
		request("ap_55", ends(55), func(r *approval.Requested) { r.Kind, r.Requirement.Risk = "table.update", "low" }),
		request("ap_25", ends(25)),
		request("ap_5", ends(5)),
		request("ap_52", ends(52), two),
	} {
		b.put("acme", r.Approval, r)
	}
	b.put("other", "ap_1", request("ap_1"))
	b.put("acme", "ap_45", vote(bob, approval.Approve))
	stoodIn := vote(carol, approval.Approve)
	stoodIn.OnBehalf, stoodIn.Delegation = bob, "dl_1"
	b.put("acme", "ap_52", stoodIn)
	b.put("acme", "ap_25", vote(carol, approval.Approve), approval.Approved{At: noon})
	m := built(t, b.Ledger, t.TempDir())

	supervisor, lawyer := []domain.RoleName{"supervisor"}, []domain.RoleName{"lawyer"}
	at := noon.Add(10 * time.Minute) // ap_5 is over, ap_35 has just escalated
	tests := []struct {
		name string
		v    approvals.Voter
		f    approvals.Filter
		want []domain.ApprovalID
	}{
		{"a supervisor, first to expire first", approvals.Voter{Actor: alice, Roles: supervisor}, approvals.Filter{At: at},
			[]domain.ApprovalID{"ap_20", "ap_30", "ap_35", "ap_40", "ap_45", "ap_50", "ap_52", "ap_55"}},
		{"before the escalation", approvals.Voter{Actor: alice, Roles: supervisor}, approvals.Filter{At: at.Add(-time.Microsecond)},
			[]domain.ApprovalID{"ap_20", "ap_30", "ap_40", "ap_45", "ap_50", "ap_52", "ap_55"}},
		{"when most are over", approvals.Voter{Actor: alice, Roles: supervisor}, approvals.Filter{At: noon.Add(50 * time.Minute)},
			[]domain.ApprovalID{"ap_52", "ap_55"}},
		{"requester, excluded, voter, and voted for", approvals.Voter{Actor: bob, Roles: supervisor}, approvals.Filter{At: at},
			[]domain.ApprovalID{"ap_35", "ap_40", "ap_50", "ap_55"}},
		{"found by two roles", approvals.Voter{Actor: alice, Roles: []domain.RoleName{"auditor", "lawyer"}}, approvals.Filter{At: noon},
			[]domain.ApprovalID{"ap_35", "ap_40"}},
		{"no role that is asked for", approvals.Voter{Actor: alice, Roles: []domain.RoleName{"member"}}, approvals.Filter{At: at},
			[]domain.ApprovalID{"ap_40"}},
		{"an agent", approvals.Voter{Actor: bot, Roles: supervisor}, approvals.Filter{At: at}, nil},
		{"of a kind", approvals.Voter{Actor: alice, Roles: supervisor}, approvals.Filter{At: at, Kind: "table.update"}, []domain.ApprovalID{"ap_55"}},
		{"of a risk", approvals.Voter{Actor: alice, Roles: supervisor}, approvals.Filter{At: at, Risk: "low"}, []domain.ApprovalID{"ap_55"}},
		{"of a requester", approvals.Voter{Actor: alice, Roles: supervisor}, approvals.Filter{At: at, Requester: bob}, []domain.ApprovalID{"ap_30"}},
		{"for somebody absent", approvals.Voter{Actor: alice, For: []approvals.Absent{{Member: bob, Roles: supervisor}}},
			approvals.Filter{At: at}, []domain.ApprovalID{"ap_35", "ap_40", "ap_50", "ap_55"}},
		{"for two, one of whom is shut out", approvals.Voter{Actor: alice, For: []approvals.Absent{{Member: bob, Roles: supervisor},
			{Member: carol, Roles: lawyer}}}, approvals.Filter{At: noon}, []domain.ApprovalID{"ap_5", "ap_35", "ap_40", "ap_50", "ap_55"}},
		{"for somebody, but shut out oneself", approvals.Voter{Actor: bob, For: []approvals.Absent{{Member: alice, Roles: supervisor}}},
			approvals.Filter{At: at}, []domain.ApprovalID{"ap_35", "ap_40", "ap_50", "ap_55"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 0} {
				got := pages(t, func(cursor string) (approvals.Page, error) { return m.Mine(ctx, "acme", tt.v, tt.f, cursor, size) })
				if diff := cmp.Diff(tt.want, ids(got), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("in pages of %d: %s", size, diff)
				}
			}
		})
	}
}

// What is decided between two pages is in no later one, and nothing is missed.
func TestMineWhileItChanges(t *testing.T) {
	b, ctx := newBook(t), context.Background()
	for i, id := range []domain.ApprovalID{"ap_1", "ap_2", "ap_3", "ap_4"} {
		b.put("acme", id, request(id, func(r *approval.Requested) { r.ExpiresAt = noon.Add(time.Duration(i+1) * time.Minute) }))
	}
	m := built(t, b.Ledger, t.TempDir())
	v, f := approvals.Voter{Actor: alice, Roles: []domain.RoleName{"supervisor"}}, approvals.Filter{At: noon}
	first := must(m.Mine(ctx, "acme", v, f, "", 2))(t)
	m.wait(t, b.put("acme", "ap_1", vote(bob, approval.Deny), approval.Denied{At: noon}))
	m.wait(t, b.put("acme", "ap_3", approval.Withdrawn{By: bot, At: noon}))
	f.At = noon.Add(2 * time.Minute) // the page's last item expires
	second := must(m.Mine(ctx, "acme", v, f, first.Next(), 2))(t)
	if diff := cmp.Diff([]domain.ApprovalID{"ap_1", "ap_2", "ap_4"}, append(ids(first.Items), ids(second.Items)...)); diff != "" {
		t.Error(diff)
	}
	if n := must(m.Waiting(ctx, "acme"))(t); n != 2 {
		t.Errorf("%d wait, want 2", n)
	}
}
