package schema_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/schema"
	"github.com/clawoffice/ledger/domain/searchbook"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/domain/workspace"
)

// TestSamplesAreFrozen fails if a fact has no sample, or if a sample is not
// what it was when its name was first stored.
func TestSamplesAreFrozen(t *testing.T) {
	const path = "testdata/samples.sha256"
	frozen := map[string]string{}
	for line := range strings.Lines(read(t, path)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		frozen[name] = sum
	}
	var sums strings.Builder
	for _, n := range facts() {
		data := read(t, sample(n))
		if data == "" {
			t.Errorf("%s has no sample: write one as it is stored into %s", n, sample(n))
			continue
		}
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(data)))
		switch stands, ok := frozen[n]; {
		case ok && stands != sum:
			t.Errorf("the sample of %s changed; logs hold the old shape for ever", n)
			sum = stands
		case !ok && !*update:
			t.Errorf("the sample of %s is not frozen: run go test with -update", n)
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, n)
	}
	if *update {
		write(t, path, sums.String())
	}
}

// TestSamplesAreRead decodes every sample and compares what it means now with
// what it meant before.
func TestSamplesAreRead(t *testing.T) {
	for _, n := range facts() {
		t.Run(n, func(t *testing.T) {
			event := decoded(t, n)
			if event.EventType() != n {
				t.Errorf("an event of the newest shape is stored as %s; its sample is of an older version", event.EventType())
			}
			golden(t, "testdata/current/"+n+".json", encode(t, event))
		})
	}
}

// TestSamplesAreFolded folds the samples of each aggregate, in an order in
// which they could have happened, and compares the states.
func TestSamplesAreFolded(t *testing.T) {
	fold[workspace.State](t, "workspace", "created", "suspended", "resumed", "role_defined", "agent_registered", "token_issued",
		"member_invited", "member_joined", "roles_set", "token_revoked")
	fold[workspace.State](t, "workspace_undone", "created", "role_defined", "role_deleted", "agent_registered", "token_issued",
		"member_invited", "member_joined", "agent_removed", "member_removed")
	fold[workspace.State](t, "workspace_delegated", "created", "member_invited", "member_joined", "delegated")
	fold[workspace.State](t, "workspace_delegation_ended", "created", "member_invited", "member_joined", "delegated", "delegation_ended")
	fold[workspace.State](t, "workspace_erasure_ordered", "created", "member_invited", "member_joined", "subject_erasure_ordered")
	fold[workspace.State](t, "workspace_erased", "created", "member_invited", "member_joined", "subject_erasure_ordered", "subject_erased")
	fold[policy.State](t, "policy", "written")
	fold[searchbook.State](t, "search", "saved", "retention_set")
	fold[searchbook.State](t, "search_deleted", "saved", "deleted")
	fold[budget.State](t, "budget", "prices_set", "defined", "reserved", "expired", "settled", "alerted")
	fold[budget.State](t, "budget_undone", "defined", "reserved", "released", "deleted")
	fold[execution.State](t, "execution", "requested", "action_authorized", "action_started", "action_requested",
		"action_denied", "prompt_recorded", "completion_recorded", "prompt_failed", "completed")
	fold[execution.State](t, "execution_failed", "requested", "action_authorized", "action_started", "failed")
	fold[execution.State](t, "execution_cancelled", "requested", "cancelled")
	fold[execution.State](t, "execution_resolved", "requested", "action_authorized", "action_started", "prompt_recorded", "prompt_resolved", "resolved")
	fold[approval.State](t, "approval", "requested", "vote_cast", "approved")
	fold[approval.State](t, "approval_escalated", "requested", "escalated", "vote_cast", "approved")
	fold[approval.State](t, "approval_denied", "requested", "denied")
	fold[approval.State](t, "approval_expired", "requested", "expired")
	fold[approval.State](t, "approval_withdrawn", "requested", "withdrawn")
	fold[grant.State](t, "grant", "given", "used")
	fold[grant.State](t, "grant_revoked", "given", "used", "revoked")
	fold[webhook.State](t, "webhook", "registered", "attempt_failed", "test_requested", "delivered", "abandoned", "secret_rotated", "changed")
	fold[webhook.State](t, "webhook_removed", "registered", "attempt_failed", "removed")
}

// fold folds the samples of an aggregate, which is named before the "_".
func fold[S domain.State[S, C, E], C, E any](t *testing.T, story string, names ...string) {
	t.Run(story, func(t *testing.T) {
		aggregate, _, _ := strings.Cut(story, "_")
		var s S
		for _, n := range names {
			event, ok := decoded(t, aggregate+"."+n+".v1").(E)
			if !ok {
				t.Fatalf("%s is not an event of %s", n, aggregate)
			}
			s = s.Evolve(event)
		}
		domaintest.RoundTrip(t, s)
		golden(t, "testdata/folds/"+story+".json", encode(t, s))
	})
}

func decoded(t *testing.T, name string) domain.Event {
	t.Helper()
	event, err := schema.Decode(name, []byte(read(t, sample(name))))
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// golden compares with what was written before. A difference in testdata/folds
// may be a State that keeps more; one in testdata/current is a change of what
// stored events mean.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		write(t, path, string(got))
	}
	if diff := cmp.Diff(read(t, path), string(got)); diff != "" {
		t.Errorf("%s (-before +now):\n%s", path, diff)
	}
}

func facts() []string {
	var names []string
	for _, n := range schema.Names() {
		if n.Class == schema.Fact {
			names = append(names, n.Name)
		}
	}
	return names
}
