package http

import (
	"context"
	"errors"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/directory"
)

func apiApproval(s approval.State) api.Approval {
	r := s.Request
	out := api.Approval{ID: string(r.Approval), Status: api.ApprovalStatus(s.Status), Execution: string(r.Execution), ActionID: string(r.Action),
		Workflow: string(r.Workflow), Action: api.ActionInput{Kind: string(r.Kind), Params: r.Params}, ActionDigest: string(r.Digest),
		Policy: string(r.Policy), Version: r.Version, Rule: string(r.Rule), Reason: r.Reason, Requester: r.Requester.String(),
		Requirement: apiRequirement(&r.Requirement), Votes: []api.Vote{}, RequestedAt: r.At.UTC(), ExpiresAt: r.ExpiresAt.UTC(), DecidedAt: s.EndedAt.UTC()}
	out.EscalatesAt, out.Escalated = s.EscalatesAt().UTC(), s.Escalated()
	if s.Open() {
		out.Roles = texts[api.RoleName](s.AcceptedRoles())
	}
	for _, a := range r.Excluded {
		out.Excluded = append(out.Excluded, a.String())
	}
	for _, v := range s.Votes {
		out.Votes = append(out.Votes, api.Vote{By: v.By.String(), OnBehalfOf: v.OnBehalf.String(), Roles: texts[api.RoleName](v.Roles), Decision: api.VoteDecision(v.Choice),
			Reason: v.Reason, At: v.At.UTC()})
	}
	return out
}

// GetApproval answers the exact action and who has said what of it.
func (h *handlers) GetApproval(ctx context.Context, r api.GetApprovalRequestObject) (api.GetApprovalResponseObject, error) {
	s, err := h.service.Approval(ctx, domain.WorkspaceID(r.Ws), domain.ApprovalID(r.ID))
	if err != nil {
		return nil, err
	}
	if err := requesterOnly(ctx, s.Request.Requester); err != nil {
		return nil, err
	}
	return api.GetApproval200JSONResponse(apiApproval(s)), nil
}

// DecideApproval records a person's decision.
func (h *handlers) DecideApproval(ctx context.Context, r api.DecideApprovalRequestObject) (api.DecideApprovalResponseObject, error) {
	s, receipt, err := h.service.Decide(ctx, h.call(ctx), domain.ApprovalID(r.ID), approval.Choice(r.Body.Decision), r.Body.Reason, domain.Digest(r.Body.ActionDigest),
		domain.MemberID(r.Body.OnBehalfOf))
	if err != nil {
		return nil, err
	}
	return api.DecideApproval200JSONResponse{Body: apiApproval(s),
		Headers: api.DecideApproval200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// listError words what the directory says of a question.
func listError(err error) error {
	switch {
	case errors.Is(err, directory.ErrCursor):
		return invalidParameter("cursor", "This is no cursor of this list. Begin the list anew.")
	case errors.Is(err, directory.ErrNotFound):
		return errNotFound
	}
	return err
}
