package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/internal/ledger"
)

// The stored names of what people and models wrote.
const (
	PromptContent     = "content.prompt.v1"
	CompletionContent = "content.completion.v1"
	ResultContent     = "content.result.v1"
	PartContent       = "content.part.v1"
)

// Content larger than ridesWith goes into a stream of its own, in parts: an
// append takes 1 MiB.
const (
	ridesWith = 384 << 10
	partSize  = 512 << 10
)

// salted is the payload of a content record: the text, and a salt that keeps
// the digest in the fact from being guessed at.
type salted struct {
	Salt string          `json:"salt"`
	Body json.RawMessage `json:"body"`
}

// content makes the name that a fact gives to a body, and the record that
// rides with the fact. A large body is recorded first, in a stream of its own;
// what it is named by follows from the call, so that a repeat finds it.
func (s *Service) content(ctx context.Context, c Call, name string, subject domain.SubjectTag, body json.RawMessage) (execution.Content, []Content, error) {
	// The same for a repeat, so that parts written before a crash fit; another for
	// another body, which a call may bring after it was refused.
	attempt := c.ID + domain.CommandID("/"+c.MAC)
	salt := s.secret.DeriveID("", attempt, 9)
	payload, err := json.Marshal(salted{Salt: salt, Body: body})
	if err != nil {
		return execution.Content{}, nil, fmt.Errorf("writing content: %w", err)
	}
	named := execution.Content{Digest: ledgercrypto.Digest(payload), Size: len(payload), Subject: subject}
	if len(payload) <= ridesWith {
		return named, []Content{{Type: name, Subject: subject, Payload: payload}}, nil
	}
	id := s.secret.DeriveID("ct_", attempt, 8)
	named.Stream = ledger.ContentStream(c.Workspace, id)
	named.Parts, err = s.writeParts(ctx, c, named.Stream, subject, payload)
	return named, nil, err
}

// writeParts records a large content before the fact that names it.
func (s *Service) writeParts(ctx context.Context, c Call, stream string, subject domain.SubjectTag, payload []byte) (parts int, err error) {
	tail := ledger.NoTail()
	for r, err := range s.log.ReadStream(ctx, stream, tail) {
		if err != nil {
			return 0, translate(err)
		}
		tail = r.Tail()
	}
	attempt := s.executions.tries.of(c.ID)
	for ; len(payload) > 0; parts++ {
		part := payload[:min(partSize, len(payload))]
		payload = payload[len(part):]
		if int64(parts) <= tail.Revision {
			continue // written before a crash
		}
		draft := ledger.Draft{ID: s.secret.EventID(attempt, parts), Type: PartContent, Payload: part, Subject: subject,
			Time: s.now(), Actor: c.Actor, Credential: c.Credential, Correlation: c.Correlation, Cause: c.ID}
		receipt, err := s.log.Append(ctx, stream, tail, []ledger.Draft{draft})
		if err != nil {
			return 0, translate(err)
		}
		tail = receipt.Tail
	}
	return parts, nil
}

// subjectOf says under whose key content is sealed: the subject named now, the
// execution's, or else the actor's.
func (s *Service) subjectOf(c Call, state execution.State, subject string) domain.SubjectTag {
	switch {
	case subject != "":
		return s.secret.SubjectTag(c.Workspace, subject)
	case state.Subject != "":
		return state.Subject
	}
	return s.secret.SubjectTag(c.Workspace, c.Actor.String())
}

// RecordPrompt is a prompt about to be sent. Content is the messages or the
// text as the caller gave them.
type RecordPrompt struct {
	Model           domain.Model
	Provider        string
	Content         json.RawMessage
	PromptTokens    domain.Tokens // given or estimated
	MaxOutputTokens domain.Tokens
	Subject         string
	ExpiresIn       time.Duration // of the reservation; 0 is the book's own
}

// PromptRecorded is a prompt that may now be sent.
type PromptRecorded struct {
	Receipt
	Prompt execution.PromptRecorded
}

