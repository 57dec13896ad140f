package execution

import "github.com/clawoffice/ledger/domain"

// MaxResolved is how many open prompts one Resolve closes. More would not fit
// into one append; resolve prompts one by one until so many are left.
const MaxResolved = 128

// resolvePrompt closes an open prompt in its requester's place, after the end
// of the execution too. What was used of the reservation is as c says, or
// nothing.
func (s State) resolvePrompt(c ResolvePrompt) ([]Event, error) {
	if err := resolvable(c.By, c.Reason); err != nil {
		return nil, err
	}
	if err := s.openPrompt(c.Prompt); err != nil {
		return nil, err
	}
	switch {
	case c.Usage != nil && (outside(int64(c.Usage.PromptTokens)) || outside(int64(c.Usage.OutputTokens))),
		c.CostMicros != nil && outside(int64(*c.CostMicros)):
		return nil, amountInvalid()
	case c.CostMicros != nil && c.Usage == nil:
		return nil, domain.Refuse(domain.Invalid, "invalid_amount", "A cost is settled with the usage it is for. Send both, or neither.")
	}
	return []Event{PromptResolved{Prompt: c.Prompt, Usage: c.Usage, CostMicros: c.CostMicros, Reason: c.Reason, By: c.By, At: c.At}}, nil
}

// resolve ends a started execution in its requester's place. Prompts without an
// outcome are closed as given back, so that nothing of it stays unresolved.
func (s State) resolve(c Resolve) ([]Event, error) {
	if err := resolvable(c.By, c.Reason); err != nil {
		return nil, err
	}
	switch {
	case c.Outcome != OutcomeCompleted && c.Outcome != OutcomeFailed && c.Outcome != OutcomeUnknown:
		return nil, domain.Refuse(domain.Invalid, "invalid_outcome", "An outcome is completed, failed or unknown.")
	case s.Status.Ended():
		return nil, s.ended()
	case s.Status != StatusStarted:
		return nil, domain.Refuse(domain.Conflict, "not_started",
			"The execution is %s, so nothing can have happened yet. Cancel it instead.", s.Status).With("status", string(s.Status))
	case s.Open > MaxResolved:
		return nil, domain.Refuse(domain.Conflict, "too_many_open_prompts",
			"%d prompts are open, and at most %d are closed with the execution. Resolve prompts first.", s.Open, MaxResolved)
	}
	var events []Event
	for _, id := range s.OpenPrompts() {
		events = append(events, PromptResolved{Prompt: id, Reason: c.Reason, By: c.By, At: c.At})
	}
	return append(events, Resolved{Outcome: c.Outcome, Reason: c.Reason, By: c.By, At: c.At}), nil
}

// resolvable demands a person and a reason: what a resolution rests on is
// somebody's word.
func resolvable(by domain.Actor, reason string) error {
	switch {
	case by.Kind != domain.KindMember:
		return domain.Refuse(domain.Forbidden, "human_required", "Only a person may say what became of something that was not recorded.")
	case reason == "":
		return domain.Refuse(domain.Invalid, "invalid_reason", "Say how the outcome is known.")
	}
	return checkReason(reason)
}

// OpenPrompts lists the prompts without an outcome, in order of ids. It looks
// at all prompts of the execution unless none is open.
func (s State) OpenPrompts() []domain.PromptID {
	if s.Open == 0 {
		return nil
	}
	open := make([]domain.PromptID, 0, s.Open)
	for id, p := range s.Prompts.All() {
		if p.Status == PromptOpen {
			open = append(open, id)
		}
	}
	return open
}
