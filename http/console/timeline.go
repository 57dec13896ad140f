package console

import (
	"encoding/json"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// timelineEntry is one thing that happened to an execution, as the rail shows it.
type timelineEntry struct {
	ID, Type, Actor string
	At              time.Time
	After           string // since the entry before
	Mark            string // allow, wait, deny, info or nothing
	Title           string
	State           string // of what the entry opened: an approval, a prompt
	Action          string // its id
	Sentence        []phrase
	Params          string
	Decision        *api.Decision
	Approval, Grant string
	PermitEnds      time.Time
	Prompt          string // its id
	Model, Provider string
	In, Out, Most   int64 // tokens
	Counted         bool  // In and Out were used, not estimated
	CostMicros      *int64
	Reserved        bool // CostMicros is held back, not spent
	Finish          string
	Reason          string
	Bytes           int // of content recorded beside it
}

// happened is an event of an execution as the API's history has it. Members that
// an event does not have stay empty.
type happened struct {
	Workflow        string          `json:"workflow"`
	Action          json.RawMessage `json:"action"` // an object where it was asked for, else an id
	Decision        *api.Decision   `json:"decision"`
	Permit          json.RawMessage `json:"permit"` // an object where it was given, else an id
	Approval        string          `json:"approval"`
	Grant           string          `json:"grant"`
	Prompt          string          `json:"prompt"`
	Model           string          `json:"model"`
	Provider        string          `json:"provider"`
	PromptTokens    int64           `json:"prompt_tokens"`
	MaxOutputTokens int64           `json:"max_output_tokens"`
	CostMicros      *int64          `json:"cost_micros"`
	Usage           *api.Usage      `json:"usage"`
	FinishReason    string          `json:"finish_reason"`
	Content         *weighed        `json:"content"`
	Result          *weighed        `json:"result"`
	Outcome         string          `json:"outcome"`
	Reason          string          `json:"reason"`
}

// weighed is content, of which only the size is told here.
type weighed struct {
	Size int `json:"size"`
}

func (h happened) bytes() int {
	n := 0
	for _, c := range []*weighed{h.Content, h.Result} {
		if c != nil {
			n += c.Size
		}
	}
	return n
}

// timeline makes the rail of a history, the oldest first. An event of a kind
// that is not known here is shown by its name.
func timeline(history []api.HistoryEntry) []timelineEntry {
	out := make([]timelineEntry, 0, len(history))
	models := map[string]string{}
	for i, e := range history {
		entry := timelineEntry{ID: e.ID, Type: e.Type, Actor: e.Actor, At: e.Time, Title: words(e.Type)}
		if i > 0 {
			entry.After = took(history[i-1].Time, e.Time, e.Time)
		}
		var h happened
		if json.Unmarshal(e.Event, &h) == nil {
			entry.tell(h)
		}
		if entry.Prompt != "" && entry.Model != "" {
			models[entry.Prompt] = entry.Model
		}
		if entry.Model == "" {
			entry.Model = models[entry.Prompt]
		}
		out = append(out, entry)
	}
	settle(out)
	return out
}

// tell fills in what an event says.
func (e *timelineEntry) tell(h happened) {
	e.Decision, e.Approval, e.Grant, e.Prompt, e.Reason = h.Decision, h.Approval, h.Grant, h.Prompt, h.Reason
	e.Model, e.Provider, e.Finish, e.Bytes = h.Model, h.Provider, h.FinishReason, h.bytes()
	e.action(h.Action)
	e.permit(h.Permit)
	if h.Usage != nil {
		e.In, e.Out, e.Counted = h.Usage.PromptTokens, h.Usage.OutputTokens, true
	}
	switch e.Type {
	case "execution.requested.v1":
		e.Title, e.Mark = "Asked to run "+h.Workflow, e.gate()
	case "execution.action_requested.v1":
		e.Title, e.Mark = "Asked for a further action", e.gate()
	case "execution.action_authorized.v1":
		e.Title, e.Mark = "Approved, and permitted to start", "allow"
		if h.Grant != "" {
			e.Title = "Covered by a standing grant, and permitted to start"
		}
	case "execution.action_denied.v1":
		e.Title, e.Mark = "Not to be done: the approval was "+h.Reason, "deny"
	case "execution.action_started.v1":
		e.Title, e.Mark = "Started; the permit is used", "info"
	case "execution.prompt_recorded.v1":
		e.Title, e.Mark, e.In, e.Most, e.CostMicros, e.Reserved = "Prompt to a model", "info", h.PromptTokens, h.MaxOutputTokens, h.CostMicros, true
	case "execution.completion_recorded.v1":
		e.Title, e.Mark, e.CostMicros = "The model answered", "allow", h.CostMicros
	case "execution.prompt_failed.v1":
		e.Title, e.Mark = "The prompt got no answer", "deny"
	case "execution.prompt_resolved.v1":
		e.Title, e.Mark, e.CostMicros = "A person closed the prompt", "wait", h.CostMicros
	default:
		e.end(h)
	}
}

// end words how an execution ended.
func (e *timelineEntry) end(h happened) {
	switch e.Type {
	case "execution.completed.v1":
		e.Title, e.Mark = "Completed", "allow"
	case "execution.failed.v1":
		e.Title, e.Mark = "Failed", "deny"
	case "execution.cancelled.v1":
		e.Title, e.Mark = "Cancelled", "deny"
	case "execution.resolved.v1":
		e.Title, e.Mark = "A person closed the execution: "+h.Outcome, "wait"
	}
}

// action takes what was asked for, or which action it is about.
func (e *timelineEntry) action(text json.RawMessage) {
	var asked struct {
		ID     string          `json:"id"`
		Kind   string          `json:"kind"`
		Params json.RawMessage `json:"params"`
	}
	switch {
	case len(text) == 0 || json.Unmarshal(text, &e.Action) == nil:
	case json.Unmarshal(text, &asked) == nil:
		e.Action, e.Params = asked.ID, prettyParams(asked.Params)
		root, _ := parseParams(asked.Params) // what is no object has no parameters to name
		e.Sentence = sentence(asked.Kind, root.Items)
	}
}

func (e *timelineEntry) permit(text json.RawMessage) {
	var given struct {
		ExpiresAt time.Time `json:"expires_at"`
	}
	if len(text) > 0 && json.Unmarshal(text, &given) == nil {
		e.PermitEnds = given.ExpiresAt
	}
}

func (e *timelineEntry) gate() string {
	if e.Decision == nil {
		return ""
	}
	return tone(e.Decision.Effect)
}

// granted is the state of an action that a standing grant covered.
const granted = "granted in advance"

// settle says of each approval and prompt that an entry opened what became of it.
func settle(all []timelineEntry) {
	actions, prompts := map[string]string{}, map[string]string{}
	for _, e := range all {
		switch e.Type {
		case "execution.action_authorized.v1":
			if actions[e.Action] = "approved"; e.Grant != "" {
				actions[e.Action] = granted
			}
		case "execution.action_denied.v1":
			actions[e.Action] = e.Reason
		case "execution.completion_recorded.v1":
			prompts[e.Prompt] = "completed"
		case "execution.prompt_failed.v1":
			prompts[e.Prompt] = "failed"
		case "execution.prompt_resolved.v1":
			prompts[e.Prompt] = "resolved"
		}
	}
	ended := len(all) > 0 && all[len(all)-1].Ends()
	for i := range all {
		e := &all[i]
		switch {
		case e.Decision != nil && e.Approval != "" && !e.Again():
			e.State = actions[e.Action]
			switch {
			case e.State == granted:
				e.Approval = "" // nobody was asked, so there is none of that id
			case e.State == "" && !ended:
				e.State = "pending"
			}
		case e.Type == "execution.prompt_recorded.v1":
			if e.State = prompts[e.Prompt]; e.State == "" {
				e.State = "open"
			}
		}
	}
}

// Again reports whether the policies were asked for the second time.
func (e timelineEntry) Again() bool { return e.Type == "execution.action_started.v1" }

// Ends reports whether the execution is over with this.
func (e timelineEntry) Ends() bool {
	switch e.Type {
	case "execution.completed.v1", "execution.failed.v1", "execution.cancelled.v1", "execution.resolved.v1":
		return true
	}
	return false
}

// figures are what an execution took in all.
type figures struct {
	Took     string
	Over     bool // it has ended
	Prompts  int
	Open     int // prompts without an outcome
	In, Out  int64
	Cost     *int64 // nil where it can't be told
	Partial  bool   // there is more than was counted
	Recorded int    // events of the execution's own
}

// sumOf adds up what a rail says. The cost is that of what was settled, if the
// index told it, else what callers reported, if they reported all.
func sumOf(all []timelineEntry, settled []api.SearchHit) figures {
	f := figures{Recorded: len(all)}
	reported, complete, answers := int64(0), true, 0
	for _, e := range all {
		switch {
		case e.Type == "execution.prompt_recorded.v1":
			f.Prompts++
			if e.State == "open" {
				f.Open++
			}
		case e.Counted:
			answers++
			f.In, f.Out = f.In+e.In, f.Out+e.Out
			if e.CostMicros == nil {
				complete = false
				continue
			}
			reported += *e.CostMicros
		}
	}
	switch {
	case len(settled) > 0:
		cost := int64(0)
		for _, h := range settled {
			cost += h.CostMicros
		}
		f.Cost, f.Partial = &cost, len(settled) < answers
	case complete:
		f.Cost = &reported
	}
	return f
}

// priced puts on each answer what was settled for it. A settlement does not name
// its prompt; it has the same model and tokens, and those of the same have the
// same cost but for a change of prices between them, so they are taken in turn.
func priced(all []timelineEntry, settled []api.SearchHit) {
	type key struct {
		model   string
		in, out int64
	}
	costs := map[key][]int64{}
	for _, h := range settled {
		k := key{h.Model, h.PromptTokens, h.OutputTokens}
		costs[k] = append(costs[k], h.CostMicros)
	}
	for i := range all {
		e := &all[i]
		k := key{e.Model, e.In, e.Out}
		if !e.Counted || len(costs[k]) == 0 {
			continue
		}
		cost := costs[k][0]
		e.CostMicros, costs[k] = &cost, costs[k][1:]
	}
}
