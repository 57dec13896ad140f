package http

import (
	"context"

	"github.com/clawoffice/ledger/http/api"
)

// ResolveExecution waits for its helper.
func (h *handlers) ResolveExecution(ctx context.Context, r api.ResolveExecutionRequestObject) (api.ResolveExecutionResponseObject, error) {
	return nil, errNotFound
}

// ResolvePrompt waits for its helper.
func (h *handlers) ResolvePrompt(ctx context.Context, r api.ResolvePromptRequestObject) (api.ResolvePromptResponseObject, error) {
	return nil, errNotFound
}
