package workspace_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

// Sue and tom are supervisors; mia is a member without a say in approvals.
var (
	sue        = domain.MemberActor("mb_sue")
	tom        = domain.MemberActor("mb_tom")
	supervisor = roles(domain.RoleOperationsSupervisor)
	tomorrow   = now.Add(24 * time.Hour)
	nextWeek   = now.Add(7 * 24 * time.Hour)
)

// shift is the office with two supervisors in it.
func shift(more ...workspace.Event) story {
	return office(invited("mb_sue", domain.RoleOperationsSupervisor, "clerk"), joined("mb_sue"),
		invited("mb_tom", domain.RoleOperationsSupervisor), joined("mb_tom")).And(more...)
}

func delegate(change ...func(*workspace.Delegate)) workspace.Delegate {
	c := workspace.Delegate{Delegation: "dg_1", To: "mb_tom", Roles: supervisor, Start: tomorrow, Until: nextWeek, Reason: "leave", By: sue, At: now}
	for _, f := range change {
		f(&c)
	}
	return c
}

func delegated(change ...func(*workspace.Delegated)) workspace.Delegated {
	e := workspace.Delegated{Delegation: "dg_1", From: "mb_sue", To: "mb_tom", Roles: supervisor, Start: tomorrow, Until: nextWeek, Reason: "leave", At: now}
	for _, f := range change {
		f(&e)
	}
	return e
}

func TestDelegate(t *testing.T) {
	another := func(c *workspace.Delegate) { c.Delegation = "dg_2" }
	asSecond := func(e *workspace.Delegated) { e.Delegation = "dg_2" }
	tests := []struct {
		name  string
		given []workspace.Event
		when  workspace.Delegate
		then  []workspace.Event
	}{
		{"some roles, from then until then", nil, delegate(), []workspace.Event{delegated()}},
		{"all roles", nil, delegate(func(c *workspace.Delegate) { c.Roles = nil }),
			[]workspace.Event{delegated(func(e *workspace.Delegated) { e.Roles = roles("clerk", domain.RoleOperationsSupervisor) })}},
		{"from now", nil, delegate(func(c *workspace.Delegate) { c.Start = time.Time{} }),
			[]workspace.Event{delegated(func(e *workspace.Delegated) { e.Start = now })}},
		{"a start in the past is now", nil, delegate(func(c *workspace.Delegate) { c.Start = earlier }),
			[]workspace.Event{delegated(func(e *workspace.Delegated) { e.Start = now })}},
		{"until the last day there may be", nil, delegate(func(c *workspace.Delegate) { c.Until = now.Add(workspace.MaxAbsence) }),
			[]workspace.Event{delegated(func(e *workspace.Delegated) { e.Until = now.Add(workspace.MaxAbsence) })}},
		{"again", []workspace.Event{delegated()}, delegate(), nil},
		{"to another at the same time", []workspace.Event{delegated()},
			delegate(another, func(c *workspace.Delegate) { c.To = "mb_adam" }),
			[]workspace.Event{delegated(asSecond, func(e *workspace.Delegated) { e.To = "mb_adam" })}},
		{"to the same afterwards", []workspace.Event{delegated()},
			delegate(another, func(c *workspace.Delegate) { c.Start, c.Until = nextWeek, nextWeek.Add(time.Hour) }),
			[]workspace.Event{delegated(asSecond, func(e *workspace.Delegated) { e.Start, e.Until = nextWeek, nextWeek.Add(time.Hour) })}},
		{"to the same after it was ended", []workspace.Event{delegated(), workspace.DelegationEnded{Delegation: "dg_1", By: sue, At: now}},
			delegate(another), []workspace.Event{delegated(asSecond)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { shift(tt.given...).When(tt.when).Then(t, tt.then...) })
	}
}

func TestDelegateRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*workspace.Delegate)
		kind   domain.Kind
		code   string
	}{
		{"to oneself", func(c *workspace.Delegate) { c.To = "mb_sue" }, domain.Invalid, "delegation_invalid"},
		{"to nobody", func(c *workspace.Delegate) { c.To = "mb_none" }, domain.Invalid, "delegation_invalid"},
		{"to somebody who did not join", func(c *workspace.Delegate) { c.To = "mb_ivan" }, domain.Invalid, "delegation_invalid"},
		{"to an agent", func(c *workspace.Delegate) { c.To = "ag_1" }, domain.Invalid, "delegation_invalid"},
		{"a role that it does not hold", func(c *workspace.Delegate) { c.Roles = roles(domain.RoleOwner) }, domain.Invalid, "delegation_invalid"},
		{"a role that does not exist", func(c *workspace.Delegate) { c.Roles = roles("none") }, domain.Invalid, "delegation_invalid"},
		{"an end before the start", func(c *workspace.Delegate) { c.Until = tomorrow.Add(-1) }, domain.Invalid, "delegation_invalid"},
		{"no time at all", func(c *workspace.Delegate) { c.Until = tomorrow }, domain.Invalid, "delegation_invalid"},
		{"an end in the past", func(c *workspace.Delegate) { c.Start, c.Until = time.Time{}, earlier }, domain.Invalid, "delegation_invalid"},
		{"no end", func(c *workspace.Delegate) { c.Until = time.Time{} }, domain.Invalid, "delegation_invalid"},
		{"too long", func(c *workspace.Delegate) { c.Until = now.Add(workspace.MaxAbsence + 1) }, domain.Invalid, "delegation_invalid"},
		{"far ahead", func(c *workspace.Delegate) { c.Start, c.Until = now.AddDate(1, 0, 0), now.AddDate(1, 0, 1) }, domain.Invalid, "delegation_invalid"},
		{"a reason that is too long", func(c *workspace.Delegate) { c.Reason = strings.Repeat("a", 501) }, domain.Invalid, "invalid_reason"},
		{"without an id", func(c *workspace.Delegate) { c.Delegation = "" }, domain.Invalid, "invalid_delegation"},
		{"by an agent", func(c *workspace.Delegate) { c.By = agent }, domain.Forbidden, "human_required"},
		{"by the service", func(c *workspace.Delegate) { c.By = service }, domain.Forbidden, "human_required"},
		{"by the invited", func(c *workspace.Delegate) { c.By = ivan }, domain.Forbidden, "permission_denied"},
		{"another under the same id", func(c *workspace.Delegate) { c.Delegation, c.To = "dg_0", "mb_mia" }, domain.Conflict, "delegation_exists"},
		{"to the same in the same time", func(c *workspace.Delegate) { c.To = "mb_adam" }, domain.Conflict, "delegation_exists"},
	} {
		t.Run(row.name, func(t *testing.T) {
			zero := delegated(func(e *workspace.Delegated) { e.Delegation, e.To, e.Start = "dg_0", "mb_adam", nextWeek.Add(-1) })
			shift(zero).When(delegate(row.change)).Refused(t, row.kind, row.code)
		})
	}
	ended := shift(workspace.RolesSet{Actor: sue, Roles: supervisor, Until: &earlier, By: olga, At: earlier})
	ended.When(delegate()).Refused(t, domain.Invalid, "delegation_invalid")
	ended.When(delegate(func(c *workspace.Delegate) { c.Roles = nil })).Refused(t, domain.Invalid, "delegation_invalid")
}

