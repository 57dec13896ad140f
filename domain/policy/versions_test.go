package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
)

// large is a policy of about size bytes.
func large(size int) policy.Policy {
	p := policy.Policy{Workflow: "*", Mode: policy.Enforce, Default: gate.Deny, Rules: []policy.Rule{}}
	for i := range size / 4000 {
		p.Rules = append(p.Rules, policy.Rule{ID: domain.RuleID(fmt.Sprint("r", i)), Actions: []domain.ActionKind{"*"}, Effect: gate.Deny,
			When: "workflow == '" + strings.Repeat("x", 3900) + "'"})
	}
	return p
}

func version(id domain.PolicyID, n int, p policy.Policy) policy.Written {
	return policy.Written{ID: id, Version: n, Digest: domain.Digest(fmt.Sprint("digest", n)), Policy: p, By: author, At: now}
}

func stored(t *testing.T, s policy.State) int {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return len(text)
}

func TestOldVersionsAreSummarised(t *testing.T) {
	var s policy.State
	for n := 1; n <= policy.MaxVersions+50; n++ {
		s = s.Evolve(version("p", n, good()))
	}
	versions, _ := s.Policies.Get("p")
	if len(versions) != policy.MaxVersions || versions[0].Version != 51 || versions.Current().Version != policy.MaxVersions+50 {
		t.Fatalf("knows %d versions from %d to %d", len(versions), versions[0].Version, versions.Current().Version)
	}
	for i, w := range versions {
		if whole := i >= len(versions)-policy.MaxWhole; w.Whole() != whole || whole && len(w.Policy.Rules) != 3 {
			t.Fatalf("version %d is whole: %v", w.Version, w.Whole())
		}
		if w.ID != "p" || w.Digest == "" || w.By != author || !w.At.Equal(now) {
			t.Fatalf("the summary of version %d says %+v", w.Version, w)
		}
	}
	domaintest.RoundTrip(t, s)
}

func TestOldVersionsAreBoundedTogether(t *testing.T) {
	var s policy.State
	for n := 1; n <= 8; n++ {
		for id := range 4 {
			s = s.Evolve(version(domain.PolicyID(fmt.Sprint("p", id)), n, large(200_000)))
		}
	}
	if size := stored(t, s); size > 4*210_000+policy.MaxOldSize+100_000 || s.OldSize > policy.MaxOldSize {
		t.Fatalf("the state takes %d bytes", size)
	}
	// The newest stay.
	for id := range 4 {
		for n, want := range map[int]bool{8: true, 7: true, 6: true, 4: false, 1: false} {
			if w, ok := s.Version(domain.PolicyID(fmt.Sprint("p", id)), n); !ok || w.Whole() != want {
				t.Errorf("version %d of policy %d is whole: %v", n, id, w.Whole())
			}
		}
	}
	if _, err := policy.Compile(s); err != nil {
		t.Fatal(err)
	}
}

// A state never changes, also not by what is folded onto it.
func TestSummariesLeaveOlderStatesAlone(t *testing.T) {
	var before policy.State
	for n := 1; n <= policy.MaxWhole; n++ {
		before = before.Evolve(version("p", n, good()))
	}
	before.Evolve(version("p", policy.MaxWhole+1, good())).Evolve(version("q", 1, good()))
	if w, _ := before.Version("p", 1); !w.Whole() || len(before.Old) != policy.MaxWhole-1 {
		t.Fatal("folding changed the state that it was folded onto")
	}
}

func TestWriteRefusesTooMuch(t *testing.T) {
	var events []policy.Event
	for i := range 20 {
		events = append(events, version(domain.PolicyID(fmt.Sprint("p", i)), 1, large(200_000)))
	}
	full := domaintest.Given[policy.State](events...)
	put := func(id domain.PolicyID, size int) policy.Write {
		return policy.Write{ID: id, Policy: large(size), By: author, At: now}
	}
	full.When(put("more", 240_000)).Refused(t, domain.Conflict, "policies_too_large")
	nearly := full
	for i := range 4 {
		nearly = nearly.And(version(domain.PolicyID(fmt.Sprint("p", i)), 2, large(240_000)))
	}
	nearly.When(put("p5", 240_000)).Accepted(t).When(put("p6", 240_000)).Refused(t, domain.Conflict, "policies_too_large")
	// What makes a policy shorter is granted however much there is.
	over := domaintest.Given[policy.State](append(events, version("huge", 1, large(2_000_000)))...)
	over.When(put("p1", 100_000)).Accepted(t)
	full.When(put("p1", 4000)).Accepted(t).When(put("more", 180_000)).Accepted(t)
}
