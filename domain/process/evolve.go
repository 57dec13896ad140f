package process

import (
	"slices"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/domain/workspace"
)

// Evolve folds an event: what it calls for is owed from here on, and what it
// shows to be done is not. The keys are those of entries that changed. It
// never fails and leaves s as it was.
func (s State) Evolve(h Happened) (State, []Key) {
	owed := React(s, h)
	c := &change{state: s}
	c.fold(h)
	for _, o := range owed {
		c.set(o.Command.Key(), Entry{Owed: &o})
	}
	return c.state, c.keys
}

// change is a State under way.
type change struct {
	state State
	keys  []Key
}

func (c *change) set(key Key, e Entry) {
	c.state.Entries = c.state.Entries.Set(key, &e)
	c.keys = append(c.keys, key)
}

func (c *change) drop(keys ...Key) {
	for _, key := range keys {
		if c.state.Entries.Has(key) {
			c.state.Entries = c.state.Entries.Delete(key)
			c.keys = append(c.keys, key)
		}
	}
}

func (c *change) fold(h Happened) {
	switch e := h.Event.(type) {
	case execution.Requested:
		c.waits(e.Execution, e.Action.ID, e.Approval)
	case execution.ActionRequested:
		c.waits(domain.ExecutionID(h.Stream), e.Action.ID, e.Approval)
	case execution.ActionAuthorized:
		c.heard(e.Approval)
	case execution.ActionDenied:
		c.heard(e.Approval)
	case execution.Completed, execution.Failed, execution.Cancelled, execution.Resolved:
		c.ended(domain.ExecutionID(h.Stream))
	case execution.PromptRecorded:
		c.set(promptKey(e.Prompt), Entry{Prompt: &Prompt{Execution: domain.ExecutionID(h.Stream), Reservation: e.Reservation}})
	case execution.CompletionRecorded:
		c.drop(promptKey(e.Prompt))
	case execution.PromptFailed:
		c.drop(promptKey(e.Prompt))
	case execution.PromptResolved:
		c.drop(promptKey(e.Prompt))
	case grant.Used:
		c.drop(owedKey(SeekApproval, string(e.Approval)))
	default:
		c.foldOthers(h)
	}
}

func (c *change) foldOthers(h Happened) {
	switch e := h.Event.(type) {
	case approval.Requested:
		c.drop(owedKey(SeekApproval, string(e.Approval)))
		c.pending(e.Approval, true)
	case approval.Escalated:
		c.drop(owedKey(Escalate, h.Stream))
	case approval.Approved, approval.Denied, approval.Expired, approval.Withdrawn:
		c.pending(domain.ApprovalID(h.Stream), false)
		c.drop(owedKey(Escalate, h.Stream), owedKey(ExpireApproval, h.Stream), owedKey(Withdraw, h.Stream))
	case budget.Settled:
		c.spent(e.Reservation)
	case budget.Released:
		c.spent(e.Reservation)
	case budget.Expired:
		c.drop(openKey(e.Reservation), owedKey(Release, string(e.Reservation)))
	case webhook.Registered:
		c.hook(domain.WebhookID(h.Stream), Hook{Types: e.Types})
	case webhook.Changed:
		c.hook(domain.WebhookID(h.Stream), Hook{e.Types, e.Disabled})
	case webhook.Removed:
		c.unhook(domain.WebhookID(h.Stream))
	case webhook.Delivered:
		c.drop(owedKey(Notify, string(e.Notice.Delivery)))
	case webhook.Abandoned:
		c.drop(owedKey(Notify, string(e.Notice.Delivery)))
	case workspace.SubjectErased:
		c.drop(owedKey(Erase, string(e.Erasure)))
	}
}

// waits notes that an action waits for an approval to come.
func (c *change) waits(ex domain.ExecutionID, action domain.ActionID, id domain.ApprovalID) {
	if id == "" {
		return
	}
	c.set(waitKey(id), Entry{Wait: &Wait{Execution: ex, Action: action}})
	c.set(executionKey(ex), Entry{Waits: append(slices.Clip(c.state.waits(ex)), id)})
}

// pending notes whether people are to decide on an approval.
func (c *change) pending(id domain.ApprovalID, pending bool) {
	if w, ok := c.state.wait(id); ok {
		c.set(waitKey(id), Entry{Wait: &Wait{w.Execution, w.Action, pending}})
	}
}

// heard notes that an action waits no more.
func (c *change) heard(id domain.ApprovalID) {
	w, ok := c.state.wait(id)
	if !ok {
		return
	}
	c.forget(id)
	rest := slices.DeleteFunc(slices.Clone(c.state.waits(w.Execution)), func(other domain.ApprovalID) bool { return other == id })
	if len(rest) == 0 {
		c.drop(executionKey(w.Execution))
		return
	}
	c.set(executionKey(w.Execution), Entry{Waits: rest})
}

// ended notes that nothing of an execution waits any more.
func (c *change) ended(ex domain.ExecutionID) {
	for _, id := range c.state.waits(ex) {
		c.forget(id)
	}
	c.drop(executionKey(ex))
}

func (c *change) forget(id domain.ApprovalID) {
	c.drop(waitKey(id), owedKey(SeekApproval, string(id)), owedKey(BringGrant, string(id)), owedKey(BringOutcome, string(id)))
}

// spent notes that a reservation is over for good.
func (c *change) spent(id domain.ReservationID) {
	c.drop(openKey(id), owedKey(Settle, string(id)), owedKey(Release, string(id)))
}

// hook notes what a receiver wants.
func (c *change) hook(id domain.WebhookID, h Hook) {
	c.state.Hooks = c.state.Hooks.Set(id, h)
	c.set(hookKey(id), Entry{Hook: &h})
	c.unwanted(id, h)
}

// unhook notes that a receiver is gone.
func (c *change) unhook(id domain.WebhookID) {
	c.state.Hooks = c.state.Hooks.Delete(id)
	c.drop(hookKey(id))
	c.unwanted(id, Hook{Disabled: true})
}

// unwanted forgets the notifications that a receiver does not want any more.
func (c *change) unwanted(id domain.WebhookID, h Hook) {
	for key, e := range c.state.Entries.All() {
		if o := e.Owed; o != nil && o.Command.Webhook == id && !h.wants(o.Command.Notice.Type) {
			c.drop(key)
		}
	}
}
