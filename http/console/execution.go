package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

// executionView is one execution from its request to its outcome.
type executionView struct {
	Execution api.Execution
	Rail      []timelineEntry
	Figures   figures
	Cut       bool // there are more events than the rail has
	Context   string
	Open      []api.Prompt // without an outcome
	MayCancel bool
	MayClose  bool
	Outcomes  []api.ResolvedOutcome

	Problem *refusal // of the form named by Form
	Form    string   // cancel, resolve, or the id of a prompt
	Typed   typedOutcome
}

// typedOutcome is what was typed into a form that was refused.
type typedOutcome struct {
	Outcome               api.ResolvedOutcome
	Reason, In, Out, Cost string
}

// historyShown is how many events the API tells of an execution.
const historyShown = 1000

func showExecution(v *visit) error { return v.execution(http.StatusOK, executionView{}) }

func (v *visit) execution(status int, view executionView) error {
	id := v.value("id")
	e, err := read[api.Execution](v.api.GetExecution(v.ctx(), v.ws, id, &api.GetExecutionParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	view.Execution, view.Rail, view.Cut = e, timeline(e.History), len(e.History) >= historyShown
	settled, more, err := v.settledFor(id)
	if err != nil {
		return err
	}
	priced(view.Rail, settled)
	view.Figures = sumOf(view.Rail, settled)
	view.Figures.Took, view.Figures.Over = took(e.RequestedAt, e.EndedAt, v.now()), !e.EndedAt.IsZero()
	view.Figures.Partial = view.Figures.Partial || more || view.Cut
	if len(e.Context) > 0 && string(e.Context) != "{}" {
		view.Context = prettyParams(e.Context)
	}
	for _, p := range e.Prompts {
		if p.Status == api.PromptStatusOpen {
			view.Open = append(view.Open, p)
		}
	}
	running := slices.Contains([]api.ExecutionStatus{api.ExecutionStatusAwaitingApproval, api.ExecutionStatusAuthorized, api.ExecutionStatusStarted}, e.Status)
	view.MayCancel = running && (v.May("execution.control") || e.Requester == v.me.Actor)
	view.Outcomes = []api.ResolvedOutcome{api.ResolvedOutcomeCompleted, api.ResolvedOutcomeFailed, api.ResolvedOutcomeUnknown}
	view.MayClose = e.Unresolved && v.May("execution.control")
	return v.pageStatus(status, "execution.html", "executions", "Execution "+short(id), view)
}

// settledFor asks the index what was settled for an execution; nothing if the
// member may not search, or the index can't answer now. Asking by metadata alone
// is not recorded.
func (v *visit) settledFor(id string) (hits []api.SearchHit, more bool, err error) {
	if !v.May("audit.search") {
		return nil, false, nil
	}
	found, err := read[api.SearchResult](v.api.FilterEvents(v.ctx(), v.ws, &api.FilterEventsParams{Execution: &id, Type: given("budget.settled.v1"),
		Order: given(api.SearchOrderOldest), Limit: given(1000)}))
	if r := asRefusal(err); r != nil && r.Status != http.StatusUnauthorized {
		return nil, false, nil
	}
	return found.Items, found.Next != "", err
}

// cancelExecution ends an execution before it is done.
func cancelExecution(v *visit) error {
	view := executionView{Form: "cancel", Typed: typedOutcome{Reason: strings.TrimSpace(v.form("reason"))}}
	if view.Typed.Reason == "" {
		return v.noReason(view)
	}
	done, err := send[api.ExecutionChanged](v.api.CancelExecution(v.ctx(), v.ws, v.value("id"), &api.CancelExecutionParams{IdempotencyKey: v.key()},
		api.Outcome{Reason: view.Typed.Reason}))
	return v.closed(view, "The execution is cancelled. What was not started is withdrawn.", done.Position, err)
}

// resolveExecution says what is known of an execution that nobody ended.
func resolveExecution(v *visit) error {
	view := executionView{Form: "resolve", Typed: typedOutcome{Reason: strings.TrimSpace(v.form("reason")), Outcome: api.ResolvedOutcome(v.form("outcome"))}}
	if view.Typed.Reason == "" {
		return v.noReason(view)
	}
	done, err := send[api.ExecutionChanged](v.api.ResolveExecution(v.ctx(), v.ws, v.value("id"), &api.ResolveExecutionParams{IdempotencyKey: v.key()},
		api.Resolution{Outcome: view.Typed.Outcome, Reason: view.Typed.Reason}))
	return v.closed(view, "The execution is closed, with its open prompts. That a person said so is recorded.", done.Position, err)
}

// resolvePrompt says what is known of a prompt without an outcome. Without
// tokens, what was reserved is given back.
func resolvePrompt(v *visit) error {
	view := executionView{Form: v.value("pid"), Typed: typedOutcome{Reason: strings.TrimSpace(v.form("reason")), In: v.form("in"), Out: v.form("out"), Cost: v.form("cost")}}
	if view.Typed.Reason == "" {
		return v.noReason(view)
	}
	in := api.PromptResolution{Reason: view.Typed.Reason}
	err := view.Typed.usage(&in)
	var done reply[api.PromptResolved]
	if err == nil {
		done, err = send[api.PromptResolved](v.api.ResolvePrompt(v.ctx(), v.ws, v.value("id"), v.value("pid"), &api.ResolvePromptParams{IdempotencyKey: v.key()}, in))
	}
	return v.closed(view, "The prompt is closed. That a person said so is recorded.", done.Position, err)
}

// usage reads the figures that were typed for a prompt.
func (t typedOutcome) usage(in *api.PromptResolution) error {
	for _, field := range []struct {
		text, name string
		to         *int64
	}{{t.In, "Prompt tokens", &in.Usage.PromptTokens}, {t.Out, "Output tokens", &in.Usage.OutputTokens}} {
		text := strings.TrimSpace(field.text)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return refuse(http.StatusBadRequest, "number_unreadable", field.name+" must be a whole number", "Nothing was changed. Leave the field empty if it is not known.")
		}
		*field.to = n
	}
	if strings.TrimSpace(t.Cost) == "" {
		return nil
	}
	micros, err := parseMoney(t.Cost)
	if err != nil {
		return err
	}
	in.CostMicros = &micros
	return nil
}

func (v *visit) noReason(view executionView) error {
	return v.closed(view, "", "", errNoReason)
}

// errNoReason refuses a change that has to be explained.
var errNoReason = refuse(http.StatusBadRequest, "reason_missing", "A reason is needed", "Say in a few words why. It is recorded, and nothing was changed yet.")

// closed ends a change of an execution: the page again with what was refused, or
// with what was done.
func (v *visit) closed(view executionView, text, position string, err error) error {
	if r := correctable(err); r != nil && r.Status != http.StatusNotFound {
		view.Problem = r
		return v.execution(r.Status, view)
	}
	if err != nil {
		return err
	}
	return v.done(v.ExecutionURL(v.value("id")), text, position)
}
