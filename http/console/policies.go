package console

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

func policyRoutes() []route {
	return []route{
		{"GET", "/policies", showPolicies},
		{"POST", "/policies", dryRunAll},
		{"GET", "/policies/{id}", func(v *visit) error { return v.policy(http.StatusOK, dryRun{}) }},
		{"POST", "/policies/{id}", dryRunOne},
		{"GET", "/policies/{id}/versions", showVersions},
	}
}

// policiesView is the list of policies in force, and the dry run against all.
type policiesView struct {
	Policies  []api.Policy
	Modes     []choice
	Workflows []choice
	Filtered  bool
	Run       dryRun
}

func showPolicies(v *visit) error {
	if id := strings.TrimSpace(v.query("new")); id != "" {
		return v.redirect(v.PolicyURL(id) + "/edit")
	}
	return v.policies(http.StatusOK, dryRun{})
}

func (v *visit) policies(status int, run dryRun) error {
	list, err := read[api.PolicyList](v.api.ListPolicies(v.ctx(), v.ws, &api.ListPoliciesParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	mode, workflow := v.query("mode"), v.query("workflow")
	view := policiesView{Filtered: mode != "" || workflow != "", Run: run}
	view.Modes = []choice{{"Any mode", v.PoliciesURL("workflow", workflow), mode == ""}}
	for _, m := range []string{"enforce", "shadow"} {
		view.Modes = append(view.Modes, choice{m, v.PoliciesURL("workflow", workflow, "mode", m), m == mode})
	}
	seen := map[string]bool{}
	for _, p := range list.Items {
		seen[p.Workflow] = true
		if (mode == "" || string(p.Mode) == mode) && (workflow == "" || p.Workflow == workflow) {
			view.Policies = append(view.Policies, p)
		}
	}
	slices.SortFunc(view.Policies, func(a, b api.Policy) int { return strings.Compare(a.ID, b.ID) })
	view.Workflows = []choice{{"Any workflow", v.PoliciesURL("mode", mode), workflow == ""}}
	names := []string{}
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		label := name
		if name == "*" {
			label = "All workflows"
		}
		view.Workflows = append(view.Workflows, choice{label, v.PoliciesURL("mode", mode, "workflow", name), name == workflow})
	}
	return v.pageStatus(status, "policies.html", "policies", "Policies", view)
}

// policyView is one policy as a table of rules and as its source.
type policyView struct {
	Policy  api.Policy
	Source  string
	Run     dryRun
	Decided string // the rule of this policy that decided in the dry run
}

func (v *visit) policy(status int, run dryRun) error {
	p, err := read[api.Policy](v.api.GetPolicy(v.ctx(), v.ws, v.value("id"), &api.GetPolicyParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	view := policyView{Policy: p, Run: run}
	if view.Run.Workflow == "" && p.Workflow != "*" {
		view.Run.Workflow = p.Workflow
	}
	view.Run.Alone = p.ID
	if run.Decision != nil && run.Decision.Policy == p.ID {
		view.Decided = run.Decision.Rule
	}
	if view.Source, err = sourceOf(p); err != nil {
		return err
	}
	return v.pageStatus(status, "policy.html", "policies", "Policy "+p.ID, view)
}

// dryRun is the form that asks what would be decided, and the answer.
type dryRun struct {
	Alone    string // the one policy asked; "" for all
	Workflow string
	Action   string // JSON as pasted
	Context  string
	Problem  *refusal
	Lines    []sourceLine // of what was pasted, where it is no JSON
	Decision *api.Decision
}

// pasted is what may be pasted as an action: the action alone, or the whole body
// of a request for an execution.
type pasted struct {
	Kind     string          `json:"kind"`
	Params   json.RawMessage `json:"params"`
	Workflow string          `json:"workflow"`
	Context  json.RawMessage `json:"context"`
	Action   *struct {
		Kind   string          `json:"kind"`
		Params json.RawMessage `json:"params"`
	} `json:"action"`
}

func dryRunAll(v *visit) error {
	run, err := v.dryRun("")
	if err != nil {
		return err
	}
	return v.policies(run.status(), run)
}

func dryRunOne(v *visit) error {
	run, err := v.dryRun(v.value("id"))
	if err != nil {
		return err
	}
	return v.policy(run.status(), run)
}

func (r dryRun) status() int {
	if r.Problem != nil {
		return r.Problem.Status
	}
	return http.StatusOK
}

// dryRun asks the policies, or one alone, about the action in the form.
func (v *visit) dryRun(alone string) (dryRun, error) {
	run := dryRun{Alone: alone, Workflow: strings.TrimSpace(v.form("workflow")), Action: v.form("action"), Context: v.form("context")}
	in := run.evaluation()
	if in == nil {
		return run, nil
	}
	d, err := read[api.Decision](v.api.EvaluatePolicy(v.ctx(), v.ws, *in))
	if r := correctable(err); r != nil {
		run.Problem = r
		return run, nil
	}
	run.Decision = &d
	return run, err
}

// evaluation is the question in the form; nil, with a problem, if it is none.
func (r *dryRun) evaluation() *api.Evaluation {
	for _, field := range []struct{ name, text string }{{"action", r.Action}, {"context", r.Context}} {
		if field.name == "context" && strings.TrimSpace(field.text) == "" {
			continue
		}
		if line, column, what := jsonFault(field.text); line > 0 {
			r.Problem = refuse(http.StatusBadRequest, "json_invalid", "The "+field.name+" is no JSON",
				"Line "+strconv.Itoa(line)+", column "+strconv.Itoa(column)+": "+what+".")
			r.Lines = around(field.text, line)
			return nil
		}
	}
	var p pasted
	if err := json.Unmarshal([]byte(r.Action), &p); err != nil {
		r.Problem = refuse(http.StatusBadRequest, "action_invalid", "This is no action", `Paste an object with "kind" and "params", or the body of a request for an execution.`)
		return nil
	}
	in := &api.Evaluation{Policy: r.Alone, Workflow: r.Workflow, Action: api.ActionInput{Kind: p.Kind, Params: p.Params}, Context: p.Context}
	if p.Action != nil {
		in.Action = api.ActionInput{Kind: p.Action.Kind, Params: p.Action.Params}
	}
	if in.Workflow == "" {
		in.Workflow = p.Workflow
	}
	r.Workflow = in.Workflow
	if in.Action.Params == nil {
		in.Action.Params = json.RawMessage("{}")
	}
	if strings.TrimSpace(r.Context) != "" {
		in.Context = json.RawMessage(r.Context)
	}
	return in
}
