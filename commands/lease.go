package commands

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/lease"
	"github.com/clawoffice/ledger/internal/ledger"
)

// The lease's rhythm. A holder stops believing in its lease before anybody
// else can have waited long enough to take it over.
const (
	leaseLook   = 2 * time.Second
	leaseRenew  = 10 * time.Second
	leaseBelief = 25 * time.Second // since the last renewal
	leaseExpiry = 35 * time.Second // without a renewal that an observer saw
)

// Lease is this process's part in the lease for work that one replica alone
// should do. Where no other process writes to the log it is always held.
type Lease struct {
	handler *Handler[lease.State, lease.Command, lease.Event]
	service *Service
	holder  string
	shared  bool
	log     *slog.Logger
	renewed atomic.Pointer[time.Time] // when this process last renewed its tenure; nil if it has none

	// Of Run alone.
	tenure int64
	seen   lease.State
	seenAt time.Time
}

// NewLease makes a Lease.
func (s *Service) NewLease(shared bool) *Lease {
	return &Lease{service: s, holder: randomKey(), shared: shared, log: s.logger,
		handler: NewHandler[lease.State, lease.Command](s.log, s.secret, lease.Decode, Options{Name: "lease", Shared: true, Streams: 1, Queue: 8, Now: s.now})}
}

// Held reports whether this process holds the lease, as far as it knows. Work
// done by it must do no harm when another process does it too.
func (l *Lease) Held() bool {
	if !l.shared {
		return true
	}
	at := l.renewed.Load()
	return at != nil && time.Since(*at) < leaseBelief
}

// Run takes part until ctx ends, and then gives the lease back.
func (l *Lease) Run(ctx context.Context) {
	if !l.shared {
		return
	}
	tick := time.NewTicker(leaseLook)
	defer tick.Stop()
	for {
		if err := l.turn(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("the lease can't be read or renewed", "error", err)
		}
		select {
		case <-ctx.Done():
			l.release()
			return
		case <-tick.C:
		}
	}
}

// turn renews the lease if it is ours, or takes it if nobody has it or the
// holder was not heard of for too long.
func (l *Lease) turn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseRenew)
	defer cancel()
	state, _, err := l.handler.Load(ctx, ledger.LeaseStream)
	if err != nil {
		return err
	}
	now := time.Now()
	if l.seenAt.IsZero() || state.Tenure != l.seen.Tenure || state.Renewals != l.seen.Renewals || state.Holder != l.seen.Holder {
		l.seen, l.seenAt = state, now
	}
	mine := l.tenure != 0 && state.Tenure == l.tenure && state.Holder == l.holder
	switch {
	case mine:
		if at := l.renewed.Load(); at == nil || time.Since(*at) >= leaseRenew {
			return l.do(ctx, now, func(at time.Time) lease.Command { return lease.Renew{Tenure: l.tenure, At: at} })
		}
		return nil
	case state.Holder == "" || time.Since(l.seenAt) >= leaseExpiry:
		return l.do(ctx, now, func(at time.Time) lease.Command {
			return lease.Acquire{Holder: l.holder, Over: state.Tenure, Renewals: state.Renewals, At: at}
		})
	}
	l.renewed.Store(nil)
	return nil
}

// do asks for a change and notes since when this process holds the lease: from
// before it asked.
func (l *Lease) do(ctx context.Context, asked time.Time, build func(time.Time) lease.Command) error {
	actor := domain.Service("lease")
	call := Call{Workspace: domain.System, Actor: actor, ID: l.service.secret.CommandID(domain.System, actor, "own", "lease", randomKey())}
	r, err := l.handler.Do(ctx, ledger.LeaseStream, call, build)
	var refusal *domain.Error
	if errors.As(err, &refusal) { // another process was faster
		l.renewed.Store(nil)
		return nil
	}
	if err != nil {
		return err
	}
	if r.State.Holder == l.holder {
		if l.tenure != r.State.Tenure {
			l.log.Info("this replica takes the timers and what calls left undone")
		}
		l.tenure = r.State.Tenure
		l.renewed.Store(&asked)
		l.seen, l.seenAt = r.State, asked
	}
	return nil
}

// release gives the lease back, so that another process need not wait.
func (l *Lease) release() {
	if !l.Held() {
		return
	}
	l.renewed.Store(nil)
	ctx, cancel := context.WithTimeout(context.Background(), leaseLook)
	defer cancel()
	if err := l.do(ctx, time.Now(), func(at time.Time) lease.Command { return lease.Release{Tenure: l.tenure, At: at} }); err != nil {
		l.log.Warn("the lease could not be given back; another replica takes it over in half a minute", "error", err)
	}
}
