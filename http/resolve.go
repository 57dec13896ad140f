package http

import (
	"context"
	"encoding/json"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/http/api"
)

// ResolveExecution records what a person knows of an execution that nobody
// ended.
func (h *handlers) ResolveExecution(ctx context.Context, r api.ResolveExecutionRequestObject) (api.ResolveExecutionResponseObject, error) {
	s, receipt, err := h.service.ResolveExecution(ctx, h.call(ctx), domain.ExecutionID(r.ID), execution.Outcome(r.Body.Outcome), r.Body.Reason)
	if err != nil {
		return nil, err
	}
	return api.ResolveExecution200JSONResponse{Body: changed(s, ""),
		Headers: api.ResolveExecution200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// ResolvePrompt records what a person knows of a prompt without an outcome.
func (h *handlers) ResolvePrompt(ctx context.Context, r api.ResolvePromptRequestObject) (api.ResolvePromptResponseObject, error) {
	in := commands.ResolvePrompt{CostMicros: (*domain.Micros)(r.Body.CostMicros), Reason: r.Body.Reason}
	if saysUsage(BodyFrom(ctx)) {
		in.Usage = &execution.Usage{PromptTokens: domain.Tokens(r.Body.Usage.PromptTokens), OutputTokens: domain.Tokens(r.Body.Usage.OutputTokens)}
	}
	receipt, err := h.service.ResolvePrompt(ctx, h.call(ctx), domain.ExecutionID(r.ID), domain.PromptID(r.Pid), in)
	if err != nil {
		return nil, err
	}
	return api.ResolvePrompt200JSONResponse{Body: api.PromptResolved{PromptID: r.Pid, Status: api.PromptResolvedStatusResolved},
		Headers: api.ResolvePrompt200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// saysUsage reports whether a checked body has the member usage, which the
// generated type can't tell from a usage of nothing.
func saysUsage(body []byte) bool {
	var sent struct {
		Usage *json.RawMessage `json:"usage"`
	}
	return json.Unmarshal(body, &sent) == nil && sent.Usage != nil
}
