package http

import (
	"context"

	"github.com/clawoffice/ledger/http/api"
)

// GetAccess waits for its helper.
func (h *handlers) GetAccess(ctx context.Context, r api.GetAccessRequestObject) (api.GetAccessResponseObject, error) {
	return nil, errNotFound
}
