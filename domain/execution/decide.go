package execution

import (
	"encoding/json"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// Bounds of one execution.
const (
	maxEntries = 200_000 // actions and prompts together
	maxReason  = 4096    // bytes of a reason
	maxAmount  = 1e15    // of tokens or micro-units, the same as a budget's
)

// Decide answers the events that follow from a command, or a [*domain.Error].
func (s State) Decide(command Command) ([]Event, error) {
	if request, ok := command.(Request); ok {
		return s.request(request)
	}
	if !s.Exists() {
		return nil, domain.Refuse(domain.NotFound, "execution_unknown", "There is no such execution.")
	}
	switch c := command.(type) {
	case RequestAction:
		return s.requestAction(c)
	case Authorize:
		return s.authorize(c)
	case DenyAction:
		return s.denyAction(c)
	case Start:
		return s.start(c)
	case RecordPrompt:
		return s.recordPrompt(c)
	case RecordCompletion:
		return s.recordCompletion(c)
	case FailPrompt:
		return s.failPrompt(c)
	case Complete:
		return s.complete(c)
	case Fail:
		return s.fail(c)
	case Cancel:
		return s.cancel(c)
	case ResolvePrompt:
		return s.resolvePrompt(c)
	case Resolve:
		return s.resolve(c)
	}
	return nil, domain.Refuse(domain.Invalid, "command_unknown", "An execution does not know this command.")
}

// request opens the stream. A repeat of one request is recognised by its
// command id, above this package; whatever else comes is a second request.
func (s State) request(c Request) ([]Event, error) {
	if s.Exists() {
		return nil, domain.Refuse(domain.Conflict, "execution_exists",
			"There is an execution with this id. Ask for a new one.")
	}
	if c.Execution == "" || c.Workflow == "" || c.By.Kind == "" {
		return nil, domain.Refuse(domain.Invalid, "invalid_execution",
			"An execution names itself, its workflow and its requester.")
	}
	permit, approval, err := granted(c.Action, c.Context, c.Decision, c.Permit, c.Approval)
	if err != nil {
		return nil, err
	}
	return []Event{Requested{Execution: c.Execution, Workflow: c.Workflow, Subject: c.Subject, Context: c.Context,
		Action: withParams(c.Action), Decision: c.Decision, Permit: permit, Approval: approval,
		By: c.By, Roles: c.Roles, Involved: c.Involved, At: c.At}}, nil
}

func (s State) requestAction(c RequestAction) ([]Event, error) {
	if err := s.running(c.By); err != nil {
		return nil, err
	}
	if s.Actions.Has(c.Action.ID) {
		return nil, domain.Refuse(domain.Conflict, "action_exists",
			"The execution has an action with this id. Ask for a new one.")
	}
	if err := s.room(); err != nil {
		return nil, err
	}
	permit, approval, err := granted(c.Action, c.Context, c.Decision, c.Permit, c.Approval)
	if err != nil {
		return nil, err
	}
	return []Event{ActionRequested{Action: withParams(c.Action), Context: c.Context, Decision: c.Decision,
		Permit: permit, Approval: approval, Roles: c.Roles, Involved: c.Involved, At: c.At}}, nil
}

// granted checks an action that is asked for and answers what its decision
// grants: a permit, the name of an approval to come, or neither.
func granted(a Action, context json.RawMessage, d gate.Decision, p Permit, ap domain.ApprovalID) (*Permit, domain.ApprovalID, error) {
	switch {
	case a.ID == "" || a.Kind == "" || a.Digest == "":
		return nil, "", domain.Refuse(domain.Invalid, "invalid_action", "An action names itself, its kind and its digest.")
	case len(a.Params) > 0 && !json.Valid(a.Params):
		return nil, "", domain.Refuse(domain.Invalid, "invalid_action", "The action's parameters are not JSON.")
	case len(context) > 0 && !json.Valid(context):
		return nil, "", domain.Refuse(domain.Invalid, "invalid_action", "The context is not JSON.")
	}
	switch d.Effect {
	case gate.Allow:
		if p.ID == "" {
			return nil, "", domain.Refuse(domain.Invalid, "invalid_permit", "An allowed action needs a permit with an id.")
		}
		return &p, "", nil
	case gate.RequireApproval:
		if ap == "" {
			return nil, "", domain.Refuse(domain.Invalid, "invalid_approval", "An action that needs approval names the approval to come.")
		}
		return nil, ap, nil
	case gate.Deny:
		return nil, "", nil
	}
	return nil, "", domain.Refuse(domain.Invalid, "invalid_decision", "A decision allows, requires approval or denies.")
}

// withParams gives an action without parameters an empty object.
func withParams(a Action) Action {
	if len(a.Params) == 0 {
		a.Params = json.RawMessage(`{}`)
	}
	return a
}

// requesterOnly lets nobody pass but who asked for the execution.
func (s State) requesterOnly(by domain.Actor) error {
	if by != s.By {
		return domain.Refuse(domain.Forbidden, "not_requester",
			"Only the actor who requested the execution may do this.")
	}
	return nil
}

// running lets the requester of a started execution pass.
func (s State) running(by domain.Actor) error {
	if err := s.requesterOnly(by); err != nil {
		return err
	}
	if s.Status.Ended() {
		return s.ended()
	}
	if s.Status != StatusStarted {
		return domain.Refuse(domain.Conflict, "not_started",
			"The execution is %s. Start its first action before this.", s.Status).With("status", string(s.Status))
	}
	return nil
}

func (s State) ended() error {
	return domain.Refuse(domain.Conflict, "execution_ended",
		"The execution is %s, so nothing more can be done in it. Request a new one.", s.Status).
		With("status", string(s.Status))
}

func (s State) room() error {
	if s.Actions.Len()+s.Prompts.Len() >= maxEntries {
		return domain.Refuse(domain.Conflict, "execution_full",
			"An execution holds at most %d actions and prompts. Request a new one for the rest.", maxEntries)
	}
	return nil
}

func checkReason(reason string) error {
	if len(reason) > maxReason {
		return domain.Refuse(domain.Invalid, "invalid_reason",
			"The reason has %d bytes. Use at most %d.", len(reason), maxReason)
	}
	return nil
}
