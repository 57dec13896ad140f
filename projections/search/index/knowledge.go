package index

import (
	"context"
	"fmt"
	"strings"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/schema"
	"github.com/clawoffice/ledger/internal/ledger"
)

// about is what events of a stream do not say again because an earlier one did.
// It is never changed once others see it, but by learn, which only adds.
type about struct {
	execution domain.ExecutionID
	workflow  domain.Workflow
	subject   domain.SubjectTag
	approval  domain.ApprovalID
	policy    domain.PolicyID
	rule      domain.RuleID
	kind      domain.ActionKind // of the stream's one action, or its first
	risk      string

	kinds  map[domain.ActionID]domain.ActionKind
	models map[domain.PromptID]domain.Model
}

// knowledge remembers the streams of executions and approvals met lately. Those
// it forgot are read again.
type knowledge struct{ young, old map[string]*about }

// held is how many streams each of the two halves holds.
const held = 1 << 12

func newKnowledge() *knowledge { return &knowledge{map[string]*about{}, map[string]*about{}} }

// remembered reports whether a stream has anything to remember.
func remembered(stream string) bool {
	_, name, _ := strings.Cut(stream, "/")
	return strings.HasPrefix(name, "execution-") || strings.HasPrefix(name, "approval-")
}

var nothing = &about{}

// about answers what is known of a stream; false if it has to be read.
func (k *knowledge) about(stream string) (*about, bool) {
	if !remembered(stream) {
		return nothing, true
	}
	if a := k.young[stream]; a != nil {
		return a, true
	}
	a := k.old[stream]
	if a != nil {
		k.keep(stream, a)
	}
	return a, a != nil
}

func (k *knowledge) keep(stream string, a *about) {
	if len(k.young) >= held {
		k.young, k.old = map[string]*about{}, k.young
	}
	k.young[stream] = a
}

// learn takes up what an event tells about its stream. Of a stream whose first
// event was not met nothing is known.
func (k *knowledge) learn(stream string, event domain.Event) {
	switch event.(type) {
	case execution.Requested, approval.Requested:
		a := &about{}
		a.learn(event)
		k.keep(stream, a)
	case execution.ActionRequested, execution.PromptRecorded:
		if a, ok := k.about(stream); ok {
			a.learn(event)
		}
	}
}

func (a *about) learn(event domain.Event) {
	switch e := event.(type) {
	case execution.Requested:
		a.execution, a.workflow, a.subject, a.kind = e.Execution, e.Workflow, e.Subject, e.Action.Kind
		a.kinds = map[domain.ActionID]domain.ActionKind{e.Action.ID: e.Action.Kind}
	case execution.ActionRequested:
		a.kinds[e.Action.ID] = e.Action.Kind
	case execution.PromptRecorded:
		if a.models == nil {
			a.models = map[domain.PromptID]domain.Model{}
		}
		a.models[e.Prompt] = e.Model
	case approval.Requested:
		a.execution, a.workflow, a.approval, a.policy, a.rule = e.Execution, e.Workflow, e.Approval, e.Policy, e.Rule
		a.kind, a.risk = e.Kind, e.Requirement.Risk
	}
}

// lookUp answers what is known of a stream, after reading it if need be.
func (m *Model) lookUp(ctx context.Context, stream string) (*about, error) {
	if a, ok := m.known.about(stream); ok {
		return a, nil
	}
	for r, err := range m.config.Source.ReadStream(ctx, stream, ledger.NoTail()) {
		if err != nil {
			return nil, fmt.Errorf("reading what %s is about: %w", stream, err)
		}
		if ledger.IsContent(r.Type) {
			continue
		}
		_, payload, err := ledger.UnwrapFact(r.Payload)
		if err != nil {
			return nil, err
		}
		event, err := schema.Decode(r.Type, payload)
		if err != nil {
			return nil, fmt.Errorf("reading %s@%d: %w", r.Stream, r.Revision, err)
		}
		m.known.learn(stream, event)
	}
	a, ok := m.known.about(stream)
	if !ok {
		a = nothing
	}
	return a, nil
}
