package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

func budgetRoutes() []route {
	return []route{
		{"GET", "/budgets", showBudgets},
		{"GET", "/budgets/{id}", showBudget},
		{"GET", "/budgets/{id}/edit", editBudget},
		{"POST", "/budgets/{id}/edit", writeBudget},
		{"POST", "/budgets/{id}/delete", deleteBudget},
	}
}

// budgetsView is the list of budgets with what each has used.
type budgetsView struct {
	Budgets  []budgetRow
	Windows  []choice
	Modes    []choice
	Filtered bool
	Uncount  *refusal // why some have no figures
}

// budgetRow is a budget with its bars.
type budgetRow struct {
	api.Budget
	Lines []limitLine
	From  time.Time
	Until time.Time
	Known bool
}

// limitLine is one amount of a budget in its present window.
type limitLine struct {
	api.UsageLine
	Bar   gauge
	Name  string
	State string // exceeded, used up, or nothing
}

// budgetsShown is how many budgets of a list have their figures fetched.
const budgetsShown = 100

func showBudgets(v *visit) error {
	if id := strings.TrimSpace(v.query("new")); id != "" {
		return v.redirect(v.BudgetURL(id) + "/edit")
	}
	list, err := read[api.BudgetList](v.api.ListBudgets(v.ctx(), v.ws, &api.ListBudgetsParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	window, mode := v.query("window"), v.query("mode")
	view := budgetsView{Filtered: window != "" || mode != ""}
	for _, b := range list.Items {
		if (window == "" || string(b.Window) == window) && (mode == "" || string(b.Mode) == mode) {
			view.Budgets = append(view.Budgets, budgetRow{Budget: b})
		}
	}
	slices.SortFunc(view.Budgets, func(a, b budgetRow) int { return cmp.Compare(a.ID, b.ID) })
	view.Windows, view.Modes = v.budgetChoices(window, mode)
	if err := v.countBudgets(&view); err != nil {
		return err
	}
	return v.page("budgets.html", "budgets", "Budgets", view)
}

func (v *visit) budgetChoices(window, mode string) (windows, modes []choice) {
	windows = []choice{{"Any window", v.BudgetsURL("mode", mode), window == ""}}
	for _, w := range []string{"hour", "day", "week", "month", "total"} {
		windows = append(windows, choice{w, v.BudgetsURL("window", w, "mode", mode), w == window})
	}
	modes = []choice{{"Any mode", v.BudgetsURL("window", window), mode == ""}}
	for _, m := range []string{"enforce", "observe"} {
		modes = append(modes, choice{m, v.BudgetsURL("window", window, "mode", m), m == mode})
	}
	return windows, modes
}

// countBudgets asks what the budgets have used, some at the same time.
func (v *visit) countBudgets(view *budgetsView) error {
	shown := view.Budgets[:min(len(view.Budgets), budgetsShown)]
	for chunk := range slices.Chunk(shown, 8) {
		calls := make([]func() error, len(chunk))
		for i := range chunk {
			calls[i] = func() error {
				u, err := read[api.BudgetUsage](v.api.GetBudgetUsage(v.ctx(), v.ws, chunk[i].ID, &api.GetBudgetUsageParams{MinPosition: v.after()}))
				if err == nil {
					chunk[i].Known, chunk[i].From, chunk[i].Until = true, u.WindowStart, u.WindowEnd
					chunk[i].Lines = limited(u.Lines)
				}
				return err
			}
		}
		err := v.together(calls...)
		r := asRefusal(err)
		if err != nil && (r == nil || r.Status == http.StatusUnauthorized) {
			return err
		}
		if r != nil && r.Status != http.StatusNotFound { // one may have been deleted meanwhile
			view.Uncount = r
		}
	}
	return nil
}

// limited is the amounts that have a limit; all of them, if none has.
func limited(lines []api.UsageLine) []limitLine {
	var out []limitLine
	for _, l := range lines {
		if l.Limit != nil {
			out = append(out, newLimitLine(l))
		}
	}
	if out != nil {
		return out
	}
	for _, l := range lines {
		out = append(out, newLimitLine(l))
	}
	return out
}

func newLimitLine(l api.UsageLine) limitLine {
	out := limitLine{UsageLine: l, Bar: newGauge(l), Name: amountName(l.Amount)}
	switch {
	case out.Bar.Exceeded:
		out.State = "exceeded"
	case l.Free != nil && *l.Free == 0:
		out.State = "used up"
	}
	return out
}

// amountName is what an amount counts.
func amountName(a api.Amount) string {
	if a == api.AmountCostMicros {
		return "cost"
	}
	return words(a)
}

// AmountName is amountName, for templates.
func (f *frame) AmountName(a api.Amount) string { return amountName(a) }

// Amount words a number of an amount: money for cost, else a count.
func (f *frame) Amount(a api.Amount, n int64) string {
	if a == api.AmountCostMicros {
		return f.Money(n)
	}
	return count(n)
}

// Spent is a number that leads to the events behind it: what was settled in the
// scope of a budget between two times, narrowed further.
func (f *frame) Spent(number string, b api.Budget, from, to time.Time, more ...string) ref {
	return f.spent(number, "budget.settled.v1", b, from, to, more)
}

// Held is Spent for what was reserved.
func (f *frame) Held(number string, b api.Budget, from, to time.Time) ref {
	return f.spent(number, "budget.reserved.v1", b, from, to, nil)
}

// spent is narrowed by the last word on each field; a role is nothing that events
// are found by.
func (f *frame) spent(number, kind string, b api.Budget, from, to time.Time, more []string) ref {
	s := b.Scope
	by := map[string]string{"workflow": s.Workflow, "model": s.Model}
	switch {
	case s.Agent != "":
		by["actor"] = "agent:" + s.Agent
	case s.Member != "":
		by["actor"] = "member:" + s.Member
	}
	for i := 0; i+1 < len(more); i += 2 {
		by[more[i]] = more[i+1]
	}
	pairs := []string{"type", kind, "from", rfc(from), "to", rfc(to)}
	for name, value := range by {
		pairs = append(pairs, name, value)
	}
	return f.Found(number, pairs...)
}

func rfc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
