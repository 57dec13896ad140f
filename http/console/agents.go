package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

func agentRoutes() []route {
	return []route{
		{"GET", "/people/agents", showAgents},
		{"GET", "/people/new-agent", func(v *visit) error { return v.agentForm(http.StatusOK, newAgentView{Workflows: "*"}) }},
		{"POST", "/people/new-agent", createAgent},
		{"GET", "/people/agents/{id}", func(v *visit) error { return v.agent(http.StatusOK, agentView{}) }},
		{"POST", "/people/agents/{id}/tokens", createAgentToken},
		{"POST", "/people/agents/{id}/tokens/{tid}/revoke", revokeAgentToken},
		{"POST", "/people/agents/{id}/remove", removeAgent},
	}
}

// agentsView is the list of machine identities.
type agentsView struct {
	Agents   []api.Agent
	Statuses []choice
	Status   string
	Next     string
}

func showAgents(v *visit) error {
	view := agentsView{Status: v.query("status")}
	list, err := read[api.AgentList](v.api.ListAgents(v.ctx(), v.ws, &api.ListAgentsParams{Limit: given(200), Cursor: given(v.query("cursor")), MinPosition: v.after()}))
	if err != nil {
		return err
	}
	for _, a := range list.Items {
		if view.Status == "" || string(a.Status) == view.Status {
			view.Agents = append(view.Agents, a)
		}
	}
	for _, s := range []string{"", "active", "removed"} {
		label := words(s)
		if s == "" {
			label = "All"
		}
		view.Statuses = append(view.Statuses, choice{label, v.AgentsURL("status", s), s == view.Status})
	}
	if list.Next != "" {
		view.Next = v.AgentsURL("status", view.Status, "cursor", list.Next)
	}
	return v.page("agents.html", "people", "Agents", view)
}

// allAgents reads the whole list of agents.
func (v *visit) allAgents() ([]api.Agent, error) {
	var all []api.Agent
	cursor := ""
	for range 50 {
		list, err := read[api.AgentList](v.api.ListAgents(v.ctx(), v.ws, &api.ListAgentsParams{Limit: given(1000), Cursor: given(cursor)}))
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if cursor = list.Next; cursor == "" {
			return all, nil
		}
	}
	return nil, errors.New("a workspace has more agents than this page reads")
}

// newAgentView is the form for an agent.
type newAgentView struct {
	Name, Workflows string
	Roles           []roleChoice
	Problem         *refusal
}

func (v *visit) agentForm(status int, view newAgentView) error {
	held := v.r.PostForm["roles"]
	if v.r.Method == http.MethodGet {
		held = []string{"agent"}
	}
	var err error
	if view.Roles, err = v.roleChoices(held); err != nil {
		return err
	}
	return v.pageStatus(status, "newagent.html", "people", "New agent", view)
}

func createAgent(v *visit) error {
	view := newAgentView{Name: strings.TrimSpace(v.form("name")), Workflows: v.form("workflows")}
	in := api.AgentInput{Name: view.Name, Roles: append(api.Roles{}, v.r.PostForm["roles"]...)}
	in.Workflows = append(in.Workflows, strings.FieldsFunc(view.Workflows, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })...)
	made, err := send[api.Agent](v.api.CreateAgent(v.ctx(), v.ws, &api.CreateAgentParams{IdempotencyKey: v.key()}, in))
	if r := correctable(err); r != nil {
		view.Problem = r
		return v.agentForm(r.Status, view)
	}
	if err != nil {
		return err
	}
	return v.done(v.AgentURL(made.Body.ID), "The agent is registered. It can do nothing until it has a token.", made.Position)
}

// agentView is the page of one agent.
type agentView struct {
	Agent   api.Agent
	Actor   string
	Tokens  []api.Token
	Ended   int  // tokens that are over and not listed
	All     bool // list those too
	Problem *refusal
	Name    string // of the token, as typed
	Days    string
	Made    *api.TokenCreated
}

func (v *visit) agent(status int, view agentView) error {
	id := v.value("id")
	var err error
	if view.Agent, err = read[api.Agent](v.api.GetAgent(v.ctx(), v.ws, id, &api.GetAgentParams{MinPosition: v.after()})); err != nil {
		return err
	}
	view.Actor = "agent:" + id
	if v.May("token.manage") {
		if view.Tokens, err = v.tokensOf(view.Actor); err != nil {
			return err
		}
		view.All = v.query("all") == "1"
		view.Tokens, view.Ended = working(view.Tokens, view.All)
	}
	return v.pageStatus(status, "agent.html", "people", view.Agent.Name, view)
}

// createAgentToken issues a token and shows it, this once.
func createAgentToken(v *visit) error {
	view := agentView{Name: strings.TrimSpace(v.form("name")), Days: v.form("days")}
	made, err := send[api.TokenCreated](v.api.CreateAgentToken(v.ctx(), v.ws, v.value("id"),
		&api.CreateAgentTokenParams{IdempotencyKey: v.key()}, api.TokenInput{Name: view.Name, ExpiresAt: v.endsAfter(view.Days)}))
	if r := correctable(err); r != nil && r.Status != http.StatusNotFound {
		view.Problem = r
		return v.agent(r.Status, view)
	}
	if err != nil {
		return err
	}
	v.secret()
	v.flash.Position = made.Position
	return v.agent(http.StatusOK, agentView{Made: &made.Body})
}

// endsAfter is when a token ends that works for so many days; never, if the
// form says none.
func (v *visit) endsAfter(days string) time.Time {
	if n, ok := map[string]int{"1": 1, "7": 7, "30": 30, "90": 90, "365": 365}[days]; ok {
		return v.now().Add(time.Duration(n) * 24 * time.Hour).UTC()
	}
	return time.Time{}
}

func revokeAgentToken(v *visit) error {
	done, err := send[none](v.api.RevokeToken(v.ctx(), v.ws, v.value("tid"), &api.RevokeTokenParams{IdempotencyKey: v.key()}))
	if err != nil {
		return err
	}
	return v.done(v.AgentURL(v.value("id")), "The token is revoked and works nowhere any more.", done.Position)
}

func removeAgent(v *visit) error {
	done, err := send[none](v.api.RemoveAgent(v.ctx(), v.ws, v.value("id"), &api.RemoveAgentParams{IdempotencyKey: v.key()}))
	if err != nil {
		return err
	}
	return v.done(v.AgentURL(v.value("id")), "The agent is removed. None of its tokens works any more.", done.Position)
}
