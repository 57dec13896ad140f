package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/budget"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// voided counts what a restore ended.
type voided struct {
	Executions   int // cancelled
	Reservations int // released
	Approvals    int // executions that wait for one; left alone
}

// permitReach is how long after a record of its execution a permit can at most
// be started: far longer than permits live.
const permitReach = 24 * time.Hour

// voiding ends what a restored log shows as open and may have gone on.
type voiding struct {
	sealed     *sealed
	now        func() time.Time
	executions *commands.Handler[execution.State, execution.Command, execution.Event]
	budgets    *commands.Handler[budget.State, budget.Command, budget.Event]
	counts     voided
}

func newVoiding(s *sealed, now func() time.Time) *voiding {
	o := commands.Options{Streams: 1024, Queue: 1, Now: now, Forever: true}
	v := &voiding{sealed: s, now: now}
	o.Name = "execution"
	v.executions = commands.NewHandler[execution.State, execution.Command](s.ledger, s.keys.Secret(), execution.Decode, o)
	o.Name = "budget"
	v.budgets = commands.NewHandler[budget.State, budget.Command](s.ledger, s.keys.Secret(), budget.Decode, o)
	return v
}

// all looks at every spending book, and at every execution that was written to
// lately enough to have a permit that can be started.
func (v *voiding) all(ctx context.Context) (voided, error) {
	books, recent, err := v.candidates(ctx)
	for _, ws := range books {
		if err == nil {
			err = v.book(ctx, ws)
		}
	}
	for _, stream := range recent {
		if err == nil {
			err = v.execution(ctx, stream)
		}
	}
	return v.counts, err
}

// candidates lists workspaces with a spending book, and executions of lately.
func (v *voiding) candidates(ctx context.Context) (books []domain.WorkspaceID, recent []string, err error) {
	last, err := newest(ctx, v.sealed.log)
	if err != nil || last == nil {
		return nil, nil, err
	}
	since := v.now()
	if last.Created.Before(since) {
		since = last.Created
	}
	since = since.Add(-permitReach)
	seen := map[string]bool{}
	for r, err := range v.sealed.log.Read(ctx, eventlog.Query{TypePrefixes: []string{"execution.", "budget."}}) {
		if err != nil {
			return nil, nil, err
		}
		ws, err := ledger.WorkspaceOf(r.Stream)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case seen[r.Stream]:
		case r.Stream == ledger.BudgetStream(ws):
			books = append(books, ws)
			seen[r.Stream] = true
		case !r.Created.Before(since):
			recent = append(recent, r.Stream)
			seen[r.Stream] = true
		}
	}
	return books, recent, nil
}

// call is the restore's own command about a thing. A restore of the same
// backup makes the same one.
func (v *voiding) call(ws domain.WorkspaceID, thing string) commands.Call {
	actor := domain.Service("restore")
	return commands.Call{Workspace: ws, Actor: actor, ID: v.sealed.keys.Secret().CommandID(ws, actor, "restore", "void", thing)}
}

const voidReason = "restored from a backup; it may have gone on after the backup was made"

// book releases the open reservations of a workspace.
func (v *voiding) book(ctx context.Context, ws domain.WorkspaceID) error {
	state, _, err := v.budgets.Load(ctx, ledger.BudgetStream(ws))
	if err != nil {
		return err
	}
	for id, held := range state.Reservations.All() {
		if !held.LapsedAt.IsZero() {
			continue // it expired by itself
		}
		_, err := v.budgets.Do(ctx, ledger.BudgetStream(ws), v.call(ws, string(id)), func(at time.Time) budget.Command {
			return budget.Release{Reservation: id, Reason: voidReason, At: at}
		})
		var refused *domain.Error
		if err != nil && !errors.As(err, &refused) {
			return err
		}
		if err == nil {
			v.counts.Reservations++
		}
	}
	return nil
}

// execution cancels an execution that has a permit nobody used.
func (v *voiding) execution(ctx context.Context, stream string) error {
	ws, err := ledger.WorkspaceOf(stream)
	if err != nil {
		return err
	}
	state, _, err := v.executions.Load(ctx, stream)
	if err != nil || !v.open(state) {
		return err
	}
	_, id, _ := strings.Cut(stream, "/execution-")
	_, err = v.executions.Do(ctx, stream, v.call(ws, id), func(at time.Time) execution.Command {
		return execution.Cancel{Reason: voidReason, Control: true, By: domain.Service("restore"), At: at}
	})
	if err == nil {
		v.counts.Executions++
	}
	return err
}

// open reports whether an action could still be started with a permit.
func (v *voiding) open(state execution.State) bool {
	waits := false
	for id := range state.Actions.All() {
		act, _ := state.Action(id)
		if act.Status == execution.StatusAuthorized && act.Permit != nil {
			return true
		}
		waits = waits || act.Status == execution.StatusAwaiting
	}
	if waits {
		v.counts.Approvals++
	}
	return false
}
