package workspace_test

import (
	"fmt"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

func register(change func(*workspace.RegisterAgent)) workspace.RegisterAgent {
	c := workspace.RegisterAgent{Agent: "ag_new", Name: "clerk", Roles: roles(domain.RoleAgent), By: olga, At: now}
	if change != nil {
		change(&c)
	}
	return c
}

func TestRegisterAgent(t *testing.T) {
	for _, row := range []struct {
		name      string
		workflows []domain.Workflow
		want      []domain.Workflow
		hr        bool
	}{
		{"all by default", nil, []domain.Workflow{"*"}, true},
		{"all", []domain.Workflow{"invoices", "*"}, []domain.Workflow{"*"}, true},
		{"some", []domain.Workflow{"payroll", "invoices", "payroll"}, []domain.Workflow{"invoices", "payroll"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := office().When(register(func(c *workspace.RegisterAgent) { c.Workflows = row.workflows })).Then(t,
				workspace.AgentRegistered{Agent: "ag_new", Name: "clerk", Roles: roles(domain.RoleAgent), Workflows: row.want, By: olga, At: now})
			if !s.State().AgentAllowsWorkflow("ag_new", "invoices") || s.State().AgentAllowsWorkflow("ag_new", "hr") != row.hr {
				t.Fatal("the agent is held to the wrong workflows")
			}
			s.When(register(nil)).Then(t) // a repeat
			s.When(register(func(c *workspace.RegisterAgent) { c.Name = "another" })).Refused(t, domain.Conflict, "agent_exists")
		})
	}
	if office().State().AgentAllowsWorkflow("ag_none", "invoices") {
		t.Fatal("no agent, no workflow")
	}
}

func TestRegisterAgentRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*workspace.RegisterAgent)
		code   string
	}{
		{"no id", func(c *workspace.RegisterAgent) { c.Agent = "" }, "invalid_agent"},
		{"no name", func(c *workspace.RegisterAgent) { c.Name = "" }, "invalid_name"},
		{"bad workflow", func(c *workspace.RegisterAgent) { c.Workflows = []domain.Workflow{"a b"} }, "invalid_workflow"},
		{"too many workflows", func(c *workspace.RegisterAgent) { c.Workflows = make([]domain.Workflow, workspace.MaxWorkflows+1) }, "too_many_workflows"},
		{"unknown role", func(c *workspace.RegisterAgent) { c.Roles = roles("none") }, "role_unknown"},
		{"human role", func(c *workspace.RegisterAgent) { c.Roles = roles(domain.RoleOwner) }, "human_only"},
	} {
		t.Run(row.name, func(t *testing.T) {
			office().When(register(row.change)).Refused(t, domain.Invalid, row.code)
		})
	}
}

func TestRemoveAgent(t *testing.T) {
	remove := workspace.RemoveAgent{Agent: "ag_1", By: adam, At: now}
	gone := office(issued("tk_1", agent)).When(remove).Then(t, workspace.AgentRemoved{Agent: "ag_1", By: adam})
	if c, _ := gone.State().TokenByID("tk_1"); c.Live(now) || gone.State().Active(agent, now) || gone.State().AgentAllowsWorkflow("ag_1", "invoices") {
		t.Fatal("the agent outlived its removal")
	}
	gone.When(remove).Then(t)
	office().When(workspace.RemoveAgent{Agent: "ag_none", By: adam, At: now}).Refused(t, domain.NotFound, "agent_unknown")
}

func TestRoomForActors(t *testing.T) {
	crowd := created()
	for i := 1; i < workspace.MaxActors; i++ {
		crowd = append(crowd, workspace.AgentRegistered{Agent: domain.AgentID(fmt.Sprint("ag_", i)), At: earlier})
	}
	crowd[len(crowd)-1] = invited("mb_ivan", domain.RoleMember)
	full := given(crowd...).State()
	refused := func(command workspace.Command) {
		t.Helper()
		if _, err := full.Decide(command); !isCode(err, "too_many_actors") {
			t.Fatalf("got %v", err)
		}
	}
	refused(invite(nil))
	refused(register(nil))
	lapsed := invite(func(c *workspace.InviteMember) {
		c.Person.Subject, c.At, c.ExpiresAt = "subject of mb_ivan", later, later.Add(1)
	})
	if _, err := full.Decide(lapsed); err != nil {
		t.Fatalf("replacing a lapsed invitation needs no room: %v", err)
	}
	if _, err := full.Evolve(workspace.AgentRemoved{Agent: "ag_5"}).Decide(register(nil)); err != nil {
		t.Fatalf("a removal makes room: %v", err)
	}
}

func isCode(err error, code string) bool {
	refusal, ok := err.(*domain.Error)
	return ok && refusal.Code == code
}
