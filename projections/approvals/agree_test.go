package approvals_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/approvals"
)

var (
	people = []domain.Actor{alice, bob, carol, bot}
	roles  = []domain.RoleName{"supervisor", "owner", "lawyer"}
)

// story is an approval as the domain sees it.
type story struct {
	id    domain.ApprovalID
	state approval.State
}

// someOf draws up to two of them.
func someOf[T any](t *rapid.T, all []T, label string) (some []T) {
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(all)-1), 0, 2, rapid.ID[int]).Draw(t, label) {
		some = append(some, all[i])
	}
	return some
}

func drawRequest(t *rapid.T, id domain.ApprovalID) approval.Requested {
	return request(id, func(r *approval.Requested) {
		r.Kind = rapid.SampledFrom([]domain.ActionKind{"payment.initiate", "table.update"}).Draw(t, "kind")
		r.Requester = rapid.SampledFrom(people).Draw(t, "requester")
		r.Excluded = someOf(t, people[:3], "excluded")
		r.Requirement = gate.Approval{Roles: someOf(t, roles, "roles"), Count: rapid.IntRange(1, 3).Draw(t, "count"),
			ExpiresIn: rapid.SampledFrom([]string{"20m", "1h", "3h"}).Draw(t, "expires"), Risk: rapid.SampledFrom([]string{"", "low", "high"}).Draw(t, "risk")}
		if rapid.Bool().Draw(t, "escalates") {
			r.Requirement.Escalate = &gate.Escalation{After: rapid.SampledFrom([]string{"10m", "30m", "2h"}).Draw(t, "after"), Roles: someOf(t, roles, "wider")}
		}
	})
}

func drawVoter(t *rapid.T) approvals.Voter {
	v := approvals.Voter{Actor: rapid.SampledFrom(people).Draw(t, "voter"), Roles: someOf(t, roles, "held")}
	for _, absent := range someOf(t, people[:3], "absent") {
		if absent != v.Actor {
			v.For = append(v.For, approvals.Absent{Member: absent, Roles: someOf(t, roles, "delegated")})
		}
	}
	return v
}

// votesOf are the commands by which somebody could decide on an approval.
func votesOf(v approvals.Voter, s approval.State, choice approval.Choice, at time.Time) []approval.Vote {
	own := approval.Vote{By: v.Actor, Roles: v.Roles, Choice: choice, Digest: s.Request.Digest, At: at}
	all := []approval.Vote{own}
	for _, absent := range v.For {
		stand := own
		stand.OnBehalf, stand.Delegation, stand.Roles = absent.Member, "dl_1", absent.Roles
		all = append(all, stand)
	}
	return all
}

// mayDecide asks the domain whether any vote of somebody's would be recorded.
func mayDecide(v approvals.Voter, s approval.State, at time.Time) bool {
	return slices.ContainsFunc(votesOf(v, s, approval.Approve, at), func(vote approval.Vote) bool {
		events, err := s.Decide(vote)
		return err == nil && slices.ContainsFunc(events, func(e approval.Event) bool { _, cast := e.(approval.VoteCast); return cast })
	})
}

func drawCommand(t *rapid.T, s approval.State, at time.Time) approval.Command {
	switch rapid.IntRange(0, 9).Draw(t, "command") {
	case 0:
		return approval.Withdraw{By: s.Request.Requester, Reason: "canary", At: at}
	case 1:
		return approval.Expire{At: at}
	case 2:
		return approval.Escalate{At: at}
	}
	choice := rapid.SampledFrom([]approval.Choice{approval.Approve, approval.Approve, approval.Approve, approval.Deny}).Draw(t, "choice")
	return rapid.SampledFrom(votesOf(drawVoter(t), s, choice, at)).Draw(t, "vote")
}

// The inbox folds events by itself; whatever happened, its rows must say what
// the domain's fold says, and what it offers somebody must be exactly what the
// domain lets that person decide. Each history is a workspace of its own.
func TestAgreesWithTheDomain(t *testing.T) {
	b := newBook(t)
	m := built(t, b.Ledger, t.TempDir())
	seen, offered, n := map[approval.Status]int{}, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		ws := domain.WorkspaceID(fmt.Sprintf("ws%d", n))
		var all []story
		var last eventlog.Position
		at := noon
		for i := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 15).Draw(rt, "minutes")) * time.Minute)
			if i == 0 || rapid.IntRange(0, 2).Draw(rt, "opens") == 0 {
				all = append(all, story{id: domain.ApprovalID(fmt.Sprintf("ap_%d", i))})
			}
			s := &all[rapid.IntRange(0, len(all)-1).Draw(rt, "which")]
			var command approval.Command = approval.Open{Request: drawRequest(rt, s.id), At: at}
			if s.state.Exists() {
				command = drawCommand(rt, s.state, at)
			}
			events, err := s.state.Decide(command)
			if err != nil || len(events) == 0 {
				continue
			}
			last = b.put(ws, s.id, events...)
			s.state = domain.Fold(s.state, events...)
		}
		all = slices.DeleteFunc(all, func(s story) bool { return !s.state.Exists() })
		m.wait(rt, last)
		for _, s := range all {
			seen[s.state.AsOf(at).Status]++
		}
		checkLists(rt, m, ws, all, at)
		offered += checkInbox(rt, m, ws, all, at)
	})
	if len(seen) != 5 || offered < 10 {
		t.Errorf("too little came up: statuses %v, %d offered", seen, offered)
	}
}

