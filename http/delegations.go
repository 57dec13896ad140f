package http

import (
	"context"

	"github.com/clawoffice/ledger/http/api"
)

// ListDelegations waits for its helper.
func (h *handlers) ListDelegations(ctx context.Context, r api.ListDelegationsRequestObject) (api.ListDelegationsResponseObject, error) {
	return nil, errNotFound
}

// CreateDelegation waits for its helper.
func (h *handlers) CreateDelegation(ctx context.Context, r api.CreateDelegationRequestObject) (api.CreateDelegationResponseObject, error) {
	return nil, errNotFound
}

// EndDelegation waits for its helper.
func (h *handlers) EndDelegation(ctx context.Context, r api.EndDelegationRequestObject) (api.EndDelegationResponseObject, error) {
	return nil, errNotFound
}
