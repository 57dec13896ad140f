// Package approvals is the inbox of approvals: which there are, which of them
// wait, and which of those somebody may decide now.
//
// It is a local SQLite file with one row an approval. Rows hold ids, names that
// are metadata, states and times, all of them in clear. What exactly waits to
// be approved, and what people said about it, is not in them: it is read from
// the approval's own stream when it is shown.
package approvals

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
)

// Name is the projection's name.
const Name = "approvals"

// Model is the inbox. Questions may be asked from anywhere at any time; the
// projection's methods are for package projections alone.
type Model struct {
	file atomic.Pointer[projections.File]

	pending []entry // of the one goroutine that applies
}

var _ projections.Projection = (*Model)(nil)

// New makes a Model without a file; it answers once it is loaded.
func New() *Model { return &Model{} }

// Spec says what the projection is.
func (m *Model) Spec() projections.Spec {
	return projections.Spec{Name: Name, Version: 1, Types: []string{"approval."}, Schema: schema}
}

// key names an approval among those of all workspaces.
type key struct {
	ws domain.WorkspaceID
	id domain.ApprovalID
}

// entry is what rows need of a record.
type entry struct {
	key
	position eventlog.Position
	event    approval.Event // without what rows must not hold
}

// Load forgets what was applied and not committed.
func (m *Model) Load(_ context.Context, file *projections.File, _ eventlog.Position) error {
	m.file.Store(file)
	clear(m.pending)
	m.pending = m.pending[:0]
	return nil
}

var (
	// errErased stops the model: a fact is never erased.
	errErased = errors.New("it is a fact and yet its key was destroyed, which no fact's is")
	// errOrder stops the model: the stream is no approval's.
	errOrder = errors.New("an approval's stream begins with its request, and holds no other")
)

// Apply takes down what the rows need of a record.
func (m *Model) Apply(_ context.Context, r *ledger.Record) error {
	id, ok := strings.CutPrefix(r.Stream, string(r.Workspace)+"/approval-")
	switch {
	case !ok:
		return nil // not in a stream of ours
	case r.Erased:
		return errErased
	}
	_, data, err := ledger.UnwrapFact(r.Payload)
	if err != nil {
		return err
	}
	event, err := approval.Decode(r.Type, data)
	if errors.Is(err, approval.ErrUnknownEvent) {
		return fmt.Errorf("this version does not know the event %s; upgrade it", r.Type)
	}
	if err != nil { // whose text might tell something of the payload
		return fmt.Errorf("its payload does not decode as %s", r.Type)
	}
	if _, first := event.(approval.Requested); first != (r.Revision == 0) {
		return errOrder
	}
	m.pending = append(m.pending, entry{key{r.Workspace, domain.ApprovalID(id)}, r.Position, withoutContent(event)})
	return nil
}

// withoutContent lets go of what rows must not hold, and of its memory.
func withoutContent(event approval.Event) approval.Event {
	switch e := event.(type) {
	case approval.Requested:
		e.Params, e.Reason = nil, ""
		return e
	case approval.VoteCast:
		e.Reason = ""
		return e
	case approval.Withdrawn:
		e.Reason = ""
		return e
	}
	return event
}

func (m *Model) view(ctx context.Context, f func(*sqlite.Conn) error) error {
	file := m.file.Load()
	if file == nil {
		return projections.ErrNotReady
	}
	return file.View(ctx, f)
}