func checkLists(t *rapid.T, m *running, ws domain.WorkspaceID, all []story, at time.Time) {
	ctx := context.Background()
	waiting := int64(0)
	var want []approvals.Approval
	for _, s := range all {
		want = append(want, rowOf(s))
		if s.state.Open() {
			waiting++
		}
	}
	p, err := m.List(ctx, ws, approvals.Filter{}, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(want, func(a, b approvals.Approval) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(p.Items, func(a, b approvals.Approval) int { return cmp.Compare(a.ID, b.ID) })
	if diff := gocmp.Diff(want, p.Items, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(approvals.Approval{}),
		cmpopts.IgnoreFields(approvals.Approval{}, "Position")); diff != "" {
		t.Fatalf("the rows (+) are not what the fold says (-):\n%s", diff)
	}
	if n, err := m.Waiting(ctx, ws); err != nil || n != waiting {
		t.Fatalf("%d wait, %v, want %d", n, err, waiting)
	}
	for _, status := range []approval.Status{approval.StatusPending, approval.StatusApproved, approval.StatusDenied, approval.StatusExpired, approval.StatusWithdrawn} {
		p, err := m.List(ctx, ws, approvals.Filter{Status: status, At: at}, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		var want []domain.ApprovalID
		for _, s := range all {
			if s.state.AsOf(at).Status == status {
				want = append(want, s.id)
			}
		}
		if diff := gocmp.Diff(want, ids(p.Items), cmpopts.EquateEmpty(), cmpopts.SortSlices(cmp.Less[domain.ApprovalID])); diff != "" {
			t.Fatalf("%s:\n%s", status, diff)
		}
	}
}

// rowOf is what a row must say of a folded approval.
func rowOf(s story) approvals.Approval {
	r := s.state.Request
	a := approvals.Approval{ID: s.id, Execution: r.Execution, Action: r.Action, Workflow: r.Workflow, Kind: r.Kind, Risk: r.Requirement.Risk,
		Requester: r.Requester, Status: s.state.Status, Created: r.At, Expires: r.ExpiresAt, Ended: s.state.EndedAt, Roles: r.Requirement.Roles,
		Needed: r.Requirement.Count, Escalates: s.state.EscalatesAt(), Escalated: s.state.EscalatedAt, Excluded: r.Excluded}
	if !a.Escalates.IsZero() {
		a.Escalation = r.Requirement.Escalate.Roles
	}
	for _, v := range s.state.Votes {
		a.Votes = append(a.Votes, approvals.Vote{By: v.By, For: v.OnBehalf, Approve: v.Choice == approval.Approve})
	}
	return a
}

// checkInbox answers how many approvals were offered.
func checkInbox(t *rapid.T, m *running, ws domain.WorkspaceID, all []story, at time.Time) int {
	v := drawVoter(t)
	size := rapid.IntRange(1, 4).Draw(t, "page")
	got := []domain.ApprovalID{}
	var ends []time.Time
	for cursor := ""; ; {
		p, err := m.Mine(context.Background(), ws, v, approvals.Filter{At: at}, cursor, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range p.Items {
			got, ends = append(got, a.ID), append(ends, a.Expires)
		}
		if cursor = p.Next(); cursor == "" {
			break
		}
	}
	if !slices.IsSortedFunc(ends, time.Time.Compare) {
		t.Fatalf("not in order of expiry: %v", ends)
	}
	var want []domain.ApprovalID
	for _, s := range all {
		if mayDecide(v, s.state, at) {
			want = append(want, s.id)
		}
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.SortSlices(cmp.Less[domain.ApprovalID])); diff != "" {
		raw, _ := json.Marshal(v)
		t.Fatalf("offered to %s (+) is not what the domain lets it decide (-):\n%s", raw, diff)
	}
	return len(got)
}
