package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// EraseSubject is whom to erase: a subject as callers named it, or a member,
// whose profile is meant; exactly one of them.
type EraseSubject struct {
	Subject string
	Member  domain.MemberID
	Reason  string
}

// Erased is an erasure that was carried out.
type Erased struct {
	Receipt
	Erasure domain.ErasureID
	Subject domain.SubjectTag
	Keys    int // that the subject had; 0 if nothing was ever sealed for it
}

// EraseSubject makes content about a data subject unreadable: it records the
// order, destroys the keys that the subject has by then, and records that. What
// the process or another replica does of it meanwhile is the same. After a
// failure in between, the process carries the order out.
//
// Content for the same subject afterwards is sealed under a new key. Where other
// replicas write to the log, they may use a key that was destroyed until they
// hear that the erasure is done; what they write until then is erased with it.
func (s *Service) EraseSubject(ctx context.Context, c Call, in EraseSubject) (Erased, error) {
	if s.keys == nil {
		return Erased{}, errNoDataKeys
	}
	id := domain.ErasureID(s.secret.DeriveID("er_", c.ID, 0))
	order := workspace.OrderErasure{Erasure: id, Member: in.Member, Reason: in.Reason, By: c.Actor}
	if in.Subject != "" {
		order.Subject = s.secret.SubjectTag(c.Workspace, in.Subject)
	}
	r, err := s.workspaces.Do(ctx, ledger.WorkspaceStream(c.Workspace), c, func(at time.Time) workspace.Command {
		order.At = at
		return order
	})
	if err != nil {
		return Erased{}, err
	}
	var done Erased
	if ordered, ok := first[workspace.SubjectErasureOrdered](r.Events); ok && !r.Replayed {
		done, err = s.erase(ctx, c, ordered, r.Position)
	} else {
		done, err = s.eraseOnce(ctx, c, id)
	}
	done.Replayed = r.Replayed
	if err != nil && !errors.Is(err, ErrIntegrity) {
		s.logger.WarnContext(ctx, "an erasure is ordered but not carried out yet; it will be tried again",
			"workspace", c.Workspace, "erasure", id, "error", err)
		return Erased{}, domain.Refuse(domain.Unavailable, "erasure_pending",
			"The erasure is ordered and will be carried out, but is not yet. Repeat the call with the same Idempotency-Key to know when it is.")
	}
	return done, err
}

var errNoDataKeys = fmt.Errorf("%w: it has no key ring to destroy keys with", ErrUnavailable)

// erase carries an order out that stands at a position, or before it without
// anything of the subject's between.
func (s *Service) erase(ctx context.Context, c Call, order workspace.SubjectErasureOrdered, at eventlog.Position) (Erased, error) {
	ids, err := s.keys.EraseUntil(ctx, c.Workspace, order.Subject, uint64(at))
	if err != nil {
		return Erased{}, translate(err)
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = string(id)
	}
	call := s.step(c, process.Erase, string(order.Erasure))
	r, err := s.workspaces.Do(ctx, ledger.WorkspaceStream(c.Workspace), call, func(at time.Time) workspace.Command {
		return workspace.FinishErasure{Erasure: order.Erasure, Keys: keys, At: at}
	})
	if err != nil {
		return Erased{}, err
	}
	e, _ := r.State.Erasures.Get(order.Erasure)
	return Erased{Receipt: r.Receipt, Erasure: order.Erasure, Subject: order.Subject, Keys: e.Keys}, nil
}

// eraseAgain carries an order out that nobody is known to have carried out.
func (s *Service) eraseAgain(ctx context.Context, c Call, id domain.ErasureID) error {
	if s.keys == nil {
		return errNoDataKeys
	}
	_, err := s.eraseOnce(ctx, c, id)
	return err
}

// eraseOnce is erase for an order of which only the id is known. The log says
// what was ordered, where, and whether it was carried out.
func (s *Service) eraseOnce(ctx context.Context, c Call, id domain.ErasureID) (Erased, error) {
	var order workspace.SubjectErasureOrdered
	var at eventlog.Position
	for r, err := range s.log.ReadStream(ctx, ledger.WorkspaceStream(c.Workspace), ledger.NoTail()) {
		if err != nil {
			return Erased{}, translate(err)
		}
		if isContent(r.Type) {
			continue
		}
		_, event, err := s.workspaces.open(&r)
		if err != nil {
			return Erased{}, err
		}
		switch e := event.(type) {
		case workspace.SubjectErasureOrdered:
			if e.Erasure == id {
				order, at = e, r.Position
			}
		case workspace.SubjectErased:
			if e.Erasure == id {
				return Erased{Receipt: Receipt{Position: r.Position, At: r.Time, Replayed: true}, Erasure: id, Subject: e.Subject, Keys: len(e.Keys)}, nil
			}
		}
	}
	if order.Erasure == "" {
		return Erased{}, nil // nothing was ordered
	}
	return s.erase(ctx, c, order, at)
}
