package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

// budgetEditView is the form for a budget, with what was typed.
type budgetEditView struct {
	ID      string
	New     bool
	ETag    string
	Version int
	Typed   typedBudget
	Windows []api.Window
	Problem *refusal
	Theirs  *api.Budget // written meanwhile
}

// typedBudget is a budget as the fields of the form have it.
type typedBudget struct {
	Whole                                                  bool // the workspace
	Agent, Member, Workflow, Model, Role                   string
	Window                                                 api.Window
	Timezone, Calls, PromptTokens, OutputTokens, AllTokens string
	Cost, AlertAt                                          string
	Mode                                                   api.BudgetMode
}

// typedOf is the form for a budget that there is.
func typedOf(b api.Budget) typedBudget {
	t := typedBudget{Whole: bool(b.Scope.Workspace), Agent: b.Scope.Agent, Member: b.Scope.Member, Workflow: b.Scope.Workflow, Model: b.Scope.Model, Role: b.Scope.Role,
		Window: b.Window, Timezone: b.Timezone, Mode: b.Mode}
	for _, f := range []struct {
		to *string
		n  *int64
	}{{&t.Calls, b.Limits.Calls}, {&t.PromptTokens, b.Limits.PromptTokens}, {&t.OutputTokens, b.Limits.OutputTokens}, {&t.AllTokens, b.Limits.TotalTokens}} {
		if f.n != nil {
			*f.to = strconv.FormatInt(*f.n, 10)
		}
	}
	if b.Limits.CostMicros != nil {
		t.Cost = plainMoney(*b.Limits.CostMicros)
	}
	var alerts []string
	for _, a := range b.AlertAt {
		alerts = append(alerts, strconv.Itoa(a))
	}
	t.AlertAt = strings.Join(alerts, ", ")
	return t
}

func editBudget(v *visit) error {
	view := budgetEditView{New: true, ETag: `"0"`, Typed: typedBudget{Whole: true, Window: api.WindowMonth, Timezone: "UTC", Mode: api.BudgetModeEnforce, AlertAt: "50, 80, 100"}}
	got, err := send[api.Budget](v.api.GetBudget(v.ctx(), v.ws, v.value("id"), &api.GetBudgetParams{MinPosition: v.after()}))
	switch {
	case err == nil:
		view.New, view.ETag, view.Version, view.Typed = false, got.ETag, got.Body.Version, typedOf(got.Body)
	case !gone(err):
		return err
	}
	return v.budgetForm(http.StatusOK, view)
}

func (v *visit) budgetForm(status int, view budgetEditView) error {
	view.ID = v.value("id")
	view.Windows = []api.Window{api.WindowHour, api.WindowDay, api.WindowWeek, api.WindowMonth, api.WindowTotal}
	title := "Edit budget " + view.ID
	if view.New {
		title = "New budget " + view.ID
	}
	return v.pageStatus(status, "budgetedit.html", "budgets", title, view)
}

// typedBudget reads the form.
func (v *visit) typedBudget() typedBudget {
	f := func(name string) string { return strings.TrimSpace(v.form(name)) }
	return typedBudget{Whole: f("whole") == "true", Agent: f("agent"), Member: f("member"), Workflow: f("workflow"), Model: f("model"), Role: f("role"),
		Window: api.Window(f("window")), Timezone: f("timezone"), Calls: f("calls"), PromptTokens: f("prompt_tokens"), OutputTokens: f("output_tokens"),
		AllTokens: f("total_tokens"), Cost: f("cost"), AlertAt: f("alert_at"), Mode: api.BudgetMode(f("mode"))}
}

// input is what the form says, or a refusal that says which field can't be read.
func (t typedBudget) input() (api.BudgetInput, error) {
	in := api.BudgetInput{Window: t.Window, Timezone: t.Timezone, Mode: t.Mode,
		Scope: api.Scope{Workspace: api.ScopeWorkspace(t.Whole), Agent: t.Agent, Member: t.Member, Workflow: t.Workflow, Model: t.Model, Role: t.Role}}
	for _, f := range []struct {
		text, pointer string
		to            **int64
	}{{t.Calls, "/limits/calls", &in.Limits.Calls}, {t.PromptTokens, "/limits/prompt_tokens", &in.Limits.PromptTokens},
		{t.OutputTokens, "/limits/output_tokens", &in.Limits.OutputTokens}, {t.AllTokens, "/limits/total_tokens", &in.Limits.TotalTokens}} {
		if f.text == "" {
			continue
		}
		n, err := strconv.ParseInt(f.text, 10, 64)
		if err != nil || n < 0 {
			return in, unreadable(f.pointer, "This is no whole number.")
		}
		*f.to = &n
	}
	if t.Cost != "" {
		n, err := parseMoney(t.Cost)
		if err != nil {
			return in, unreadable("/limits/cost_micros", "Write it in units of the currency with a point, as 12.50.")
		}
		in.Limits.CostMicros = &n
	}
	for _, part := range namesIn(t.AlertAt) {
		n, err := strconv.Atoi(strings.TrimSuffix(part, "%"))
		if err != nil {
			return in, unreadable("/alert_at", "Write whole per cents with commas between, as 50, 80, 100.")
		}
		in.AlertAt = append(in.AlertAt, n)
	}
	return in, nil
}

// unreadable refuses a field before anybody is asked.
func unreadable(pointer, detail string) *refusal {
	r := refuse(http.StatusBadRequest, "field_unreadable", "A field can't be read", "Nothing was changed.")
	r.Errors = []api.FieldError{{Pointer: pointer, Detail: detail}}
	return r
}

// writeBudget sets a budget, unless somebody did meanwhile.
func writeBudget(v *visit) error {
	version, _ := strconv.Atoi(v.form("version"))
	view := budgetEditView{ETag: v.form("etag"), New: v.form("etag") == `"0"`, Version: version, Typed: v.typedBudget()}
	in, err := view.Typed.input()
	var done reply[api.Budget]
	if err == nil {
		done, err = send[api.Budget](v.api.PutBudget(v.ctx(), v.ws, v.value("id"), &api.PutBudgetParams{IdempotencyKey: v.key(), IfMatch: given(view.ETag)}, in))
	}
	if r := correctable(err); r != nil {
		view.Problem = r
		if r.Status == http.StatusPreconditionFailed {
			if err := v.theirBudget(&view); err != nil {
				return err
			}
		}
		return v.budgetForm(r.Status, view)
	}
	if err != nil {
		return err
	}
	return v.done(v.BudgetURL(v.value("id")), "The budget is set, as version "+strconv.Itoa(done.Body.Version)+".", done.Position)
}

// theirBudget shows what was set meanwhile. The next try replaces that version.
func (v *visit) theirBudget(view *budgetEditView) error {
	got, err := send[api.Budget](v.api.GetBudget(v.ctx(), v.ws, v.value("id"), nil))
	if gone(err) {
		view.ETag, view.New, view.Version = `"0"`, true, 0
		return nil
	}
	view.Theirs, view.ETag, view.Version, view.New = &got.Body, got.ETag, got.Body.Version, false
	return err
}

func deleteBudget(v *visit) error {
	done, err := send[none](v.api.DeleteBudget(v.ctx(), v.ws, v.value("id"), &api.DeleteBudgetParams{IdempotencyKey: v.key()}))
	if r := correctable(err); r != nil && r.Status != http.StatusNotFound {
		return v.budget(r.Status, budgetView{Problem: r})
	}
	if err != nil {
		return err
	}
	return v.done(v.BudgetsURL(), "The budget "+v.value("id")+" is deleted. What was spent stays in the ledger.", done.Position)
}
