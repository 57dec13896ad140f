package process

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/domain/workspace"
)

// Grace is how long a step is left to the call whose event asks for it. Only a
// call that died does not take it.
const Grace = 2 * time.Second

// React answers what an event calls for, given what is remembered before it.
func React(s State, h Happened) []Owed {
	soon := h.Time.Add(Grace)
	switch e := h.Event.(type) {
	case execution.Requested:
		return seek(e.Execution, e.Action.ID, e.Approval, soon)
	case execution.ActionRequested:
		return seek(domain.ExecutionID(h.Stream), e.Action.ID, e.Approval, soon)
	case execution.ActionAuthorized:
		if w, ok := s.wait(e.Approval); ok && w.Pending && e.Grant != "" { // both came about, in a race
			return []Owed{{withdraw(w, e.Approval), soon}}
		}
	case execution.Completed, execution.Failed, execution.Cancelled, execution.Resolved:
		return s.abandoned(domain.ExecutionID(h.Stream), soon)
	case execution.CompletionRecorded:
		return s.settle(e.Prompt, soon)
	case execution.PromptFailed:
		return s.release(e.Prompt, soon)
	case execution.PromptResolved:
		if e.Usage == nil {
			return s.release(e.Prompt, soon)
		}
		return s.settle(e.Prompt, soon)
	case grant.Used:
		return []Owed{{Command{Step: BringGrant, Execution: e.Execution, Action: e.Action, Approval: e.Approval}, soon}}
	case approval.Requested:
		return append(s.opened(e, soon), s.tell(h, webhook.ApprovalRequested, string(e.Approval))...)
	case approval.Escalated:
		return s.tell(h, webhook.ApprovalEscalated, h.Stream)
	case approval.Approved:
		return append(s.outcome(domain.ApprovalID(h.Stream), soon), s.tell(h, webhook.ApprovalApproved, h.Stream)...)
	case approval.Denied:
		return append(s.outcome(domain.ApprovalID(h.Stream), soon), s.tell(h, webhook.ApprovalDenied, h.Stream)...)
	case approval.Expired:
		return append(s.outcome(domain.ApprovalID(h.Stream), soon), s.tell(h, webhook.ApprovalExpired, h.Stream)...)
	case approval.Withdrawn:
		return append(s.outcome(domain.ApprovalID(h.Stream), soon), s.tell(h, webhook.ApprovalWithdrawn, h.Stream)...)
	case workspace.SubjectErasureOrdered:
		return []Owed{{Command{Step: Erase, Erasure: e.Erasure}, soon}}
	case budget.Reserved:
		return []Owed{{Command{Step: ExpireReservation, Reservation: e.Reservation}, e.ExpiresAt}}
	case budget.Alerted:
		return s.tell(h, webhook.BudgetAlerted, string(e.Budget))
	case webhook.TestRequested:
		return []Owed{{Command{Step: Notify, Webhook: domain.WebhookID(h.Stream), Notice: &e.Notice}, h.Time}}
	case webhook.AttemptFailed:
		if hook, ok := s.Hooks.Get(domain.WebhookID(h.Stream)); !ok || !hook.wants(e.Notice.Type) {
			return nil
		}
		return []Owed{{Command{Step: Notify, Webhook: domain.WebhookID(h.Stream), Notice: &e.Notice}, e.Next}}
	}
	return nil
}

func seek(ex domain.ExecutionID, action domain.ActionID, id domain.ApprovalID, due time.Time) []Owed {
	if id == "" {
		return nil
	}
	return []Owed{{Command{Step: SeekApproval, Execution: ex, Action: action, Approval: id}, due}}
}

func withdraw(w *Wait, id domain.ApprovalID) Command {
	return Command{Step: Withdraw, Execution: w.Execution, Action: w.Action, Approval: id}
}

// abandoned withdraws what an execution that ended still waited for.
func (s State) abandoned(ex domain.ExecutionID, due time.Time) (owed []Owed) {
	for _, id := range s.waits(ex) {
		if w, ok := s.wait(id); ok && w.Pending {
			owed = append(owed, Owed{withdraw(w, id), due})
		}
	}
	return owed
}

// settle settles what a prompt used, also if its reservation has expired.
func (s State) settle(id domain.PromptID, due time.Time) []Owed {
	e, ok := s.Entries.Get(promptKey(id))
	if !ok {
		return nil
	}
	p := e.Prompt
	return []Owed{{Command{Step: Settle, Execution: p.Execution, Prompt: id, Reservation: p.Reservation}, due}}
}

// release gives back what a prompt reserved, unless that is over.
func (s State) release(id domain.PromptID, due time.Time) []Owed {
	e, ok := s.Entries.Get(promptKey(id))
	if !ok || !s.Entries.Has(openKey(e.Prompt.Reservation)) {
		return nil
	}
	p := e.Prompt
	return []Owed{{Command{Step: Release, Execution: p.Execution, Prompt: id, Reservation: p.Reservation}, due}}
}

// opened sets the timers of an approval. One that nobody waits for any more is
// withdrawn: its execution ended, or a grant covered the action, meanwhile.
func (s State) opened(e approval.Requested, due time.Time) []Owed {
	c := Command{Execution: e.Execution, Action: e.Action, Approval: e.Approval}
	if _, ok := s.wait(e.Approval); !ok {
		c.Step = Withdraw
		return []Owed{{c, due}}
	}
	c.Step = ExpireApproval
	owed := []Owed{{c, e.ExpiresAt}}
	if escalate := e.Requirement.Escalate; escalate != nil {
		if after, err := time.ParseDuration(escalate.After); err == nil && after > 0 {
			c.Step = Escalate
			owed = append(owed, Owed{c, e.At.Add(after)})
		}
	}
	return owed
}

func (s State) outcome(id domain.ApprovalID, due time.Time) []Owed {
	w, ok := s.wait(id)
	if !ok {
		return nil // its execution does not wait for it any more
	}
	return []Owed{{Command{Step: BringOutcome, Execution: w.Execution, Action: w.Action, Approval: id}, due}}
}

// tell owes every receiver that wants them a notification, due at once: no call
// delivers any.
func (s State) tell(h Happened, kind webhook.Type, about string) (owed []Owed) {
	for hook, e := range s.Hooks.All() {
		if !e.wants(kind) {
			continue
		}
		owed = append(owed, Owed{Command{Step: Notify, Webhook: hook, Notice: &webhook.Notice{
			Delivery: deliveryID(h, hook), Type: kind, About: about, Happened: h.Time}}, h.Time})
	}
	return owed
}

// wants reports whether a receiver takes notifications of a type. Tests it
// takes unless it is disabled.
func (h Hook) wants(kind webhook.Type) bool {
	return !h.Disabled && (len(h.Types) == 0 || kind == webhook.Test || slices.Contains(h.Types, kind))
}

// deliveryID follows from the record and the receiver, so that whoever works
// it out means the same notification.
func deliveryID(h Happened, hook domain.WebhookID) domain.DeliveryID {
	sum := sha256.Sum256([]byte(string(h.Workspace) + "\n" + string(hook) + "\n" + h.Record))
	return domain.DeliveryID("dl_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])))
}

func (s State) wait(id domain.ApprovalID) (*Wait, bool) {
	e, ok := s.Entries.Get(waitKey(id))
	if !ok {
		return nil, false
	}
	return e.Wait, true
}

// waits lists the approvals that actions of an execution wait for.
func (s State) waits(ex domain.ExecutionID) []domain.ApprovalID {
	e, ok := s.Entries.Get(executionKey(ex))
	if !ok {
		return nil
	}
	return e.Waits
}
