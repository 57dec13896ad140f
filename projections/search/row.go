package search

import (
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
)

// Tag stands for a word of content without telling it: the first 64 bits of a
// keyed function of the word. Two words of a workspace share one by a chance
// of one in 2^64.
type Tag [8]byte

// Class is how long a row is kept: each workspace has a time for each class.
type Class string

// Row is one event as the index knows it. Texts that do not apply are "",
// numbers 0. All but Workspace, Position and Time may be so.
type Row struct {
	Workspace domain.WorkspaceID
	Position  eventlog.Position // in the log, unique; never 0, at most 2^63-1
	ID        [16]byte          // of the event
	Time      time.Time         // exact to the microsecond; later positions may have earlier times

	Actor     domain.Actor
	Type      string // stored name, such as "budget.reserved.v1"
	Stream    string
	Execution domain.ExecutionID
	Workflow  domain.Workflow
	Action    domain.ActionKind
	Outcome   string
	Severity  uint8 // as in OCSF: 1 informational, 2 low, 3 medium, 4 high, 5 critical, 6 fatal

	Model        domain.Model
	PromptTokens domain.Tokens
	OutputTokens domain.Tokens
	Cost         domain.Micros

	Policy      domain.PolicyID
	Rule        domain.RuleID
	Approval    domain.ApprovalID
	Credential  domain.CredentialID
	Correlation string

	Class   Class
	Subject domain.SubjectTag // whose words Tags are, for erasure
	Tags    []Tag             // a set: order and repeats mean nothing. Never answered
}

// Field names a member of a row that is a text and can be looked for. The
// texts are those of the query language, and durable in saved searches.
type Field string

// The fields that are texts.
const (
	Actor       Field = "actor" // the stored form, "agent:ag_…"
	Kind        Field = "kind"  // of the actor
	Type        Field = "type"
	Stream      Field = "stream"
	Execution   Field = "execution"
	Workflow    Field = "workflow"
	Action      Field = "action"
	Outcome     Field = "outcome"
	Model       Field = "model"
	Policy      Field = "policy"
	Rule        Field = "rule"
	Approval    Field = "approval"
	Credential  Field = "credential"
	Correlation Field = "correlation"
)

// Fields lists them.
func Fields() []Field {
	return []Field{Actor, Kind, Type, Stream, Execution, Workflow, Action, Outcome, Model, Policy, Rule, Approval, Credential, Correlation}
}

// Text answers a row's text; ok is false for a field that there is not.
func (r *Row) Text(f Field) (text string, ok bool) {
	switch f {
	case Actor:
		return r.Actor.String(), true
	case Kind:
		return string(r.Actor.Kind), true
	case Type:
		return r.Type, true
	case Stream:
		return r.Stream, true
	case Execution:
		return string(r.Execution), true
	case Workflow:
		return string(r.Workflow), true
	case Action:
		return string(r.Action), true
	case Outcome:
		return r.Outcome, true
	case Model:
		return string(r.Model), true
	case Policy:
		return string(r.Policy), true
	case Rule:
		return string(r.Rule), true
	case Approval:
		return string(r.Approval), true
	case Credential:
		return string(r.Credential), true
	case Correlation:
		return r.Correlation, true
	}
	return "", false
}

// Measure names a member of a row that is a number and can be compared.
type Measure string

// The measures, with their units.
const (
	Severity     Measure = "severity"
	PromptTokens Measure = "prompt"
	OutputTokens Measure = "output"
	Tokens       Measure = "tokens"   // of prompt and output together
	Cost         Measure = "cost"     // micros
	Position     Measure = "position" // in the log
)

// Measures lists them.
func Measures() []Measure {
	return []Measure{Severity, PromptTokens, OutputTokens, Tokens, Cost, Position}
}

// Number answers a row's number; ok is false for a measure that there is not.
func (r *Row) Number(m Measure) (n int64, ok bool) {
	switch m {
	case Severity:
		return int64(r.Severity), true
	case PromptTokens:
		return int64(r.PromptTokens), true
	case OutputTokens:
		return int64(r.OutputTokens), true
	case Tokens:
		return int64(r.PromptTokens) + int64(r.OutputTokens), true
	case Cost:
		return int64(r.Cost), true
	case Position:
		return int64(r.Position), true
	}
	return 0, false
}