// RecordPrompt reserves what the prompt may take in every budget that it
// counts against, and records it.
func (s *Service) RecordPrompt(ctx context.Context, c Call, ex domain.ExecutionID, in RecordPrompt) (PromptRecorded, error) {
	state, err := s.Execution(ctx, c.Workspace, ex)
	if err != nil {
		return PromptRecorded{}, err
	}
	rules, _, err := s.rules(c.Workspace)
	if err != nil {
		return PromptRecorded{}, err
	}
	p := execution.PromptRecorded{Prompt: domain.PromptID(s.secret.DeriveID("pr_", c.ID, 0)), Model: in.Model, Provider: in.Provider,
		Subject: s.subjectOf(c, state, in.Subject), PromptTokens: in.PromptTokens, MaxOutputTokens: in.MaxOutputTokens}
	if _, repeated := state.Prompt(p.Prompt); !repeated {
		if _, err := state.Decide(execution.RecordPrompt{Prompt: p, By: c.Actor, At: s.now()}); err != nil {
			return PromptRecorded{}, err // before anything is reserved
		}
		if err := s.reserve(ctx, c, state, &p, rules.RolesOf(c.Actor, s.now()), in.ExpiresIn); err != nil {
			return PromptRecorded{}, err
		}
	}
	named, rides, err := s.content(ctx, c, PromptContent, p.Subject, in.Content)
	if err != nil {
		return PromptRecorded{}, err
	}
	p.Content, p.Content.Subject = named, "" // the fact says it
	r, err := s.onExecution(ctx, c, ex, func(at time.Time) execution.Command {
		return execution.RecordPrompt{Prompt: p, By: c.Actor, At: at}
	}, rides...)
	if err != nil {
		s.giveBack(ctx, c, p.Reservation, err)
		return PromptRecorded{}, err
	}
	e, ok := first[execution.PromptRecorded](r.Events)
	if !ok {
		return PromptRecorded{}, errNoEvent
	}
	return PromptRecorded{Receipt: r.Receipt, Prompt: e}, nil
}

// reserveTries is how many reservations one call may make: a repeat whose
// first one ended meanwhile makes another.
const reserveTries = 5

// reserve holds back what a prompt may take, and notes the reservation in p.
// A repeat finds the one it made before, unless that has ended: it was made for
// a prompt that was not recorded then, and others may have had the room since.
func (s *Service) reserve(ctx context.Context, c Call, state execution.State, p *execution.PromptRecorded, roles []domain.RoleName, ttl time.Duration) error {
	call := budget.Call{Execution: state.Execution, Prompt: p.Prompt, Workflow: state.Workflow, Model: p.Model, Roles: roles}
	switch c.Actor.Kind {
	case domain.KindAgent:
		call.Agent = domain.AgentID(c.Actor.ID)
	case domain.KindMember:
		call.Member = domain.MemberID(c.Actor.ID)
	}
	for try := range reserveTries {
		p.Reservation = domain.ReservationID(s.secret.DeriveID("rs_", c.ID, 16+try))
		r, err := s.budgets.Do(ctx, ledger.BudgetStream(c.Workspace), s.then(c, "reserve-"+string(p.Reservation)), func(at time.Time) budget.Command {
			return budget.Reserve{Reservation: p.Reservation, Call: call, TTL: ttl, At: at,
				Amounts: budget.Amounts{Calls: 1, PromptTokens: p.PromptTokens, OutputTokens: p.MaxOutputTokens}}
		})
		var refusal *domain.Error
		if errors.As(err, &refusal) && refusal.Kind == domain.Conflict {
			continue // it ended so long ago that only its id is remembered
		}
		if err != nil {
			return err
		}
		held, ok := r.State.Reservations.Get(p.Reservation)
		if ok && held.LapsedAt.IsZero() && s.now().Before(held.ExpiresAt) {
			p.CostMicros, p.ExpiresAt = held.Amounts.CostMicros, held.ExpiresAt
			return nil
		}
	}
	return domain.Refuse(domain.Conflict, "reservation_expired",
		"This call was repeated so often and so late that its reservations ended. Use a new Idempotency-Key.")
}

// giveBack releases a reservation whose prompt was refused. If the outcome of
// the prompt is not known, the reservation stays and expires by itself.
func (s *Service) giveBack(ctx context.Context, c Call, id domain.ReservationID, cause error) {
	var refusal *domain.Error
	if !errors.As(cause, &refusal) || refusal.Code == "idempotency_key_reused" {
		return
	}
	_ = s.release(ctx, c, id, "prompt refused")
}

