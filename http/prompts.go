package http

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/http/api"
)

// promptContent is what is recorded of a prompt, the text or the messages as
// they came, and the estimate of its tokens: a third of the UTF-8 bytes,
// rounded up, and 8 for each message.
func promptContent(in *api.PromptInput) (json.RawMessage, domain.Tokens, error) {
	if in.Messages == nil {
		if string(in.Content) == "null" {
			return nil, 0, invalidBody([]fieldError{{"/content", "A prompt needs some content."}})
		}
		return in.Content, estimate(textSize(in.Content), 1), nil
	}
	size := 0
	for i, m := range in.Messages {
		n, err := messageSize(m)
		if err != nil {
			return nil, 0, invalidBody([]fieldError{{fmt.Sprintf("/messages/%d", i), "This message can't be read."}})
		}
		size += n
	}
	content, err := json.Marshal(in.Messages)
	return content, estimate(size, len(in.Messages)), err
}

func estimate(bytes, messages int) domain.Tokens {
	return domain.Tokens((bytes+2)/3 + 8*messages)
}

// messageSize is the bytes of what a message says: its text where that is a
// string, else the JSON of it, and the JSON of all other members but the role.
func messageSize(m json.RawMessage) (int, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(m, &members); err != nil {
		return 0, err
	}
	size := 0
	for name, value := range members {
		if name != "role" {
			size += textSize(value)
		}
	}
	return size, nil
}

// textSize is the bytes of a text, or of the JSON of anything else.
func textSize(value json.RawMessage) int {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return len(text)
	}
	return len(value)
}

// longestReservation bounds how long a prompt's reservation may be held.
const longestReservation = 24 * time.Hour

// reservationTime reads how long a reservation is to be held; 0 is the book's
// own rule.
func reservationTime(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > longestReservation {
		return 0, invalidBody([]fieldError{{"/expires_in", "A reservation is held for more than 0s and at most 24h."}})
	}
	return d, nil
}

// RecordPrompt records a prompt before it is sent.
func (h *handlers) RecordPrompt(ctx context.Context, r api.RecordPromptRequestObject) (api.RecordPromptResponseObject, error) {
	b := r.Body
	content, tokens, err := promptContent(b)
	if err != nil {
		return nil, err
	}
	expires, err := reservationTime(b.ExpiresIn)
	if err != nil {
		return nil, err
	}
	if b.PromptTokens != nil {
		tokens = domain.Tokens(*b.PromptTokens)
	}
	made, err := h.service.RecordPrompt(ctx, h.call(ctx), domain.ExecutionID(r.ID), commands.RecordPrompt{Model: domain.Model(b.Model), Provider: b.Provider,
		Content: content, PromptTokens: tokens, MaxOutputTokens: domain.Tokens(b.MaxOutputTokens), Subject: b.Subject, ExpiresIn: expires})
	if err != nil {
		return nil, err
	}
	p := made.Prompt
	return api.RecordPrompt201JSONResponse{
		Body: api.PromptRecorded{PromptID: string(p.Prompt), Reservation: api.Reservation{ID: string(p.Reservation), Calls: 1,
			PromptTokens: int64(p.PromptTokens), OutputTokens: int64(p.MaxOutputTokens), CostMicros: int64(p.CostMicros), ExpiresAt: p.ExpiresAt.UTC()}},
		Headers: api.RecordPrompt201ResponseHeaders{LedgerPosition: positionOf(made.Receipt)}}, nil
}

// RecordCompletion records a model's answer.
func (h *handlers) RecordCompletion(ctx context.Context, r api.RecordCompletionRequestObject) (api.RecordCompletionResponseObject, error) {
	b := r.Body
	receipt, err := h.service.RecordCompletion(ctx, h.call(ctx), domain.ExecutionID(r.ID), domain.PromptID(r.Pid), commands.RecordCompletion{
		Content: b.Content, FinishReason: b.FinishReason, CostMicros: (*domain.Micros)(b.CostMicros),
		Usage: execution.Usage{PromptTokens: domain.Tokens(b.Usage.PromptTokens), OutputTokens: domain.Tokens(b.Usage.OutputTokens)}})
	if err != nil {
		return nil, err
	}
	return api.RecordCompletion201JSONResponse{
		Body:    api.CompletionRecorded{PromptID: r.Pid, Status: api.CompletionRecordedStatusCompleted, Usage: b.Usage},
		Headers: api.RecordCompletion201ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// FailPrompt records that a prompt got no answer.
func (h *handlers) FailPrompt(ctx context.Context, r api.FailPromptRequestObject) (api.FailPromptResponseObject, error) {
	receipt, err := h.service.FailPrompt(ctx, h.call(ctx), domain.ExecutionID(r.ID), domain.PromptID(r.Pid), given(r.Body).Reason)
	if err != nil {
		return nil, err
	}
	return api.FailPrompt201JSONResponse{Body: api.PromptFailed{PromptID: r.Pid, Status: api.PromptFailedStatusFailed},
		Headers: api.FailPrompt201ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}
