package sqlite

// version is that of the file's form. A file of another version is refused; it
// is made again from the log.
const version = 1

// Chunks of a workspace follow each other: first and last are the positions of
// a chunk's outer rows, early and late the times between which all of them are
// (microseconds since 1970). A part is one column of a chunk, its id is the
// chunk's with the column's number in the last 6 bits.
//
// Generations follow each other over all workspaces; each has a table of tags,
// tag_<id>, for rows at the positions first to last.
const schema = `
CREATE TABLE state (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	version INTEGER NOT NULL,
	position INTEGER NOT NULL -- everything up to here is in
);
CREATE TABLE workspace (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE chunk (
	id INTEGER PRIMARY KEY, ws INTEGER NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL, rows INTEGER NOT NULL,
	early INTEGER NOT NULL, late INTEGER NOT NULL
);
CREATE UNIQUE INDEX chunk_first ON chunk (ws, first, last, rows, early, late);
CREATE UNIQUE INDEX chunk_last ON chunk (ws, last, first, rows, early, late);
CREATE TABLE part (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE generation (
	id INTEGER PRIMARY KEY,
	first INTEGER NOT NULL, last INTEGER NOT NULL, rows INTEGER NOT NULL,
	sweep INTEGER NOT NULL -- 1 from an erasure until nothing of it is in the file
);
INSERT INTO state VALUES (1, 1, 0);`