// release gives a reservation back unused.
func (s *Service) release(ctx context.Context, c Call, id domain.ReservationID, reason string) error {
	_, err := s.budgets.Do(ctx, ledger.BudgetStream(c.Workspace), s.step(c, process.Release, string(id)), func(at time.Time) budget.Command {
		return budget.Release{Reservation: id, Reason: reason, At: at}
	})
	return err
}

// RecordCompletion is a model's answer.
type RecordCompletion struct {
	Content      json.RawMessage
	Usage        execution.Usage
	CostMicros   *domain.Micros // as the caller knows it
	FinishReason string
}

// RecordCompletion closes a prompt with its answer and settles what it used.
func (s *Service) RecordCompletion(ctx context.Context, c Call, ex domain.ExecutionID, prompt domain.PromptID, in RecordCompletion) (Receipt, error) {
	state, err := s.Execution(ctx, c.Workspace, ex)
	if err != nil {
		return Receipt{}, err
	}
	if _, _, err := s.rules(c.Workspace); err != nil {
		return Receipt{}, err
	}
	p, ok := state.Prompt(prompt)
	if !ok {
		return Receipt{}, notFound()
	}
	subject := s.subjectOf(c, state, "")
	if p.Recorded != nil {
		subject = p.Recorded.Subject
		// Refused before any content is written; a repeat finds the prompt closed.
		if _, err := state.Decide(execution.RecordCompletion{By: c.Actor, At: s.now(), Completion: execution.CompletionRecorded{Prompt: prompt}}); err != nil {
			return Receipt{}, err
		}
	}
	named, rides, err := s.content(ctx, c, CompletionContent, subject, in.Content)
	if err != nil {
		return Receipt{}, err
	}
	r, err := s.onExecution(ctx, c, ex, func(at time.Time) execution.Command {
		return execution.RecordCompletion{By: c.Actor, At: at, Completion: execution.CompletionRecorded{Prompt: prompt, Content: named,
			Usage: in.Usage, CostMicros: in.CostMicros, FinishReason: in.FinishReason}}
	}, rides...)
	if err != nil {
		return r.Receipt, err
	}
	settled, err := s.settleUse(ctx, c, p.Reservation, in.Usage, in.CostMicros)
	r.Position = max(r.Position, settled.Position)
	if err != nil { // the process settles it
		s.logger.WarnContext(ctx, "a completion is recorded but not yet settled; it will be tried again",
			"workspace", c.Workspace, "reservation", p.Reservation, "error", err)
	}
	return r.Receipt, nil
}

// settleUse replaces what a prompt had reserved by what it used. What the
// spending book refuses (it forgot a reservation of long ago) is logged: the
// completion is recorded, and its caller can do nothing about the book.
func (s *Service) settleUse(ctx context.Context, c Call, id domain.ReservationID, usage execution.Usage, cost *domain.Micros) (Receipt, error) {
	used := budget.Amounts{Calls: 1, PromptTokens: usage.PromptTokens, OutputTokens: usage.OutputTokens}
	if cost != nil {
		used.CostMicros = *cost
	}
	r, err := s.budgets.Do(ctx, ledger.BudgetStream(c.Workspace), s.step(c, process.Settle, string(id)), func(at time.Time) budget.Command {
		return budget.Settle{Reservation: id, Used: used, At: at}
	})
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		s.logger.WarnContext(ctx, "the spending book did not take a settlement", "workspace", c.Workspace, "reservation", id, "code", refusal.Code)
		return Receipt{}, nil
	}
	return r.Receipt, err
}

// FailPrompt closes a prompt that got no answer and gives its reservation back.
func (s *Service) FailPrompt(ctx context.Context, c Call, ex domain.ExecutionID, prompt domain.PromptID, reason string) (Receipt, error) {
	state, err := s.Execution(ctx, c.Workspace, ex)
	if err != nil {
		return Receipt{}, err
	}
	p, ok := state.Prompt(prompt)
	if !ok {
		return Receipt{}, notFound()
	}
	r, err := s.onExecution(ctx, c, ex, func(at time.Time) execution.Command {
		return execution.FailPrompt{Prompt: prompt, Reason: reason, By: c.Actor, At: at}
	})
	if err != nil {
		return r.Receipt, err
	}
	err = s.release(ctx, c, p.Reservation, "prompt failed")
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		err = nil // it was released or settled before, or has expired
	}
	return r.Receipt, err
}
