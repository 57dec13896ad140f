package http

import (
	"context"

	"github.com/clawoffice/ledger/http/api"
)

// ListGrants waits for its helper.
func (h *handlers) ListGrants(ctx context.Context, r api.ListGrantsRequestObject) (api.ListGrantsResponseObject, error) {
	return nil, errNotFound
}

// GiveGrant waits for its helper.
func (h *handlers) GiveGrant(ctx context.Context, r api.GiveGrantRequestObject) (api.GiveGrantResponseObject, error) {
	return nil, errNotFound
}

// GetGrant waits for its helper.
func (h *handlers) GetGrant(ctx context.Context, r api.GetGrantRequestObject) (api.GetGrantResponseObject, error) {
	return nil, errNotFound
}

// RevokeGrant waits for its helper.
func (h *handlers) RevokeGrant(ctx context.Context, r api.RevokeGrantRequestObject) (api.RevokeGrantResponseObject, error) {
	return nil, errNotFound
}
