package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clawoffice/ledger/commands"
	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/directory"
)

// rights shows the access model to package commands.
type rights struct{ model *access.Model }

var _ commands.Access = rights{}

// Rules answers a workspace and its compiled policies.
func (r rights) Rules(ws domain.WorkspaceID) (workspace.State, *policy.Evaluator, bool, error) {
	w, ok := r.model.Workspace(ws)
	if !ok {
		return workspace.State{}, nil, false, nil
	}
	rules, err := w.Evaluator()
	return w.Access(), rules, true, err
}

// Invited answers the workspace of an open invitation.
func (r rights) Invited(hash domain.Digest) (domain.WorkspaceID, bool) {
	w, _, ok := r.model.Invitation(hash)
	if !ok {
		return "", false
	}
	return w.ID(), true
}

// permits signs and checks permits with the keys of now. A permit that another
// replica signed with a key made since is checked after reading the keys again.
// The keys are read again once in reloadPause, however many permits name a key
// that nobody has.
type permits struct {
	keys *ledgercrypto.Dir

	mu    sync.Mutex
	asked time.Time
}

var _ commands.Permits = (*permits)(nil)

func (p *permits) SignPermit(payload []byte) []byte { return p.keys.Signer().SignPermit(nil, payload) }

func (p *permits) VerifyPermit(token []byte) ([]byte, error) {
	payload, _, err := p.keys.Verifier().Verify(token, ledgercrypto.PermitTyp)
	if errors.Is(err, ledgercrypto.ErrUnknownKey) && p.renew() == nil {
		payload, _, err = p.keys.Verifier().Verify(token, ledgercrypto.PermitTyp)
	}
	return payload, err
}

// renew reads the keys again, if that was not just done.
func (p *permits) renew() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.asked) < reloadPause {
		return nil
	}
	p.asked = time.Now()
	return p.keys.Reload()
}

// places finds events through the directory model.
type places struct{ model *directory.Model }

var _ commands.Places = places{}

func (p places) Place(ctx context.Context, ws domain.WorkspaceID, id string) (commands.Place, bool, error) {
	uuid, err := ledger.ParseEventID(id)
	if err != nil {
		return commands.Place{}, false, nil
	}
	event, err := p.model.Event(ctx, ws, uuid)
	if errors.Is(err, directory.ErrNotFound) {
		return commands.Place{}, false, nil
	}
	return commands.Place{Stream: event.Stream, Revision: event.Revision}, err == nil, err
}
