// Package directory is the model behind lists: executions, where the content of
// members' profiles is, and each workspace's own index of its records, so that
// no list is served by reading the whole log.
//
// It is a local SQLite file; nothing is kept in memory but a few thousand
// names. Its rows hold ids, names that are metadata, states and times, all of
// them in clear; what a record says beyond that stays sealed in the log.
package directory

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections"
)

// Name is the projection's name.
const Name = "directory"

// ProfileContent is the stored name of the record that holds a member's name
// and e-mail address.
const ProfileContent = "content.member.v1"

// Model is the lists. Questions may be asked from anywhere at any time; the
// projection's methods are for package projections alone.
type Model struct {
	file atomic.Pointer[projections.File]

	// Of the one goroutine that applies.
	pending []entry
	rows    *writer
}

var _ projections.Projection = (*Model)(nil)

// New makes a Model without a file; it answers once it is loaded.
func New() *Model { return &Model{} }

// Spec says what the projection is. It takes all records, because it indexes
// them all.
func (m *Model) Spec() projections.Spec {
	return projections.Spec{Name: Name, Version: 4, Schema: schema}
}

// entry is what rows need of a record.
type entry struct {
	ws       domain.WorkspaceID
	stream   string // without the workspace
	revision int64
	position int64
	kind     string // stored name
	id       [2]int64
	micros   int64

	// At most one of these is set, where the record's payload matters.
	execution *executionRequest
	profile   domain.Digest
}

// Load forgets what was applied and not committed.
func (m *Model) Load(_ context.Context, file *projections.File, _ eventlog.Position) error {
	m.file.Store(file)
	m.pending, m.rows = m.pending[:0], newWriter()
	return nil
}

// Apply takes down what the rows need of a record.
func (m *Model) Apply(_ context.Context, r *ledger.Record) error {
	if ledger.IsBookkeeping(r.Stream) {
		return nil
	}
	e := entry{ws: r.Workspace, stream: r.Stream[len(r.Workspace)+1:], revision: r.Revision, position: int64(r.Position),
		kind: r.Type, id: halves(r.ID), micros: r.Time.UnixMicro()}
	if err := e.read(r); err != nil {
		return err
	}
	m.pending = append(m.pending, e)
	return nil
}

// halves is an event id as two integers: rows of integers are small and quick.
func halves(id [16]byte) [2]int64 {
	return [2]int64{int64(binary.BigEndian.Uint64(id[:8])), int64(binary.BigEndian.Uint64(id[8:]))}
}

func whole(id [2]int64) (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], uint64(id[0]))
	binary.BigEndian.PutUint64(b[8:], uint64(id[1]))
	return b
}

// errErased stops the model: a fact is never erased.
var errErased = errors.New("it is a fact and yet its key was destroyed, which no fact's is")

// read decodes the payload of the few records whose payload a list shows.
// Content that was erased is listed without.
func (e *entry) read(r *ledger.Record) error {
	switch {
	case r.Erased && ledger.IsContent(r.Type):
		return nil
	case r.Erased:
		return errErased
	case r.Type == ProfileContent:
		e.profile = ledgercrypto.Digest(r.Payload)
		return nil
	case !strings.HasPrefix(r.Type, "execution.requested."):
		return nil
	}
	_, data, err := ledger.UnwrapFact(r.Payload)
	if err != nil {
		return err
	}
	e.execution, err = decode(r.Type, data)
	return err
}

// executionRequest is what a list shows of an [execution.Requested]. The rest,
// which may be large, is passed over and not decoded.
type executionRequest struct {
	Workflow domain.Workflow `json:"workflow"`
	Action   struct {
		Kind domain.ActionKind `json:"kind"`
	} `json:"action"`
	Decision struct {
		Effect gate.Effect `json:"effect"`
	} `json:"decision"`
	By domain.Actor `json:"by"`
}

// decode reads a part of an [execution.Requested]. Its errors say nothing of
// what was in the payload.
func decode(stored string, data []byte) (*executionRequest, error) {
	if stored != (execution.Requested{}).EventType() {
		return nil, fmt.Errorf("this version does not know the event %s; upgrade it", stored)
	}
	part := new(executionRequest)
	if bytes.Equal(data, []byte("null")) || json.Unmarshal(data, part) != nil {
		return nil, fmt.Errorf("its payload does not decode as %s", stored)
	}
	return part, nil
}
