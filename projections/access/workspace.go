package access

import (
	"sync"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Workspace is one workspace at one moment. It never changes.
type Workspace struct {
	id         domain.WorkspaceID
	position   eventlog.Position // of the last record in it
	access     workspace.State
	policies   policy.State
	accessRev  int64 // newest revisions folded, NoStream for none
	policyRev  int64
	evaluation *evaluation
}

// evaluation is the compiled policies, made when first asked for: while a model
// catches up most versions are never asked.
type evaluation struct {
	compile func() (*policy.Evaluator, error)
}

func empty(id domain.WorkspaceID, cache *policy.Cache) *Workspace {
	w := &Workspace{id: id, accessRev: eventlog.NoStream, policyRev: eventlog.NoStream}
	w.recompile(cache)
	return w
}

func (w *Workspace) recompile(cache *policy.Cache) {
	policies := w.policies
	w.evaluation = &evaluation{sync.OnceValues(func() (*policy.Evaluator, error) { return cache.Compile(policies) })}
}

// ID names the workspace.
func (w *Workspace) ID() domain.WorkspaceID { return w.id }

// Position is that of the last record in the snapshot; it changes with every
// change.
func (w *Workspace) Position() eventlog.Position { return w.position }

// Access answers members, roles, agents and credentials.
func (w *Workspace) Access() workspace.State { return w.access }

// Policies answers the policies with their versions.
func (w *Workspace) Policies() policy.State { return w.policies }

// Evaluator answers the compiled policies. After a change the first caller
// compiles what is new. An error means that a stored condition can't be
// compiled, and no action may be allowed.
func (w *Workspace) Evaluator() (*policy.Evaluator, error) { return w.evaluation.compile() }

// Allows reports whether an actor holds a permission now.
func (w *Workspace) Allows(actor domain.Actor, p domain.Permission, now time.Time) bool {
	return w.access.Allows(actor, p, now)
}

// Suspended reports whether only reading is allowed.
func (w *Workspace) Suspended() bool { return w.access.Suspended }

// foldAccess folds an event of the workspace's stream; no event if the state
// holds it already.
func (w *Workspace) foldAccess(r *ledger.Record, data []byte) (domain.Event, error) {
	if r.Revision <= w.accessRev {
		return nil, nil
	}
	event, err := workspace.Decode(r.Type, data)
	if err != nil {
		return nil, undecodable(r, err)
	}
	w.access, w.accessRev = w.access.Evolve(event), r.Revision
	return event, nil
}

// foldPolicy folds an event of the policies' stream likewise.
func (w *Workspace) foldPolicy(r *ledger.Record, data []byte, cache *policy.Cache) (domain.Event, error) {
	if r.Revision <= w.policyRev {
		return nil, nil
	}
	event, err := policy.Decode(r.Type, data)
	if err != nil {
		return nil, undecodable(r, err)
	}
	w.policies, w.policyRev = w.policies.Evolve(event), r.Revision
	w.recompile(cache)
	return event, nil
}