// The roles delegated are those that the absent member still holds; neither a
// removal, an end nor the time leaves any.
func TestDelegated(t *testing.T) {
	whole := delegated(func(e *workspace.Delegated) { e.Roles = roles("clerk", domain.RoleOperationsSupervisor) })
	inTime := tomorrow.Add(time.Hour)
	for _, row := range []struct {
		name  string
		given []workspace.Event
		at    time.Time
		want  []domain.RoleName
	}{
		{"before the start", []workspace.Event{whole}, tomorrow.Add(-1), nil},
		{"from the start on", []workspace.Event{whole}, tomorrow, roles(domain.RoleOperationsSupervisor, "clerk")},
		{"until the end", []workspace.Event{whole}, nextWeek.Add(-1), roles(domain.RoleOperationsSupervisor, "clerk")},
		{"when it is over", []workspace.Event{whole}, nextWeek, nil},
		{"only what was delegated", []workspace.Event{delegated()}, inTime, supervisor},
		{"when it was ended", []workspace.Event{whole, workspace.DelegationEnded{Delegation: "dg_1", By: tom, At: now}}, inTime, nil},
		{"when the absent member lost a role", []workspace.Event{whole, workspace.RolesSet{Actor: sue, Roles: supervisor, By: olga, At: now}},
			inTime, supervisor},
		{"when the absent member may not decide any more", []workspace.Event{whole, workspace.RolesSet{Actor: sue, Roles: roles("clerk"), By: olga, At: now}},
			inTime, nil},
		{"when the absent member's roles ended", []workspace.Event{whole, workspace.RolesSet{Actor: sue, Roles: supervisor, Until: &tomorrow, By: olga, At: now}},
			inTime, nil},
		{"when the absent member has other roles only", []workspace.Event{delegated(), workspace.RolesSet{Actor: sue, Roles: roles(domain.RoleOwner), By: olga, At: now}},
			inTime, nil},
		{"when the absent member was removed", []workspace.Event{whole, workspace.MemberRemoved{Member: "mb_sue", By: olga}}, inTime, nil},
		{"when the other was removed", []workspace.Event{whole, workspace.MemberRemoved{Member: "mb_tom", By: olga}}, inTime, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := shift(row.given...).State()
			id, got := s.Delegated("mb_tom", "mb_sue", row.at)
			if diff := cmp.Diff(row.want, got); diff != "" || (id == "dg_1") != (row.want != nil) {
				t.Errorf("under %q (-want +got):\n%s", id, diff)
			}
			if id, got := s.Delegated("mb_sue", "mb_tom", row.at); id != "" || got != nil {
				t.Errorf("the other way round: %s %v", id, got)
			}
		})
	}
}

