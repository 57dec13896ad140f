package console

import (
	"net/url"
	"strings"
)

// links makes the addresses of one workspace; nothing else does. It is the
// prefix /console/{ws}.
type links string

func (l links) path(parts ...string) string {
	out := strings.Builder{}
	out.WriteString(string(l))
	for i, part := range parts {
		if i%2 == 1 { // what stands between literals
			part = url.PathEscape(part)
		}
		out.WriteString(part)
	}
	return out.String()
}

// with adds parameters, given as names and values in turn; empty values are left out.
func with(path string, pairs []string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Add(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// SearchURL finds events by metadata: SearchURL("actor", "agent:ag_x").
func (l links) SearchURL(pairs ...string) string { return with(l.path("/search"), pairs) }

// EventURL is the page of one record.
func (l links) EventURL(id string) string { return l.path("/events/", id) }

// ExecutionsURL is the list of executions.
func (l links) ExecutionsURL(pairs ...string) string { return with(l.path("/executions"), pairs) }

// ExecutionURL is the page of one execution.
func (l links) ExecutionURL(id string) string { return l.path("/executions/", id) }

// ApprovalsURL is the inbox.
func (l links) ApprovalsURL(pairs ...string) string { return with(l.path("/approvals"), pairs) }

// ApprovalURL is the page of one approval.
func (l links) ApprovalURL(id string) string { return l.path("/approvals/", id) }

// GrantsURL is the list of standing grants.
func (l links) GrantsURL(pairs ...string) string { return with(l.path("/grants"), pairs) }

// GrantURL is the page of one standing grant.
func (l links) GrantURL(id string) string { return l.path("/grants/", id) }

// DelegationsURL is the list of who stands in for whom.
func (l links) DelegationsURL() string { return l.path("/delegations") }

// BudgetsURL is the list of budgets.
func (l links) BudgetsURL(pairs ...string) string { return with(l.path("/budgets"), pairs) }

// BudgetURL is the page of one budget.
func (l links) BudgetURL(id string) string { return l.path("/budgets/", id) }

// PricesURL is the table of what models cost.
func (l links) PricesURL() string { return l.path("/prices") }

// PeopleURL is the list of members.
func (l links) PeopleURL(pairs ...string) string { return with(l.path("/people"), pairs) }

// MemberURL is the page of one member.
func (l links) MemberURL(id string) string { return l.path("/people/members/", id) }

// AgentsURL is the list of agents.
func (l links) AgentsURL(pairs ...string) string { return with(l.path("/people/agents"), pairs) }

// AgentURL is the page of one agent.
func (l links) AgentURL(id string) string { return l.path("/people/agents/", id) }

// TokensURL is the list of tokens.
func (l links) TokensURL(pairs ...string) string { return with(l.path("/people/tokens"), pairs) }

// RolesURL is the list of roles.
func (l links) RolesURL(pairs ...string) string { return with(l.path("/people/roles"), pairs) }

// RoleURL is the page of one role.
func (l links) RoleURL(name string) string { return l.path("/people/roles/", name) }

// AccessURL asks who may do what.
func (l links) AccessURL(pairs ...string) string { return with(l.path("/access"), pairs) }

// PoliciesURL is the list of policies.
func (l links) PoliciesURL(pairs ...string) string { return with(l.path("/policies"), pairs) }

// PolicyURL is the page of one policy.
func (l links) PolicyURL(id string) string { return l.path("/policies/", id) }

// HealthURL is the page of read models and index.
func (l links) HealthURL() string { return l.path("/health") }

// AccountURL is the member's own page.
func (l links) AccountURL() string { return l.path("/account") }

// To is an address below the workspace whose parts need no escaping, for forms:
// To "/sign-out".
func (l links) To(path string) string { return l.path(path) }

// ref is a link with an id, shortened, as its text. Without an address it is
// text only.
type ref struct{ URL, Text, Full string }

// Event refers to a record.
func (l links) Event(id string) ref { return ref{l.EventURL(id), short(id), id} }

// Execution refers to an execution.
func (l links) Execution(id string) ref { return ref{l.ExecutionURL(id), short(id), id} }

// Approval refers to an approval.
func (l links) Approval(id string) ref { return ref{l.ApprovalURL(id), short(id), id} }

// Budget refers to a budget; its name is not shortened.
func (l links) Budget(id string) ref { return ref{l.BudgetURL(id), id, id} }

// Policy refers to a policy; its name is not shortened.
func (l links) Policy(id string) ref { return ref{l.PolicyURL(id), id, id} }

// Role refers to a role.
func (l links) Role(name string) ref { return ref{l.RoleURL(name), name, name} }

// Plain is an id that leads nowhere.
func (l links) Plain(id string) ref { return ref{"", short(id), id} }
