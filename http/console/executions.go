package console

import (
	"time"

	"github.com/clawoffice/ledger/http/api"
)

func executionRoutes() []route {
	return []route{
		{"GET", "/executions", showExecutions},
		{"GET", "/executions/{id}", showExecution},
		{"POST", "/executions/{id}/cancel", cancelExecution},
		{"POST", "/executions/{id}/resolve", resolveExecution},
		{"POST", "/executions/{id}/prompts/{pid}/resolve", resolvePrompt},
	}
}

// executionsPage is how many executions a page of the list shows.
const executionsPage = 50

// executionsView is the list of executions.
type executionsView struct {
	Executions []executionRow
	Statuses   []choice
	Asked      executionFilter
	Filtered   bool
	First      string // the list from its beginning, when this is not it
	Next       string
}

// executionRow is an execution with how long it took, or has taken so far.
type executionRow struct {
	api.ExecutionSummary
	Took string
}

// executionFilter is what an address asks the list for.
type executionFilter struct{ Status, Workflow, Actor, Unresolved string }

func (f executionFilter) pairs(more ...string) []string {
	return append([]string{"status", f.Status, "workflow", f.Workflow, "requester", f.Actor, "unresolved", f.Unresolved}, more...)
}

// executionFilter reads the address. An actor is also understood by the name
// that searches give it.
func (v *visit) executionFilter() executionFilter {
	f := executionFilter{Status: v.query("status"), Workflow: v.query("workflow"), Actor: v.query("requester")}
	if f.Actor == "" {
		f.Actor = v.query("actor")
	}
	if v.query("unresolved") == "true" {
		f.Unresolved = "true"
	}
	return f
}

func showExecutions(v *visit) error {
	f, cursor := v.executionFilter(), v.query("cursor")
	list, err := read[api.ExecutionList](v.api.ListExecutions(v.ctx(), v.ws, &api.ListExecutionsParams{Limit: given(executionsPage), Cursor: given(cursor),
		Status: given(api.ExecutionStatus(f.Status)), Workflow: given(f.Workflow), Requester: given(f.Actor), Unresolved: given(f.Unresolved != ""), MinPosition: v.after()}))
	if err != nil {
		return err
	}
	view := executionsView{Statuses: v.executionStatuses(f), Asked: f, Filtered: f != executionFilter{}}
	for _, e := range list.Items {
		view.Executions = append(view.Executions, executionRow{e, took(e.RequestedAt, e.EndedAt, v.now())})
	}
	if cursor != "" {
		view.First = v.ExecutionsURL(f.pairs()...)
	}
	if list.Next != "" {
		view.Next = v.ExecutionsURL(f.pairs("cursor", list.Next)...)
	}
	return v.page("executions.html", "executions", "Executions", view)
}

// executionStatuses are the links that narrow the list by status. Those without
// an outcome stand beside them, since somebody has to look after them.
func (v *visit) executionStatuses(f executionFilter) []choice {
	link := func(label, status, unresolved string) choice {
		to := f
		to.Status, to.Unresolved = status, unresolved
		return choice{label, v.ExecutionsURL(to.pairs()...), to == f}
	}
	out := []choice{link("All", "", ""), link("Without an outcome", "", "true")}
	for _, s := range []string{"awaiting_approval", "authorized", "started", "completed", "failed", "denied", "cancelled", "resolved"} {
		out = append(out, link(words(s), s, ""))
	}
	return out
}

// took words how long something lasted, up to now if it has no end.
func took(from, to, now time.Time) string {
	if to.IsZero() {
		to = now
	}
	if from.IsZero() || to.Before(from) {
		return ""
	}
	return lasting(to.Sub(from))
}

// lasting words a length of time in one or two units.
func lasting(d time.Duration) string {
	switch hours, minutes := int64(d.Hours()), int64(d.Minutes()); {
	case hours >= 48:
		return count(hours/24) + " d " + count(hours%24) + " h"
	case hours >= 1:
		return count(hours) + " h " + count(minutes%60) + " min"
	case minutes >= 1:
		return count(minutes) + " min " + count(int64(d.Seconds())%60) + " s"
	}
	return millis(d.Milliseconds())
}
