package projections

import (
	"context"
	"encoding/json"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

const metaSchema = `
CREATE TABLE IF NOT EXISTS meta (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	name TEXT NOT NULL, version INTEGER NOT NULL,
	log TEXT NOT NULL,                                     -- link of the log's first record
	position INTEGER NOT NULL,                             -- everything up to here is in the rows
	stream TEXT NOT NULL, revision INTEGER NOT NULL, link TEXT NOT NULL -- the anchor
);`

// meta says what a file's rows are.
type meta struct {
	name     string
	version  int
	log      string
	position eventlog.Position
	last     anchor
}

// anchor names a record at or before the checkpoint, and its digest: a log that
// holds another one in its place is not the log the rows were made of.
type anchor struct {
	stream   string
	revision int64
	link     string
}

// readMeta answers what the file says of itself; ok is false for a new file.
func readMeta(conn *sqlite.Conn) (m meta, ok bool, err error) {
	err = sqlitex.Execute(conn, `SELECT name, version, log, position, stream, revision, link FROM meta`, &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error {
			ok = true
			m = meta{s.ColumnText(0), s.ColumnInt(1), s.ColumnText(2), eventlog.Position(s.ColumnInt64(3)),
				anchor{s.ColumnText(4), s.ColumnInt64(5), s.ColumnText(6)}}
			return nil
		}})
	return m, ok, err
}

func (m meta) write(conn *sqlite.Conn) error {
	return sqlitex.Execute(conn, `INSERT OR REPLACE INTO meta (one, name, version, log, position, stream, revision, link)
		VALUES (1, ?, ?, ?, ?, ?, ?, ?)`, &sqlitex.ExecOptions{Args: []any{m.name, m.version, m.log, int64(m.position),
		m.last.stream, m.last.revision, m.last.link}})
}

// checkpoint is the meta row for whoever seals it.
func (m meta) checkpoint() (Checkpoint, error) {
	text, err := json.Marshal([]any{m.name, m.version, m.log, m.position, m.last.stream, m.last.revision, m.last.link})
	return Checkpoint{m.position, text}, err
}

// begin makes sure that an open file is of this projection and this log, and
// answers where it stands. An error that is [damaged] means: throw it away.
func begin(ctx context.Context, f *File, p Projection, source Source) (meta, error) {
	spec := p.Spec()
	m, ok, err := readMeta(f.writer)
	if err != nil {
		return meta{}, fmt.Errorf("reading the checkpoint: %w", err)
	}
	log, err := firstLink(ctx, source)
	if err != nil {
		return meta{}, err
	}
	if !ok {
		m = meta{name: spec.Name, version: spec.Version, log: log}
		err := f.write(ctx, func(conn *sqlite.Conn) error {
			if err := sqlitex.ExecuteScript(conn, spec.Schema, nil); err != nil {
				return fmt.Errorf("making the tables: %w", err)
			}
			return m.write(conn)
		})
		if err != nil {
			return meta{}, err
		}
		return m, m.proven(ctx, f.writer, p)
	}
	if m.name != spec.Name || m.version != spec.Version || m.log != log && m.log != "" {
		return meta{}, ErrUnusable
	}
	if err := m.proven(ctx, f.writer, p); err != nil {
		return meta{}, err
	}
	m.log = log
	err = m.check(ctx, source)
	return m, err
}

// proven asks a guarded projection whether the file may be believed.
func (m meta) proven(ctx context.Context, conn *sqlite.Conn, p Projection) error {
	guarded, ok := p.(Guarded)
	if !ok {
		return nil
	}
	at, err := m.checkpoint()
	if err != nil {
		return err
	}
	if err := guarded.Check(ctx, conn, at); err != nil {
		return fmt.Errorf("checking the file of the model %s: %w", m.name, err)
	}
	return nil
}

// sealed lets a guarded projection seal the checkpoint.
func (m meta) sealed(ctx context.Context, conn *sqlite.Conn, p Projection) error {
	guarded, ok := p.(Guarded)
	if !ok {
		return nil
	}
	at, err := m.checkpoint()
	if err != nil {
		return err
	}
	return guarded.Seal(ctx, conn, at)
}

// check finds the anchor in the log; [ErrUnusable] if it is not there, as in a
// log that was restored from an older backup. Where the log ends before the
// checkpoint, the model goes on from the anchor.
func (m *meta) check(ctx context.Context, source Source) error {
	var at eventlog.Position
	if m.last.stream != "" {
		for r, err := range source.Read(ctx, eventlog.Query{Stream: m.last.stream, From: m.last.revision, Limit: 1}) {
			if err != nil {
				return fmt.Errorf("finding the model's last record in the log: %w", err)
			}
			if r.Link == m.last.link {
				at = r.Position
			}
		}
		if at == 0 {
			return ErrUnusable
		}
	}
	head, err := source.ReadHead(ctx)
	if head < m.position {
		m.position = at
	}
	return err
}

// newest is the anchor at the log's end if that is not after position. Rows
// that a filter kept unchanged for long are tied to the log by it.
func newest(ctx context.Context, source Source, position eventlog.Position) (anchor, bool) {
	for r, err := range source.Read(ctx, eventlog.Query{Backwards: true, Limit: 1}) {
		if err == nil && r.Position <= position && !ledger.IsKeyStream(r.Stream) {
			return anchorOf(&r), true
		}
	}
	return anchor{}, false // an older one will do
}

func anchorOf(r *ledger.Record) anchor { return anchor{r.Stream, r.Revision, r.Link} }

// firstLink is the identity of a log: the digest of its first record that can't
// be deleted, or "" for an empty log.
func firstLink(ctx context.Context, source Source) (string, error) {
	for r, err := range source.Read(ctx, eventlog.Query{}) {
		if err != nil {
			return "", fmt.Errorf("reading the log's first record: %w", err)
		}
		if !ledger.IsKeyStream(r.Stream) {
			return r.Link, nil
		}
	}
	return "", nil
}
