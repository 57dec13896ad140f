package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
)

// approvalFlow is what passes an approval's outcome on.
type approvalFlow interface {
	Approval(ctx context.Context, ws domain.WorkspaceID, id domain.ApprovalID) (approval.State, error)
	FollowApproval(ctx context.Context, ws domain.WorkspaceID, state approval.State) error
}

// outcomes brings every approval's outcome to its execution. The call that
// ended the vote does so too; this does it where that process died between the
// two. It is a projection without rows: its checkpoint says how far it has
// looked, and looking twice does no harm.
type outcomes struct {
	flow approvalFlow
	log  *slog.Logger
}

var _ projections.Projection = (*outcomes)(nil)

const outcomesName = "outcomes"

// outcomeTime bounds one attempt.
const outcomeTime = 10 * time.Second

// Spec says what the projection is.
func (*outcomes) Spec() projections.Spec {
	return projections.Spec{Name: outcomesName, Version: 1,
		Types: []string{"approval.approved.", "approval.denied.", "approval.expired.", "approval.withdrawn."}}
}

// Load has nothing to load.
func (*outcomes) Load(context.Context, *projections.File, eventlog.Position) error { return nil }

// Flush has nothing to write.
func (*outcomes) Flush(context.Context, *sqlite.Conn) error { return nil }

// Apply passes one outcome on. A failure may pass; an execution or approval
// that fails its integrity check is left alone, so that it can't hold up the
// others.
func (o *outcomes) Apply(ctx context.Context, r *ledger.Record) error {
	_, id, ok := strings.Cut(r.Stream, "/approval-")
	if !ok {
		return nil // not in a stream of ours
	}
	ctx, cancel := context.WithTimeout(ctx, outcomeTime)
	defer cancel()
	state, err := o.flow.Approval(ctx, r.Workspace, domain.ApprovalID(id))
	if err == nil {
		err = o.flow.FollowApproval(ctx, r.Workspace, state)
	}
	var refused *domain.Error
	switch {
	case errors.Is(err, commands.ErrIntegrity):
		o.log.Error("an approval's outcome was not passed on, because a stream fails its check; run clawledger verify",
			"workspace", r.Workspace, "approval", id, "error", err)
	case errors.As(err, &refused):
		o.log.Warn("an approval's outcome was not passed on", "workspace", r.Workspace, "approval", id, "code", refused.Code)
	case err != nil:
		return fmt.Errorf("passing on the outcome of approval %s: %w: %w", id, projections.ErrTransient, err)
	}
	return nil
}
