package sqlite

import (
	"errors"
	"fmt"
	"time"

	zs "zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// writer is the writing connection and what only the committer knows.
type writer struct {
	conn   *zs.Conn
	now    func() time.Time
	last   int64 // newest position
	names  *names
	types  *typeTable
	heads  *heads
	lookup *lookups

	begin, commit, rollback *zs.Stmt
	insert, tip, batch      *zs.Stmt
	addType, settle         *zs.Stmt

	tx tx
}

// tx is what the open transaction changed in memory, to be taken back if it fails.
type tx struct {
	lastBefore int64
	slots      []int64
	newTypes   []string
	moved      int
}

func newWriter(conn *zs.Conn, o Options, n *names, t *typeTable) (*writer, error) {
	w := &writer{conn: conn, now: o.Now, names: n, types: t, heads: newHeads()}
	err := prepare(conn, map[**zs.Stmt]string{
		&w.begin:    "BEGIN IMMEDIATE",
		&w.commit:   "COMMIT",
		&w.rollback: "ROLLBACK",
		&w.insert:   "INSERT INTO event(position, stream, revision, type, created, live, name, id, sum, data, meta) VALUES(?,?,?,?,?,1,?,?,?,?,?)",
		&w.tip:      "SELECT revision, live FROM event WHERE stream=? ORDER BY revision DESC LIMIT 1",
		&w.batch:    "SELECT position, id FROM event WHERE stream=? AND revision>=? ORDER BY revision LIMIT ?",
		&w.addType:  "INSERT INTO type(id, name) VALUES(?,?)",
		&w.settle:   "UPDATE mark SET value=value+1 WHERE name='settled'",
	})
	if err != nil {
		return nil, err
	}
	if w.lookup, err = newLookups(conn, true); err != nil {
		return nil, err
	}
	if w.last, err = queryInt(conn, "SELECT max(position) FROM event"); err != nil {
		return nil, err
	}
	return w, nil
}

// transaction runs change and makes it durable. When it answers an error,
// nothing was stored, unless the error is ErrUnknownOutcome.
func (w *writer) transaction(change func() error) error {
	w.tx = tx{lastBefore: w.last, slots: w.tx.slots[:0], newTypes: w.tx.newTypes[:0], moved: w.names.moved}
	if err := step(w.begin); err != nil {
		return fmt.Errorf("beginning a transaction: %w", translate(err))
	}
	err := change()
	if err == nil {
		if err = step(w.commit); err == nil {
			w.names.wrote(w.tx.moved)
			return nil
		}
		err = w.afterFailedCommit(err)
	} else {
		w.undo()
	}
	for _, slot := range w.tx.slots {
		w.names.forget(slot)
	}
	for _, name := range w.tx.newTypes {
		w.types.forget(name)
	}
	w.last = w.tx.lastBefore
	w.heads.clear()
	return translate(err)
}

// undo ends a failed transaction; SQLite may have done so already.
func (w *writer) undo() {
	if !w.conn.AutocommitEnabled() {
		_ = step(w.rollback) // on failure the next BEGIN says what is wrong
	}
}

// afterFailedCommit finds out what became of a transaction whose COMMIT failed.
//
// When the disk was full, the frame that commits was not written whole, so a
// restart ignores the transaction. When the sync failed, all frames may be in
// the write-ahead log, and a restart right now would bring the transaction
// back. Another small transaction that succeeds overwrites them: its frames go
// to the same place, and no frame behind them can be valid any more. Only if
// that fails too is the outcome unknown.
func (w *writer) afterFailedCommit(err error) error {
	w.undo()
	failed := fmt.Errorf("committing: %w", translate(err))
	if errors.Is(failed, eventlog.ErrFull) || zs.ErrCode(err).ToPrimary() == zs.ResultBusy {
		return failed
	}
	serr := step(w.begin)
	if serr == nil {
		if serr = step(w.settle); serr == nil {
			serr = step(w.commit)
		}
	}
	if serr != nil {
		w.undo()
		return fmt.Errorf("%w: check the disk; a restart of the server settles it (%w; then %w)", eventlog.ErrUnknownOutcome, err, serr)
	}
	return failed
}

// head finds where a stream stands.
func (w *writer) head(stream string) (head, error) {
	if at, ok := w.heads.get(stream); ok {
		return at, nil
	}
	id, slot, err := w.names.find(w.lookup, stream)
	if err != nil {
		return head{}, err
	}
	if id == 0 {
		return head{slot: slot, revision: eventlog.NoStream}, nil
	}
	w.tip.BindInt64(1, id)
	found, err := w.tip.Step()
	if err != nil {
		return head{}, translate(err)
	}
	at := head{stream: id, revision: w.tip.ColumnInt64(0), deleted: w.tip.ColumnInt64(1) == 0}
	if err := w.tip.Reset(); err != nil {
		return head{}, translate(err)
	}
	if !found {
		return head{}, damaged("stream %s has no events in its index", stream)
	}
	w.heads.put(stream, at)
	return at, nil
}

// append decides one request inside the open transaction. A refusal leaves the
// transaction as it was; any other error fails all of it.
func (w *writer) append(r *request) (answer eventlog.Appended, refusal, err error) {
	at, err := w.head(r.stream)
	switch {
	case err != nil:
		return answer, nil, err
	case at.deleted:
		return answer, fmt.Errorf("%w: %s; use another name", eventlog.ErrDeleted, r.stream), nil
	case r.expected == at.revision:
		answer, err = w.store(r, at)
		return answer, nil, err
	case r.expected < at.revision:
		if answer, ok, err := w.repeated(r, at); ok || err != nil {
			return answer, nil, err
		}
	}
	return answer, &eventlog.WrongRevision{Stream: r.stream, Expected: r.expected, Actual: at.revision}, nil
}

// repeated answers an append whose events are all stored where it wanted them.
func (w *writer) repeated(r *request, at head) (answer eventlog.Appended, ok bool, err error) {
	if r.expected+int64(len(r.events)) > at.revision {
		return answer, false, nil
	}
	w.batch.BindInt64(1, at.stream)
	w.batch.BindInt64(2, r.expected+1)
	w.batch.BindInt64(3, int64(len(r.events)))
	answer.Revision = r.expected + int64(len(r.events))
	for i := range r.events {
		found, err := w.batch.Step()
		if err != nil {
			return answer, false, translate(err)
		}
		var id [16]byte
		if !found || w.batch.ColumnBytes(1, id[:]) != len(id) || id != r.events[i].ID {
			return eventlog.Appended{}, false, translate(w.batch.Reset())
		}
		answer.Position = eventlog.Position(w.batch.ColumnInt64(0))
	}
	return answer, true, translate(w.batch.Reset())
}

func (w *writer) store(r *request, at head) (eventlog.Appended, error) {
	if at.stream == 0 {
		at.stream = w.last + 1
		w.names.add(at.slot, at.stream)
		w.tx.slots = append(w.tx.slots, at.slot)
	}
	created := time.UnixMicro(w.now().UnixMicro()).UTC()
	for i := range r.events {
		kind, err := w.typeID(r.events[i].Type)
		if err != nil {
			return eventlog.Appended{}, err
		}
		w.last++
		at.revision++
		r.stored = append(r.stored, eventlog.Recorded{
			Event: r.events[i], Stream: r.stream, Revision: at.revision,
			Position: eventlog.Position(w.last), Created: created,
		})
		if err := w.insertRow(&r.stored[i], at.stream, kind); err != nil {
			return eventlog.Appended{}, fmt.Errorf("storing an event of %s: %w", r.stream, translate(err))
		}
	}
	w.heads.put(r.stream, at)
	return eventlog.Appended{Revision: at.revision, Position: eventlog.Position(w.last)}, nil
}

func (w *writer) insertRow(r *eventlog.Recorded, stream, kind int64) error {
	for i, n := range [...]int64{int64(r.Position), stream, r.Revision, kind, r.Created.UnixMicro()} {
		w.insert.BindInt64(i+1, n)
	}
	w.insert.BindText(6, r.Stream)
	w.insert.BindBytes(7, r.ID[:])
	w.insert.BindInt64(8, int64(checksum(r)))
	w.insert.BindBytes(9, r.Data)
	w.insert.BindBytes(10, r.Meta)
	return step(w.insert)
}

func (w *writer) typeID(name string) (int64, error) {
	if id, ok := w.types.id(name); ok {
		return id, nil
	}
	last, err := queryInt(w.conn, "SELECT max(id) FROM type")
	if err != nil {
		return 0, err
	}
	w.addType.BindInt64(1, last+1)
	w.addType.BindText(2, name)
	if err := step(w.addType); err != nil {
		return 0, fmt.Errorf("storing event type %s: %w", name, translate(err))
	}
	w.types.add(last+1, name)
	w.tx.newTypes = append(w.tx.newTypes, name)
	return last + 1, nil
}
