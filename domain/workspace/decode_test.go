package workspace_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/workspace"
)

// samples is one full event of each kind.
func samples() []workspace.Event {
	token := issued("tk_x", mia)
	token.ExpiresAt = &later
	return []workspace.Event{
		workspace.Created{Workspace: "acme", Name: "Acme", Currency: "EUR", At: now},
		workspace.Suspended{Reason: "unpaid"},
		workspace.Resumed{},
		invited("mb_x", domain.RoleMember),
		joined("mb_x"),
		workspace.MemberRemoved{Member: "mb_x", By: olga},
		workspace.RolesSet{Actor: mia, Roles: roles("clerk"), Until: &later, By: olga, At: now},
		workspace.RoleDefined{Role: "clerk", Permissions: []domain.Permission{domain.BudgetRead}, Description: "d", Version: 1, By: olga},
		workspace.RoleDeleted{Role: "clerk", By: olga},
		workspace.AgentRegistered{Agent: "ag_1", Name: "n", Roles: roles("clerk"), Workflows: []domain.Workflow{"*"}, By: olga, At: now},
		workspace.AgentRemoved{Agent: "ag_1", By: olga},
		token,
		workspace.TokenRevoked{Token: "tk_x", By: olga},
		delegated(),
		workspace.DelegationEnded{Delegation: "dg_1", By: sue, At: now},
		workspace.SubjectErasureOrdered{Erasure: "er_1", Subject: "subject of mb_x", Member: "mb_x", Reason: "asked", By: olga, At: now},
		workspace.SubjectErased{Erasure: "er_1", Subject: "subject of mb_x", Keys: []string{"key.1"}, At: now},
	}
}

func TestDecode(t *testing.T) {
	seen := map[string]bool{}
	for _, want := range samples() {
		name := want.EventType()
		if seen[name] {
			t.Errorf("two events are stored as %s", name)
		}
		seen[name] = true
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := workspace.Decode(name, data)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
		if _, err := workspace.Decode(name, []byte(`{"at":`)); err == nil || errors.Is(err, workspace.ErrUnknownEvent) {
			t.Errorf("%s: broken data answered %v", name, err)
		}
		if _, err := workspace.Decode(name, []byte(`{"added_later":1}`)); err != nil {
			t.Errorf("%s: a member added later answered %v", name, err)
		}
	}
	if _, err := workspace.Decode("workspace.created.v0", nil); !errors.Is(err, workspace.ErrUnknownEvent) {
		t.Errorf("unknown name answered %v", err)
	}
}

// Whatever is stored, in whatever order, folding never fails and the state
// survives a snapshot.
func FuzzDecode(f *testing.F) {
	for _, e := range samples() {
		data, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.EventType(), data, "workspace.token_revoked.v1", []byte(`null`))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte, name2 string, data2 []byte) {
		s := workspace.State{}
		if e, err := workspace.Decode(name, data); err == nil {
			s = s.Evolve(e)
		}
		if e, err := workspace.Decode(name2, data2); err == nil {
			s = s.Evolve(e)
		}
		domaintest.RoundTrip(t, s)
	})
}
