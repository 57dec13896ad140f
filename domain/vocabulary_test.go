package domain_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain"
)

func TestValidWorkspaceID(t *testing.T) {
	for id, want := range map[string]bool{
		"ab": true, "acme": true, "acme-2": true, "a1-b2-c3": true, "a1": true, "x" + strings.Repeat("y", 31): true,
		"": false, "a": false, "x" + strings.Repeat("y", 32): false, "Acme": false, "1acme": false, "-acme": false, "acme-": false,
		"ac--me": false, "ac_me": false, "_system": false, "acmé": false, "acme\n": false, "acme/x": false, "a b": false,
	} {
		if got := domain.ValidWorkspaceID(id); got != want {
			t.Errorf("%q: got %v, want %v", id, got, want)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "A.b_c:d-1": true, strings.Repeat("x", 128): true, "..": true,
		"": false, strings.Repeat("x", 129): false, "a b": false, "a/b": false, "é": false, "a\n": false, "*": false,
	} {
		if got := domain.ValidName(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func TestActorThroughText(t *testing.T) {
	kinds := []domain.ActorKind{domain.KindMember, domain.KindAgent, domain.KindOperator, domain.KindService}
	rapid.Check(t, func(t *rapid.T) {
		actor := domain.Actor{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), ID: rapid.String().Draw(t, "id")}
		if back := domain.ParseActor(actor.String()); back != actor {
			t.Fatalf("%v came back as %v", actor, back)
		}
		data, err := json.Marshal(actor)
		if err != nil {
			t.Fatal(err)
		}
		var back domain.Actor
		if err := json.Unmarshal(data, &back); err != nil || back != actor {
			t.Fatalf("%s came back as %v, %v", data, back, err)
		}
	})
	if got := domain.ParseActor("nobody"); got != (domain.Actor{}) {
		t.Errorf("text without a colon is %v", got)
	}
	if got := (domain.Actor{}).String(); got != "" {
		t.Errorf("no actor is %q", got)
	}
	for actor, want := range map[domain.Actor]string{
		domain.MemberActor("mb_1"): "member:mb_1", domain.AgentActor("ag_1"): "agent:ag_1",
		domain.Operator(): "operator:operator", domain.Service("timers"): "service:timers",
	} {
		if actor.String() != want {
			t.Errorf("got %s, want %s", actor, want)
		}
	}
}

// Roles in the log name permissions, so the list may only grow.
func TestPermissionsOnlyGrow(t *testing.T) {
	stored := strings.Fields(`workspace.manage member.invite member.read member.remove role.write agent.manage token.manage
		policy.read policy.write budget.read budget.write execution.request execution.read execution.control approval.read
		approval.decide audit.search audit.read_content audit.export replay.run sink.manage identity.manage key.manage subject.erase`)
	seen := map[domain.Permission]bool{}
	for _, info := range domain.Permissions() {
		if seen[info.Permission] || info.Sentence == "" || !strings.HasSuffix(info.Sentence, ".") {
			t.Errorf("%s is listed twice or has no sentence", info.Permission)
		}
		seen[info.Permission] = true
	}
	for _, p := range stored {
		if !domain.ValidPermission(domain.Permission(p)) || !seen[domain.Permission(p)] {
			t.Errorf("%s is gone", p)
		}
	}
	if domain.ValidPermission("") || domain.ValidPermission("policy.*") {
		t.Error("something that is no permission is one")
	}
	if len(seen) > 64 {
		t.Error("package workspace keeps permissions in 64 bits")
	}
}

func TestBuiltinRoles(t *testing.T) {
	for _, role := range domain.BuiltinRoles() {
		permissions, ok := domain.BuiltinRole(role)
		if !ok || len(permissions) == 0 || !domain.ValidName(string(role)) {
			t.Errorf("%s carries %v, %v", role, permissions, ok)
		}
		for i, p := range permissions {
			if !domain.ValidPermission(p) || slices.Contains(permissions[:i], p) {
				t.Errorf("%s carries %s, which does not exist or is there twice", role, p)
			}
		}
	}
	owner, _ := domain.BuiltinRole(domain.RoleOwner)
	if len(owner) != len(domain.Permissions()) {
		t.Error("an owner may not do everything")
	}
	if _, ok := domain.BuiltinRole("none"); ok {
		t.Error("a role that is none is built in")
	}
	// Who decides an approval may not be the agents' own.
	agent, _ := domain.BuiltinRole(domain.RoleAgent)
	if slices.Contains(agent, domain.ApprovalDecide) {
		t.Error("agents decide approvals")
	}
	// Changing one answer changes no other.
	owner[0] = "changed"
	if again, _ := domain.BuiltinRole(domain.RoleOwner); again[0] == "changed" {
		t.Error("answers share memory")
	}
}

func TestRefusalsCarryFacts(t *testing.T) {
	refusal := domain.Refuse(domain.Exceeded, "budget_exceeded", "%d is over", 3)
	if refusal.Error() != "budget_exceeded: 3 is over" || refusal.Facts != nil {
		t.Fatalf("got %v, %v", refusal, refusal.Facts)
	}
	if refusal.With("limit", 2).With("used", 3) != refusal || len(refusal.Facts) != 2 || refusal.Facts["limit"] != 2 {
		t.Fatalf("facts are %v", refusal.Facts)
	}
}