// What was delegated shows in no permission, and is not delegated on.
func TestDelegationNeitherGivesNorChains(t *testing.T) {
	at := tomorrow.Add(time.Hour)
	s := shift(delegated(func(e *workspace.Delegated) { e.To = "mb_mia" }))
	if s.State().Allows(mia, domain.ApprovalDecide, at) {
		t.Error("standing in for somebody gave a permission")
	}
	s.When(workspace.Delegate{Delegation: "dg_2", To: "mb_tom", Roles: supervisor, Until: nextWeek, By: mia, At: at}).
		Refused(t, domain.Invalid, "delegation_invalid")
	chain := s.And(workspace.Delegated{Delegation: "dg_3", From: "mb_mia", To: "mb_adam", Roles: supervisor, Start: now, Until: nextWeek, At: now}).State()
	for _, from := range []domain.MemberID{"mb_sue", "mb_mia"} {
		if id, got := chain.Delegated("mb_adam", from, at); id != "" {
			t.Errorf("adam has %v of %s under %s", got, from, id)
		}
	}
}

func TestEndDelegation(t *testing.T) {
	for name, by := range map[string]domain.Actor{"the absent member": sue, "who stands in": tom, "an owner": olga} {
		t.Run(name, func(t *testing.T) {
			shift(delegated()).When(workspace.EndDelegation{Delegation: "dg_1", By: by, At: now}).
				Then(t, workspace.DelegationEnded{Delegation: "dg_1", By: by, At: now}).
				When(workspace.EndDelegation{Delegation: "dg_1", By: by, At: now}).Refused(t, domain.NotFound, "delegation_unknown")
		})
	}
	end := workspace.EndDelegation{Delegation: "dg_1", By: mia, At: now}
	shift(delegated()).When(end).Refused(t, domain.Forbidden, "permission_denied")
	shift().When(end).Refused(t, domain.NotFound, "delegation_unknown")
	end.By, end.At = sue, nextWeek
	shift(delegated()).When(end).Then(t)
}

// A member can't fill the state: what is over is forgotten, and what is live
// has a limit.
func TestDelegationsAreBounded(t *testing.T) {
	s, at := shift(), now
	for i := range 3 * workspace.MaxDelegations {
		at = at.Add(time.Minute)
		c := delegate(func(c *workspace.Delegate) { c.Delegation, c.At = domain.DelegationID(fmt.Sprint("dg_", i)), at })
		c.Start, c.Until = tomorrow.Add(time.Duration(i)*time.Hour), tomorrow.Add(time.Duration(i)*time.Hour+time.Minute)
		if i < workspace.MaxDelegations {
			s = s.When(c).Accepted(t)
		} else {
			s.When(c).Refused(t, domain.Conflict, "too_many_delegations")
		}
	}
	if n := len(s.State().LiveDelegations(later)); n != workspace.MaxDelegations {
		t.Errorf("%d delegations are live, want %d", n, workspace.MaxDelegations)
	}
	s = s.When(delegate(func(c *workspace.Delegate) {
		c.Delegation, c.Start, c.At = "dg_last", nextWeek.Add(-time.Hour), nextWeek.Add(-2*time.Hour)
	})).Accepted(t)
	if ids, _ := s.State().DelegationsOf.Get("mb_sue"); len(ids) != 1 {
		t.Errorf("%v are kept, want the newest alone", ids)
	}
	gone := s.And(workspace.MemberRemoved{Member: "mb_sue", By: olga}).State()
	if gone.DelegationsOf.Has("mb_sue") || gone.Delegations.Len() != s.State().Delegations.Len()-1 {
		t.Errorf("the removed member left delegations; %d are kept", gone.Delegations.Len())
	}
}

func TestLiveDelegations(t *testing.T) {
	s := shift(delegated(), delegated(func(e *workspace.Delegated) { e.Delegation, e.To, e.Start = "dg_0", "mb_adam", now }),
		delegated(func(e *workspace.Delegated) {
			e.Delegation, e.To, e.Until = "dg_3", "mb_mia", tomorrow.Add(time.Minute)
		}))
	for _, row := range []struct {
		name string
		s    workspace.State
		at   time.Time
		want []domain.DelegationID
	}{
		{"by start", s.State(), later, []domain.DelegationID{"dg_0", "dg_1", "dg_3"}},
		{"without what is over", s.State(), tomorrow.Add(time.Minute), []domain.DelegationID{"dg_0", "dg_1"}},
		{"without the removed", s.And(workspace.MemberRemoved{Member: "mb_tom", By: olga}).State(), later, []domain.DelegationID{"dg_0", "dg_3"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, row.s.LiveDelegations(row.at)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
