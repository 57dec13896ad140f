package directory

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/domain"
)

// writer folds entries into rows. It remembers the numbers of names and
// streams it met lately, and during a batch the executions that the batch
// touches, so that each is written once.
type writer struct {
	names     *recent[string, int64]
	streams   *recent[streamName, int64]
	events    batch
	newRuns   batch
	ids       ids
	runs      map[int64]*run
	nextName  int64
	wasLoaded bool
}

type streamName struct {
	ws   domain.WorkspaceID
	name string
}

func newWriter() *writer {
	return &writer{names: newRecent[string, int64](4096), streams: newRecent[streamName, int64](16384),
		events: batch{table: "event", texts: map[int]string{}, columns: []string{"ws", "position", "stream", "revision", "type", "id_high", "id_low"}},
		newRuns: batch{table: "execution", texts: map[int]string{}, columns: []string{"id", "ws", "workflow", "kind", "actor", "status",
			"prompts", "unresolved", "created", "updated", "ended", "position"}},
		ids:  newIDs(mergeIDs),
		runs: map[int64]*run{}}
}

// Flush writes what was applied.
func (m *Model) Flush(_ context.Context, conn *sqlite.Conn) error {
	w := m.rows
	for i := range m.pending {
		if err := w.add(conn, &m.pending[i]); err != nil {
			return fmt.Errorf("listing the record at position %d: %w", m.pending[i].position, err)
		}
	}
	if err := w.finish(conn); err != nil {
		return err
	}
	clear(m.pending) // lets go of decoded events
	m.pending = m.pending[:0]
	return nil
}

// add folds one entry.
func (w *writer) add(conn *sqlite.Conn, e *entry) error {
	ws, err := w.name(conn, string(e.ws))
	if err != nil {
		return err
	}
	kind, err := w.name(conn, e.kind)
	if err != nil {
		return err
	}
	stream, err := w.stream(conn, ws, e)
	if err != nil {
		return err
	}
	if err := w.events.add(conn, ws, e.position, stream, e.revision, kind, e.id[0], e.id[1]); err != nil {
		return err
	}
	w.ids.list = append(w.ids.list, [2]int64{e.id[0], e.position})
	switch {
	case e.profile != "":
		return exec(conn, `INSERT OR REPLACE INTO profile (ws, digest, stream, revision) VALUES (?, ?, ?, ?)`,
			ws, string(e.profile), stream, e.revision)
	case strings.HasPrefix(e.kind, "execution."):
		return w.foldRun(conn, ws, stream, e)
	}
	return nil
}

func (w *writer) foldRun(conn *sqlite.Conn, ws, stream int64, e *entry) (err error) {
	if e.execution == nil {
		r, err := w.run(conn, stream)
		if err == nil && r != nil {
			r.fold(e)
		}
		return err
	}
	r := &run{ws: ws, status: requested(e.execution.Decision.Effect), created: e.micros, isNew: true}
	if r.workflow, err = w.name(conn, string(e.execution.Workflow)); err != nil {
		return err
	}
	if r.kind, err = w.name(conn, string(e.execution.Action.Kind)); err != nil {
		return err
	}
	if r.actor, err = w.name(conn, e.execution.By.String()); err != nil {
		return err
	}
	r.fold(e)
	if r.status.Ended() {
		r.ended = e.micros
	}
	w.runs[stream] = r
	return nil
}

// run answers the row of an execution, from the batch or from the file; nil for
// one whose request was erased.
func (w *writer) run(conn *sqlite.Conn, id int64) (*run, error) {
	if r, ok := w.runs[id]; ok {
		return r, nil
	}
	var r *run
	err := query(conn, `SELECT status, prompts, ended FROM execution WHERE id = ?`, func(s *sqlite.Stmt) error {
		r = &run{status: executionStatuses()[s.ColumnInt64(0)], prompts: s.ColumnInt64(1), ended: s.ColumnInt64(2)}
		return nil
	}, id)
	w.runs[id] = r
	return r, err
}

// finish writes what the batch folded, in order of numbers.
func (w *writer) finish(conn *sqlite.Conn) error {
	if err := w.events.flush(conn); err != nil {
		return err
	}
	if err := w.ids.flush(conn); err != nil {
		return fmt.Errorf("writing ids: %w", err)
	}
	for _, id := range sortedKeys(w.runs) {
		if err := w.writeRun(conn, id, w.runs[id]); err != nil {
			return fmt.Errorf("writing executions: %w", err)
		}
	}
	if err := w.newRuns.flush(conn); err != nil {
		return fmt.Errorf("writing executions: %w", err)
	}
	clear(w.runs)
	return nil
}

func sortedKeys[V any](m map[int64]V) []int64 {
	keys := make([]int64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (w *writer) writeRun(conn *sqlite.Conn, id int64, r *run) error {
	switch {
	case r == nil:
		return nil
	case r.isNew:
		return w.newRuns.add(conn, id, r.ws, r.workflow, r.kind, r.actor, executionCode(r.status),
			r.prompts, r.unresolved(), r.created, r.updated, r.ended, r.position)
	}
	return exec(conn, `UPDATE execution SET status = ?, prompts = ?, unresolved = ?, updated = ?, ended = ?, position = ? WHERE id = ?`,
		executionCode(r.status), r.prompts, r.unresolved(), r.updated, r.ended, r.position, id)
}

// name answers the number of a name, given in order of first use.
func (w *writer) name(conn *sqlite.Conn, text string) (id int64, err error) {
	if id, ok := w.names.get(text); ok {
		return id, nil
	}
	if !w.wasLoaded {
		err = query(conn, `SELECT coalesce(max(id), 0) FROM name`, func(s *sqlite.Stmt) error {
			w.nextName = s.ColumnInt64(0) + 1
			return nil
		})
		if err != nil {
			return 0, err
		}
		w.wasLoaded = true
	}
	err = query(conn, `SELECT id FROM name WHERE text = ?`, func(s *sqlite.Stmt) error {
		id = s.ColumnInt64(0)
		return nil
	}, text)
	if err == nil && id == 0 {
		id = w.nextName
		w.nextName++
		err = exec(conn, `INSERT INTO name (id, text) VALUES (?, ?)`, id, text)
	}
	if err == nil {
		w.names.put(text, id)
	}
	return id, err
}

// stream answers the number of an entry's stream: the position of its first
// record.
func (w *writer) stream(conn *sqlite.Conn, ws int64, e *entry) (id int64, err error) {
	key := streamName{e.ws, e.stream}
	if id, ok := w.streams.get(key); ok {
		return id, nil
	}
	hash := hashOf(e.ws, e.stream)
	if e.revision > 0 {
		if id, err = findStream(conn, ws, hash, e.stream); err != nil {
			return 0, err
		}
	}
	if id == 0 {
		id = e.position
		if err = exec(conn, `INSERT INTO stream (id, ws, hash, name) VALUES (?, ?, ?, ?)`, id, ws, hash, e.stream); err != nil {
			return 0, err
		}
	}
	w.streams.put(key, id)
	return id, nil
}

// findStream answers a stream's number, or 0.
func findStream(conn *sqlite.Conn, ws, hash int64, name string) (id int64, err error) {
	err = query(conn, `SELECT id FROM stream WHERE hash = ? AND ws = ? AND name = ?`, func(s *sqlite.Stmt) error {
		id = s.ColumnInt64(0)
		return nil
	}, hash, ws, name)
	return id, err
}

func hashOf(ws domain.WorkspaceID, stream string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(ws)) // a hash never fails to write
	_, _ = h.Write([]byte{'/'})
	_, _ = h.Write([]byte(stream))
	return int64(h.Sum64())
}
