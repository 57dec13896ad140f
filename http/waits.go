package http

import (
	"context"
	"errors"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
)

// Waits of reads and of changes of rights for a model are bounded; a model that
// needs longer is in trouble.
const (
	readWait   = 5 * time.Second
	rightsWait = 5 * time.Second
	// rightsAge is how old rights may be that a replica decides by; see
	// DESIGN: a call that takes rights away outlasts it when there are others.
	rightsAge = 500 * time.Millisecond
	// beyondAfter is how long a read waits before it asks whether the log
	// reaches the position at all.
	beyondAfter = 50 * time.Millisecond
)

// reach waits until a model stands at min_position.
func (h *handlers) reach(ctx context.Context, model string, min api.Position) error {
	n, err := parsePosition("min_position", min)
	if err != nil || n == 0 || uint64(h.models.Position(model)) >= n {
		return err
	}
	return h.server.aside(ctx, func() error { return h.await(ctx, model, n) })
}

// await waits for a model to get to position n, and refuses one that the log
// had not reached after the call had come: nobody can have been answered it.
func (h *handlers) await(ctx context.Context, model string, n uint64) error {
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	for asked := time.Now(); ; {
		err := h.awaitBriefly(ctx, model, n)
		if !errors.Is(err, projections.ErrBehind) {
			return err
		}
		waited := time.Since(asked) // before the next question, so that it errs on the safe side
		since, ok := h.models.Fresh(model)
		switch {
		case uint64(h.models.Position(model)) >= n:
			return nil
		case ok && since <= waited:
			return invalidParameter("min_position", "The log does not reach this position; give one that this log answered.")
		case ctx.Err() != nil:
			return domain.Refuse(domain.Unavailable, "not_there_yet",
				"This replica has not seen min_position within %s. Try again.", readWait)
		}
	}
}

// awaitBriefly waits a moment. That also makes the models look at the log.
func (h *handlers) awaitBriefly(ctx context.Context, model string, n uint64) error {
	ctx, cancel := context.WithTimeout(ctx, beyondAfter)
	defer cancel()
	return h.models.WaitFor(ctx, model, like(commands.Receipt{}.Position, n))
}

// inForce waits until this replica decides by a change of rights, so that a
// token works, or works no more, as soon as the change was answered. Where
// other replicas check rights too, taking away waits out the time for which
// they may still decide by what they knew before.
//
// The call holds no place while it waits, and takes none afterwards: there is
// little left to do, and a refusal would hide that the change was recorded.
func (h *handlers) inForce(ctx context.Context, r commands.Receipt) error {
	callOf(ctx).giveTurnBack()
	ctx, cancel := context.WithTimeout(ctx, rightsWait)
	defer cancel()
	return notInForce(h.models.WaitFor(ctx, access.Name, r.Position))
}

// inForceUnless is inForce for an answer that may show a secret. A secret that
// is shown now is shown whatever became of the wait: a repeat of the call would
// not show it again.
func (h *handlers) inForceUnless(ctx context.Context, shown bool, r commands.Receipt) error {
	err := h.inForce(ctx, r)
	if shown {
		return nil
	}
	return err
}

// gone is inForce for a change that takes rights away. over reports whether the
// rights are gone in the workspace as this replica sees it; it is asked too,
// since a repeat that changed nothing has no position to wait for.
func (h *handlers) gone(ctx context.Context, r commands.Receipt, ws domain.WorkspaceID, over func(workspace.State) bool) error {
	if err := h.inForce(ctx, r); err != nil {
		return err
	}
	limit := time.NewTimer(rightsWait)
	defer limit.Stop()
	for {
		if w, ok := h.access.Workspace(ws); !ok || over(w.Access()) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return notInForce(projections.ErrBehind)
		case <-time.After(time.Millisecond):
		}
	}
	if !h.shared {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rightsAge):
		return nil
	}
}

// notInForce words the failure of a wait for rights.
func notInForce(err error) error {
	if errors.Is(err, projections.ErrBehind) || errors.Is(err, projections.ErrStopped) {
		return domain.Refuse(domain.Unavailable, "not_in_force_yet",
			"The change is recorded, but this replica does not decide by it yet. Repeat the call with the same Idempotency-Key to know when it does.")
	}
	return err
}
