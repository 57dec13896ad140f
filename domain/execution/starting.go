package execution

import (
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
)

// start consumes an action's permit, once. What is asked first decides what
// the caller hears: a permit that was used says so even when the execution has
// ended since, because that is what a caller who repeats itself must learn.
func (s State) start(c Start) ([]Event, error) {
	if err := s.requesterOnly(c.By); err != nil {
		return nil, err
	}
	act, ok := s.Action(c.Action)
	if !ok {
		return nil, actionUnknown()
	}
	if err := startable(act, c); err != nil {
		return nil, err
	}
	if err := stillAllowed(act, c.Decision); err != nil {
		return nil, err
	}
	return []Event{ActionStarted{Action: act.ID, Permit: c.Permit, Decision: c.Decision, Roles: c.Roles, At: c.At}}, nil
}

// startable checks the action's standing and the permit.
func startable(act Act, c Start) error {
	mine := act.Permit != nil && act.Permit.ID == c.Permit
	switch {
	case act.Status == StatusStarted && mine:
		return domain.Refuse(domain.Conflict, "permit_used",
			"This permit was used to start the action. A permit works once; ask for a further action.")
	case act.Status == StatusDenied:
		return domain.Refuse(domain.Conflict, "action_denied", "The action was denied and can't be started.")
	case act.Status == StatusCancelled:
		return domain.Refuse(domain.Conflict, "execution_ended",
			"The execution ended before the action was started. Request a new one.")
	case act.Status == StatusAwaiting:
		return domain.Refuse(domain.Conflict, "awaiting_approval",
			"The action waits for a human's approval.").With("approval", string(act.Approval))
	case !mine:
		return domain.Refuse(domain.Conflict, "permit_unknown",
			"The permit is not the one that was issued for this action. Use the one in the execution's answer.")
	case c.At.After(act.Permit.ExpiresAt):
		return domain.Refuse(domain.Conflict, "permit_expired",
			"The permit has expired. Ask for the action again.").With("expired_at", act.Permit.ExpiresAt)
	case c.Digest != act.Digest:
		return domain.Refuse(domain.Conflict, "action_changed",
			"The action is not the one that was authorized. Ask for the changed action as a new one.")
	}
	return nil
}

// stillAllowed holds the policies of now against what authorized the action.
// An action that a human approved stays authorized where the policies would
// ask for a human again.
func stillAllowed(act Act, now gate.Decision) error {
	switch {
	case now.Effect == gate.Allow:
		return nil
	case now.Effect == gate.RequireApproval && act.Approval != "":
		return nil
	}
	return domain.Refuse(domain.Conflict, "policy_changed",
		"The policies changed since the action was authorized and no longer allow it as it stands. Ask for it again.").
		With("effect", string(now.Effect)).With("policy", string(now.Policy)).With("rule", string(now.Rule))
}

func actionUnknown() error {
	return domain.Refuse(domain.NotFound, "action_unknown", "The execution has no such action.")
}

// authorize brings a human's approval, or a standing grant's. Once done, a repeat changes nothing.
func (s State) authorize(c Authorize) ([]Event, error) {
	act, err := s.outcome(c.Action, c.Approval)
	switch {
	case err != nil:
		return nil, err
	case c.Permit.ID == "":
		return nil, domain.Refuse(domain.Invalid, "invalid_permit", "An authorized action needs a permit with an id.")
	case act.Status == StatusDenied:
		return nil, domain.Refuse(domain.Conflict, "action_denied", "The action was denied under this approval.")
	case act.Permit != nil:
		return nil, nil
	case act.Status != StatusAwaiting:
		return nil, s.ended()
	}
	return []Event{ActionAuthorized{Action: act.ID, Approval: c.Approval, Grant: c.Grant, Permit: c.Permit, At: c.At}}, nil
}

// denyAction brings a denial, an expiry or a withdrawal. Once done, a repeat
// changes nothing.
func (s State) denyAction(c DenyAction) ([]Event, error) {
	act, err := s.outcome(c.Action, c.Approval)
	switch {
	case err != nil:
		return nil, err
	case act.Status == StatusDenied:
		return nil, nil
	case act.Permit != nil:
		return nil, domain.Refuse(domain.Conflict, "action_authorized", "The action was authorized under this approval.")
	case act.Status != StatusAwaiting:
		return nil, s.ended()
	}
	return []Event{ActionDenied{Action: act.ID, Approval: c.Approval, Reason: c.Reason, At: c.At}}, nil
}

// outcome finds the action that an approval is about.
func (s State) outcome(id domain.ActionID, approval domain.ApprovalID) (Act, error) {
	act, ok := s.Action(id)
	if !ok {
		return Act{}, actionUnknown()
	}
	if approval == "" || act.Approval != approval {
		return Act{}, domain.Refuse(domain.Conflict, "approval_mismatch",
			"The action does not wait for this approval.")
	}
	return act, nil
}
