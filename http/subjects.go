package http

import (
	"context"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
)

// EraseSubject makes content about a data subject unreadable, and answers once
// no replica seals anything under its destroyed keys any more.
func (h *handlers) EraseSubject(ctx context.Context, r api.EraseSubjectRequestObject) (api.EraseSubjectResponseObject, error) {
	in := commands.EraseSubject{Subject: r.Body.Subject, Member: domain.MemberID(r.Body.Member), Reason: r.Body.Reason}
	if (in.Subject == "") == (in.Member == "") {
		return nil, invalidBody([]fieldError{{"subject", "Give either subject or member."}})
	}
	done, err := h.service.EraseSubject(ctx, h.call(ctx), in)
	if err != nil {
		return nil, err
	}
	err = h.gone(ctx, done.Receipt, domain.WorkspaceID(r.Ws), func(s workspace.State) bool {
		e, ok := s.Erasures.Get(done.Erasure)
		return !ok || e.Done
	})
	return api.EraseSubject200JSONResponse{
		Body:    api.Erasure{SubjectTag: string(done.Subject), Status: api.ErasureStatusErased, Keys: done.Keys},
		Headers: api.EraseSubject200ResponseHeaders{LedgerPosition: positionOf(done.Receipt)}}, err
}
