package execution

import "github.com/clawoffice/ledger/domain"

// recordPrompt says that a prompt is about to be sent. What it reserved was
// decided by the spending book.
func (s State) recordPrompt(c RecordPrompt) ([]Event, error) {
	if err := s.running(c.By); err != nil {
		return nil, err
	}
	p := c.Prompt
	switch {
	case p.Prompt == "" || p.Model == "":
		return nil, domain.Refuse(domain.Invalid, "invalid_prompt", "A prompt names itself and its model.")
	case outside(int64(p.PromptTokens)) || outside(int64(p.MaxOutputTokens)) || outside(int64(p.CostMicros)):
		return nil, amountInvalid()
	case s.Prompts.Has(p.Prompt):
		return nil, domain.Refuse(domain.Conflict, "prompt_exists",
			"The execution has a prompt with this id. Record a new one.")
	}
	if err := s.room(); err != nil {
		return nil, err
	}
	p.At = c.At
	return []Event{p}, nil
}

// recordCompletion closes a prompt with its answer. It is accepted after the
// execution has ended too: the answer came, and the record says what happened.
func (s State) recordCompletion(c RecordCompletion) ([]Event, error) {
	done := c.Completion
	if err := s.closable(c.By, done.Prompt); err != nil {
		return nil, err
	}
	if outside(int64(done.Usage.PromptTokens)) || outside(int64(done.Usage.OutputTokens)) ||
		done.CostMicros != nil && outside(int64(*done.CostMicros)) {
		return nil, amountInvalid()
	}
	done.At = c.At
	return []Event{done}, nil
}

// failPrompt closes a prompt that got no answer, after the end too.
func (s State) failPrompt(c FailPrompt) ([]Event, error) {
	if err := s.closable(c.By, c.Prompt); err != nil {
		return nil, err
	}
	if err := checkReason(c.Reason); err != nil {
		return nil, err
	}
	return []Event{PromptFailed{Prompt: c.Prompt, Reason: c.Reason, At: c.At}}, nil
}

// closable lets the requester close an open prompt.
func (s State) closable(by domain.Actor, id domain.PromptID) error {
	if err := s.requesterOnly(by); err != nil {
		return err
	}
	return s.openPrompt(id)
}

func (s State) openPrompt(id domain.PromptID) error {
	p, ok := s.Prompts.Get(id)
	switch {
	case !ok:
		return domain.Refuse(domain.NotFound, "prompt_unknown", "The execution has no such prompt.")
	case p.Status != PromptOpen:
		return domain.Refuse(domain.Conflict, "prompt_closed",
			"The prompt is %s already. A prompt is closed once.", p.Status).With("status", string(p.Status))
	}
	return nil
}

func outside(amount int64) bool { return amount < 0 || amount > maxAmount }

func amountInvalid() error {
	return domain.Refuse(domain.Invalid, "invalid_amount",
		"Tokens and costs are whole numbers from 0 to 1000000000000000.")
}
