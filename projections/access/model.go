// Package access is the model that answers who may do what: all workspaces
// with their members, roles, agents, credentials and policies, folded in
// memory. A check takes no lock and does no I/O.
//
// Its file holds one sealed row per workspace and only makes starts fast.
package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
)

// Name is the projection's name.
const Name = "access"

// Keys answers data keys; the rows are sealed under those of workspaces. Forget
// makes it ask the store again for a key and the others of the same owner.
type Keys interface {
	Current(ctx context.Context, ws domain.WorkspaceID, subject domain.SubjectTag) (*ledgercrypto.DataKey, error)
	ByID(ctx context.Context, ws domain.WorkspaceID, id ledgercrypto.KeyID) (*ledgercrypto.DataKey, error)
	Forget(ws domain.WorkspaceID, id ledgercrypto.KeyID)
}

// Model is all workspaces. Questions may be asked from anywhere at any time;
// the projection's methods are for package projections alone.
type Model struct {
	keys     Keys
	compiled policy.Cache

	workspaces  sync.Map // domain.WorkspaceID → *slot
	tokens      sync.Map // domain.Digest of a token → *token
	invitations sync.Map // domain.Digest of an invitation → *slot

	// Of the one goroutine that applies.
	loaded bool
	dirty  map[domain.WorkspaceID]*slot
	sums   map[domain.WorkspaceID]sum // of the rows in the file; after a failed commit those of dirty ones are not, and are written again
	total  []byte                     // of sums; nil if they changed since
}

var _ projections.Guarded = (*Model)(nil)

// slot is where a workspace's newest snapshot is.
type slot struct{ now atomic.Pointer[Workspace] }

// New makes an empty Model.
func New(keys Keys) *Model {
	return &Model{keys: keys, dirty: map[domain.WorkspaceID]*slot{}, sums: map[domain.WorkspaceID]sum{}}
}

// Spec says what the projection is.
func (m *Model) Spec() projections.Spec {
	return projections.Spec{Name: Name, Version: 2, Types: []string{"workspace.", "policy."}, Schema: schema, Memory: true}
}

// Workspace answers a workspace as it is now. The snapshot never changes: one
// request should take one and ask it everything.
func (m *Model) Workspace(id domain.WorkspaceID) (*Workspace, bool) {
	s, ok := m.workspaces.Load(id)
	if !ok {
		return nil, false
	}
	w := s.(*slot).now.Load()
	return w, w.access.Exists()
}

// List answers all workspaces in order of their ids.
func (m *Model) List() []*Workspace {
	var all []*Workspace
	for _, s := range m.workspaces.Range {
		if w := s.(*slot).now.Load(); w.access.Exists() {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b *Workspace) int { return cmp.Compare(a.id, b.id) })
	return all
}

// Apply folds a record and publishes its workspace at once. A record that the
// workspace already holds changes nothing.
func (m *Model) Apply(_ context.Context, r *ledger.Record) error {
	if r.Erased {
		return errErased
	}
	_, data, err := ledger.UnwrapFact(r.Payload)
	if err != nil {
		return err
	}
	s := m.slot(r.Workspace)
	w := *s.now.Load()
	var event domain.Event
	if strings.HasPrefix(r.Type, "policy.") {
		event, err = w.foldPolicy(r, data, &m.compiled)
	} else {
		event, err = w.foldAccess(r, data)
	}
	if err != nil || event == nil {
		return err
	}
	w.position = r.Position
	s.now.Store(&w)
	m.dirty[r.Workspace] = s
	m.index(s, event) // after the snapshot, so that whoever finds the entry finds what it is for
	return nil
}

// errErased stops the model: these records are all facts, and what a fact took
// away must not be passed over.
var errErased = errors.New("it is a fact and yet its key was destroyed, which no fact's is")

// slot answers the workspace's slot, made if it is new.
func (m *Model) slot(id domain.WorkspaceID) *slot {
	if s, ok := m.workspaces.Load(id); ok {
		return s.(*slot)
	}
	s := &slot{}
	s.now.Store(empty(id, &m.compiled))
	m.workspaces.Store(id, s)
	return s
}

// index enters what can be looked up without naming a workspace. Keys that were
// destroyed, perhaps through another replica, are let go of here because every
// replica keeps this model fresh, or answers no calls.
func (m *Model) index(s *slot, event domain.Event) {
	switch e := event.(type) {
	case workspace.TokenIssued:
		m.tokens.Store(e.Hash, &token{slot: s})
	case workspace.MemberInvited:
		m.invitations.Store(e.InvitationHash, s)
	case workspace.SubjectErased:
		for _, id := range e.Keys {
			m.keys.Forget(s.now.Load().id, ledgercrypto.KeyID(id))
		}
	}
}

// undecodable says nothing of what was in the payload.
func undecodable(r *ledger.Record, err error) error {
	if errors.Is(err, workspace.ErrUnknownEvent) || errors.Is(err, policy.ErrUnknownEvent) {
		return fmt.Errorf("this version does not know the event %s; upgrade it", r.Type)
	}
	return fmt.Errorf("its payload does not decode as %s", r.Type)
}

// Load reads the rows into memory at the first start. Later the memory is
// ahead of the rows, and what is ahead will be written again.
func (m *Model) Load(ctx context.Context, file *projections.File, at eventlog.Position) error {
	if !m.loaded {
		all, err := m.read(ctx, file)
		if err != nil {
			return err
		}
		for _, w := range all {
			m.publish(w)
		}
		m.loaded = true
	}
	for id, s := range m.workspaces.Range {
		if s := s.(*slot); s.now.Load().position > at {
			m.dirty[id.(domain.WorkspaceID)] = s
		}
	}
	return nil
}
