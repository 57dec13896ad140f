package workspace_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

func orderErasure(change ...func(*workspace.OrderErasure)) workspace.OrderErasure {
	c := workspace.OrderErasure{Erasure: "er_1", Subject: "ada", Reason: "request 7", By: olga, At: now}
	for _, f := range change {
		f(&c)
	}
	return c
}

func ordered(change ...func(*workspace.SubjectErasureOrdered)) workspace.SubjectErasureOrdered {
	e := workspace.SubjectErasureOrdered{Erasure: "er_1", Subject: "ada", Reason: "request 7", By: olga, At: now}
	for _, f := range change {
		f(&e)
	}
	return e
}

// of orders the erasure of a member's profile instead.
func of(member domain.MemberID) func(*workspace.OrderErasure) {
	return func(c *workspace.OrderErasure) { c.Subject, c.Member = "", member }
}

func TestOrderErasure(t *testing.T) {
	orderedOf := func(member domain.MemberID) workspace.SubjectErasureOrdered {
		return ordered(func(e *workspace.SubjectErasureOrdered) {
			e.Subject, e.Member = domain.SubjectTag("subject of "+member), member
		})
	}
	second := func(c *workspace.OrderErasure) { c.Erasure = "er_2" }
	tests := []struct {
		name  string
		given []workspace.Event
		when  workspace.OrderErasure
		then  []workspace.Event
	}{
		{"a subject that nothing is known of", nil, orderErasure(), []workspace.Event{ordered()}},
		{"a member's profile", nil, orderErasure(of("mb_mia")), []workspace.Event{orderedOf("mb_mia")}},
		{"an invited one's", nil, orderErasure(of("mb_ivan")), []workspace.Event{orderedOf("mb_ivan")}},
		{"the profile of one who was removed", []workspace.Event{workspace.MemberRemoved{Member: "mb_mia", By: olga}}, orderErasure(of("mb_mia")),
			[]workspace.Event{orderedOf("mb_mia")}},
		{"again", []workspace.Event{ordered()}, orderErasure(), nil},
		{"again after it was done", []workspace.Event{ordered(), workspace.SubjectErased{Erasure: "er_1", Subject: "ada"}}, orderErasure(), nil},
		{"the same subject in another order", []workspace.Event{ordered()}, orderErasure(second),
			[]workspace.Event{ordered(func(e *workspace.SubjectErasureOrdered) { e.Erasure = "er_2" })}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { office(tt.given...).When(tt.when).Then(t, tt.then...) })
	}
}

func TestOrderErasureRefused(t *testing.T) {
	var many []workspace.Event
	for i := range workspace.MaxErasures {
		many = append(many, ordered(func(e *workspace.SubjectErasureOrdered) { e.Erasure = domain.ErasureID(fmt.Sprint("er_many", i)) }))
	}
	for _, row := range []struct {
		name  string
		given []workspace.Event
		when  workspace.OrderErasure
		kind  domain.Kind
		code  string
	}{
		{"no id", nil, orderErasure(func(c *workspace.OrderErasure) { c.Erasure = "" }), domain.Invalid, "invalid_erasure"},
		{"nobody", nil, orderErasure(of("")), domain.Invalid, "invalid_subject"},
		{"two", nil, orderErasure(func(c *workspace.OrderErasure) { c.Member = "mb_mia" }), domain.Invalid, "invalid_subject"},
		{"no reason", nil, orderErasure(func(c *workspace.OrderErasure) { c.Reason = " " }), domain.Invalid, "invalid_reason"},
		{"a long reason", nil, orderErasure(func(c *workspace.OrderErasure) { c.Reason = strings.Repeat("x", 501) }), domain.Invalid, "invalid_reason"},
		{"a member there is not", nil, orderErasure(of("mb_none")), domain.NotFound, "member_unknown"},
		{"the id of another", []workspace.Event{ordered()}, orderErasure(func(c *workspace.OrderErasure) { c.Subject = "bob" }), domain.Conflict, "erasure_exists"},
		{"too many at once", many, orderErasure(), domain.Conflict, "too_many_erasures"},
	} {
		t.Run(row.name, func(t *testing.T) { office(row.given...).When(row.when).Refused(t, row.kind, row.code) })
	}
}

func TestFinishErasure(t *testing.T) {
	finish := workspace.FinishErasure{Erasure: "er_1", Keys: []string{"key.1", "key.2"}, At: later}
	s := office(ordered()).When(finish).Then(t, workspace.SubjectErased{Erasure: "er_1", Subject: "ada", Keys: []string{"key.1", "key.2"}, At: later})
	if e, ok := s.State().Erasures.Get("er_1"); !ok || e != (workspace.Erasure{Subject: "ada", Done: true, Keys: 2}) {
		t.Errorf("the state remembers %+v", e)
	}
	finish.Keys = nil
	s.When(finish).Then(t) // again, and by another process
	office().When(finish).Refused(t, domain.NotFound, "erasure_unknown")
	office(ordered(), workspace.Suspended{}).When(finish).Then(t, workspace.SubjectErased{Erasure: "er_1", Subject: "ada", Keys: []string{}, At: later})
}

// Whose profile was erased stays a member with the same rights, and is told
// from one who is invited under the same address afterwards.
func TestErasedMembersStayMembers(t *testing.T) {
	profile := ordered(func(e *workspace.SubjectErasureOrdered) { e.Subject, e.Member = "subject of mb_mia", "mb_mia" })
	s := office(profile, workspace.SubjectErased{Erasure: "er_1", Subject: "subject of mb_mia", Keys: []string{"key.1"}})
	before, _ := office().State().Members.Get("mb_mia")
	after, _ := s.State().Members.Get("mb_mia")
	if before.Erased || !after.Erased || after.Status != workspace.Joined {
		t.Errorf("she was %+v and is %+v", before, after)
	}
	if got := s.State().RolesOf(mia, now); len(got) != 1 || got[0] != domain.RoleMember {
		t.Errorf("her roles are %v", got)
	}
	again := invited("mb_mia2", domain.RoleMember)
	again.Subject = "subject of mb_mia"
	s = s.And(workspace.MemberRemoved{Member: "mb_mia", By: olga}, again)
	if m, _ := s.State().Members.Get("mb_mia2"); m.Erased {
		t.Error("who was invited afterwards is taken for erased")
	}
}

// Of what is done only the newest is remembered; open orders always are.
func TestOldErasuresAreForgotten(t *testing.T) {
	s := office(ordered()).State()
	for i := range 600 {
		id := domain.ErasureID(fmt.Sprint("er_done", i))
		s = s.Evolve(ordered(func(e *workspace.SubjectErasureOrdered) { e.Erasure = id })).Evolve(workspace.SubjectErased{Erasure: id, Subject: "ada"})
	}
	if !s.Erasures.Has("er_1") || !s.Erasures.Has("er_done599") || s.Erasures.Has("er_done0") || s.Erasures.Len() != 502 || len(s.Finished) != 500 {
		t.Errorf("%d erasures are remembered, %d of them done", s.Erasures.Len(), len(s.Finished))
	}
	if _, err := s.Decide(orderErasure(func(c *workspace.OrderErasure) { c.Erasure = "er_new" })); err != nil {
		t.Errorf("another order: %v", err)
	}
}
