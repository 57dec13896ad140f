package execution

import "github.com/clawoffice/ledger/domain"

func (s State) complete(c Complete) ([]Event, error) {
	if err := s.closing(c.By, c.Reason); err != nil {
		return nil, err
	}
	return []Event{Completed{Result: c.Result, Reason: c.Reason, At: c.At}}, nil
}

func (s State) fail(c Fail) ([]Event, error) {
	if err := s.closing(c.By, c.Reason); err != nil {
		return nil, err
	}
	return []Event{Failed{Result: c.Result, Reason: c.Reason, At: c.At}}, nil
}

func (s State) closing(by domain.Actor, reason string) error {
	if err := s.running(by); err != nil {
		return err
	}
	return checkReason(reason)
}

// cancel ends an execution before it was done, for its requester or for
// somebody who controls executions. What was not started yet is cancelled
// with it, without an event for each action.
func (s State) cancel(c Cancel) ([]Event, error) {
	if c.By != s.By && !c.Control {
		return nil, domain.Refuse(domain.Forbidden, "not_requester",
			"Only the requester, or somebody who may control executions, may cancel this.")
	}
	if s.Status.Ended() {
		return nil, s.ended()
	}
	if err := checkReason(c.Reason); err != nil {
		return nil, err
	}
	return []Event{Cancelled{Result: c.Result, Reason: c.Reason, By: c.By, At: c.At}}, nil
}
