package http

import (
	"context"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
)

// WithdrawApproval gives up an approval that waits, and with it the action: for
// its requester, and for whoever controls executions.
func (h *handlers) WithdrawApproval(ctx context.Context, r api.WithdrawApprovalRequestObject) (api.WithdrawApprovalResponseObject, error) {
	ws, id := domain.WorkspaceID(r.Ws), domain.ApprovalID(r.ID)
	seen, err := h.service.Approval(ctx, ws, id)
	if err != nil {
		return nil, err
	}
	if err := requesterOnly(ctx, seen.Request.Requester); err != nil {
		return nil, err
	}
	s, receipt, err := h.service.WithdrawApproval(ctx, h.call(ctx), id, given(r.Body).Reason, callOf(ctx).holds(domain.ExecutionControl))
	if err != nil {
		return nil, err
	}
	return api.WithdrawApproval200JSONResponse{Body: apiApproval(s),
		Headers: api.WithdrawApproval200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}
