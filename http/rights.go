package http

import (
	"context"
	"errors"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
)

// rights is the Gate and the Trail of a running service: it decides by the
// access model while that is fresh, and records denials through the Service.
type rights struct {
	service   *commands.Service
	access    *access.Model
	models    *projections.Models
	tokenHash func(string) (domain.Digest, bool)
	operator  func(string) bool
	look      func(ctx context.Context) bool // see lookout; false if there is nothing new to ask
	now       func() time.Time
}

var (
	_ Gate  = (*rights)(nil)
	_ Trail = (*rights)(nil)
)

// Identify answers whom a token belongs to. A model that may have missed a
// revocation identifies nobody.
func (r *rights) Identify(ctx context.Context, token string) (Caller, error) {
	hash, ok := r.tokenHash(token)
	switch {
	case ok:
	case r.operator(token): // whose token has another form
		return Caller{Actor: domain.Operator()}, nil
	default:
		return Caller{}, ErrUnknownToken
	}
	if err := r.models.Stale(ctx, rightsAge, access.Name); err != nil {
		return Caller{}, staleModel(err)
	}
	who, err := r.access.Authenticate(hash, r.now())
	if errors.Is(err, access.ErrUnknownToken) && r.look(ctx) {
		who, err = r.access.Authenticate(hash, r.now())
	}
	switch {
	case errors.Is(err, access.ErrUnknownToken), errors.Is(err, access.ErrTokenExpired),
		errors.Is(err, access.ErrTokenRevoked), errors.Is(err, access.ErrActorRemoved):
		return Caller{}, ErrUnknownToken
	case err != nil:
		return Caller{}, err
	}
	return Caller{Workspace: who.Workspace.ID(), Actor: who.Actor, Credential: who.Credential}, nil
}

// Holds asks the newest state of the caller's workspace.
func (r *rights) Holds(_ context.Context, c Caller, p domain.Permission) (bool, error) {
	return r.access.Allows(c.Workspace, c.Actor, p, r.now()), nil
}

// Denied records an attempt in the caller's own workspace, the operator's among
// the service's own streams.
func (r *rights) Denied(ctx context.Context, d Denial) error {
	ws := d.Caller.Workspace
	if ws == "" {
		ws = domain.System
	}
	call := r.service.NewCall(ws, d.Caller.Actor, d.Caller.Credential, d.Method, d.Path, "", nil)
	return r.service.Denied(ctx, call, journal.Denied{Method: d.Method, Path: d.Path, Code: d.Code, Permission: d.Permission})
}

// staleModel keeps a cancelled request what it is and calls all else stale.
func staleModel(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return errStale
}
