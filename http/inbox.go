package http

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/approvals"
)

// ListApprovals answers approvals, newest first; with mine those that the
// caller may decide, first to expire first. To a caller without approval.read
// it answers only those that it requested.
func (h *handlers) ListApprovals(ctx context.Context, r api.ListApprovalsRequestObject) (api.ListApprovalsResponseObject, error) {
	p := r.Params
	if err := h.reach(ctx, approvals.Name, given(p.MinPosition)); err != nil {
		return nil, err
	}
	ws, me := domain.WorkspaceID(r.Ws), CallerFrom(ctx).Actor
	f := approvals.Filter{Status: approval.Status(given(p.Status)), Requester: domain.ParseActor(given(p.Requester)),
		Kind: domain.ActionKind(given(p.Kind)), Risk: string(given(p.Risk)), At: h.now()}
	out := api.ListApprovals200JSONResponse{Items: []api.Approval{}}
	if !callOf(ctx).holds(domain.ApprovalRead) {
		if given(p.Requester) != "" && f.Requester != me {
			return out, nil
		}
		f.Requester = me
	}
	find, fits := h.approvals.List, func(s approval.State) bool { return f.Status == "" || s.Status == f.Status }
	if given(p.Mine) {
		find, fits = h.decidable, func(s approval.State) bool { return s.Open() && !hasPart(s, me) }
	}
	page, err := find(ctx, ws, f, given(p.Cursor), pageSize(given(p.Limit)))
	if errors.Is(err, approvals.ErrCursor) {
		return nil, invalidParameter("cursor", "This is no cursor of this list. Begin the list anew.")
	}
	if err == nil {
		out.Items, page, err = h.whole(ctx, ws, page, fits)
	}
	out.Next = page.Next()
	return out, err
}

// decidable is the caller's inbox: what it may decide by its roles of now, or
// in the place of those who delegated to it.
func (h *handlers) decidable(ctx context.Context, ws domain.WorkspaceID, f approvals.Filter, cursor string, limit int) (approvals.Page, error) {
	me := CallerFrom(ctx).Actor
	snapshot, ok := h.access.Workspace(ws)
	if !ok || !snapshot.Allows(me, domain.ApprovalDecide, f.At) || f.Status != "" && f.Status != approval.StatusPending {
		return approvals.Page{}, nil
	}
	rights := snapshot.Access()
	v := approvals.Voter{Actor: me, Roles: rights.RolesOf(me, f.At)}
	for _, d := range rights.Delegations.All() {
		absent := domain.MemberActor(d.From)
		if domain.MemberActor(d.To) != me || slices.ContainsFunc(v.For, func(a approvals.Absent) bool { return a.Member == absent }) {
			continue
		}
		if id, roles := rights.Delegated(d.To, d.From, f.At); id != "" {
			v.For = append(v.For, approvals.Absent{Member: absent, Roles: roles})
		}
	}
	return h.approvals.Mine(ctx, ws, v, f, cursor, limit)
}

// hasPart reports whether somebody voted, or was voted for.
func hasPart(s approval.State, who domain.Actor) bool {
	return slices.ContainsFunc(s.Votes, func(v approval.VoteCast) bool { return v.By == who || v.OnBehalf == who })
}

const (
	// loadsAtOnce is how many approvals of a list are read beside each other.
	loadsAtOnce = 8
	// listedBytes is how much of actions' parameters a list answers before it
	// ends its page early, since a single one may have a megabyte.
	listedBytes = 4 << 20
)

// whole reads the approvals of a page from their streams. Those that changed
// since the model saw them and do not fit any more are left out.
func (h *handlers) whole(ctx context.Context, ws domain.WorkspaceID, page approvals.Page, fits func(approval.State) bool) ([]api.Approval, approvals.Page, error) {
	items, size, done := []api.Approval{}, 0, 0
	for chunk := range slices.Chunk(page.Items, loadsAtOnce) {
		states, err := h.load(ctx, ws, chunk)
		if err != nil {
			return nil, approvals.Page{}, err
		}
		for _, s := range states {
			if size += len(s.Request.Params); fits(s) {
				items = append(items, apiApproval(s))
			}
		}
		if done += len(chunk); size >= listedBytes {
			return items, page.Cut(done), nil
		}
	}
	return items, page, nil
}

func (h *handlers) load(ctx context.Context, ws domain.WorkspaceID, list []approvals.Approval) ([]approval.State, error) {
	states, errs := make([]approval.State, len(list)), make([]error, len(list))
	var work sync.WaitGroup
	for i, a := range list {
		work.Go(func() { states[i], errs[i] = h.service.Approval(ctx, ws, a.ID) })
	}
	work.Wait()
	return states, errors.Join(errs...)
}
