package sqlite

import (
	"errors"
	"fmt"
	"os"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	fileName      = "ledger.db"
	applicationID = 0x436c4c67 // "ClLg", so that file(1) and we know our own
	formatVersion = 1          // user_version; grows with each change of the schema
	pageSize      = 16 << 10   // 4 KiB pages cost half as much CPU again per event
)

// ErrNewerFormat: the data directory was written by a newer version of the
// program. Nothing was changed; run that version.
var ErrNewerFormat = errors.New("data directory has a newer format")

// schema is format version 1. live is 1 or 0, which SQLite stores in no bytes
// at all: a row keeps its exact size when its stream is deleted.
const schema = `
CREATE TABLE event(
	position INTEGER PRIMARY KEY,
	stream   INTEGER NOT NULL, -- position of the stream's first event
	revision INTEGER NOT NULL,
	type     INTEGER NOT NULL, -- type.id
	created  INTEGER NOT NULL, -- microseconds since 1970
	live     INTEGER NOT NULL,
	name     TEXT NOT NULL,    -- of the stream
	id       BLOB NOT NULL,
	sum      INTEGER NOT NULL, -- CRC-32C, see checksum
	data     BLOB NOT NULL,
	meta     BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_by_stream ON event(stream, revision);
CREATE TABLE type(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE stream_by_hash(hash INTEGER PRIMARY KEY, stream INTEGER NOT NULL) STRICT;
CREATE TABLE mark(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO mark VALUES
	('indexed', 0), -- streams that began up to here are in stream_by_hash
	('clean', 0),   -- 1 while no process has the file open for writing
	('last', 0),    -- newest position at the last clean close
	('settled', 0); -- see writer.settle
`

// create makes an empty log. It is built under another name and renamed when
// it is durable, so an empty ledger.db is always damage, never half a creation.
func create(dir, path string, o Options) (err error) {
	fresh := path + ".new"
	for _, leftover := range []string{fresh, fresh + "-journal"} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	conn, err := zs.OpenConn(o.uri(fresh, ""), zs.OpenReadWrite|zs.OpenCreate|zs.OpenURI)
	if err != nil {
		return translate(err)
	}
	if err = execute(conn, fmt.Sprintf("PRAGMA page_size=%d", pageSize)); err == nil {
		script := fmt.Sprintf("%s PRAGMA application_id=%d; PRAGMA user_version=%d;", schema, applicationID, formatVersion)
		err = sqlitex.ExecuteScript(conn, script, nil) // in one transaction
	}
	if err := errors.Join(err, conn.Close()); err != nil {
		return translate(err)
	}
	if err := os.Chmod(fresh, 0o600); err != nil {
		return err
	}
	if err := syncPath(fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncPath(dir)
}

// checkFormat refuses files that are not ours or are newer than we know.
func checkFormat(conn *zs.Conn, path string) error {
	id, err := queryInt(conn, "PRAGMA application_id")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if id != applicationID {
		return fmt.Errorf("%w: %s is not a ledger (application id %#x); restore a backup", eventlog.ErrDamaged, path, id)
	}
	version, err := queryInt(conn, "PRAGMA user_version")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if version > formatVersion {
		return fmt.Errorf("%w: %s has format %d, this program knows up to %d; run the newer program", ErrNewerFormat, path, version, formatVersion)
	}
	if version < 1 {
		return fmt.Errorf("%w: %s has format %d; restore a backup", eventlog.ErrDamaged, path, version)
	}
	return nil
}
