package http

import (
	"context"

	"github.com/clawoffice/ledger/http/api"
)

// WithdrawApproval waits for its helper.
func (h *handlers) WithdrawApproval(ctx context.Context, r api.WithdrawApprovalRequestObject) (api.WithdrawApprovalResponseObject, error) {
	return nil, errNotFound
}
