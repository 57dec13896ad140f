package http

import (
	"context"

	"github.com/clawoffice/ledger/http/api"
)

// ListWebhooks waits for its helper.
func (h *handlers) ListWebhooks(ctx context.Context, r api.ListWebhooksRequestObject) (api.ListWebhooksResponseObject, error) {
	return nil, errNotFound
}

// CreateWebhook waits for its helper.
func (h *handlers) CreateWebhook(ctx context.Context, r api.CreateWebhookRequestObject) (api.CreateWebhookResponseObject, error) {
	return nil, errNotFound
}

// GetWebhook waits for its helper.
func (h *handlers) GetWebhook(ctx context.Context, r api.GetWebhookRequestObject) (api.GetWebhookResponseObject, error) {
	return nil, errNotFound
}

// PutWebhook waits for its helper.
func (h *handlers) PutWebhook(ctx context.Context, r api.PutWebhookRequestObject) (api.PutWebhookResponseObject, error) {
	return nil, errNotFound
}

// RemoveWebhook waits for its helper.
func (h *handlers) RemoveWebhook(ctx context.Context, r api.RemoveWebhookRequestObject) (api.RemoveWebhookResponseObject, error) {
	return nil, errNotFound
}

// RotateWebhookSecret waits for its helper.
func (h *handlers) RotateWebhookSecret(ctx context.Context, r api.RotateWebhookSecretRequestObject) (api.RotateWebhookSecretResponseObject, error) {
	return nil, errNotFound
}

// TestWebhook waits for its helper.
func (h *handlers) TestWebhook(ctx context.Context, r api.TestWebhookRequestObject) (api.TestWebhookResponseObject, error) {
	return nil, errNotFound
}

// ListDeliveries waits for its helper.
func (h *handlers) ListDeliveries(ctx context.Context, r api.ListDeliveriesRequestObject) (api.ListDeliveriesResponseObject, error) {
	return nil, errNotFound
}
