package directory

// Streams and executions are numbered by the log position of their first
// record, so that rows are appended in order, and numbering them again gives
// the same numbers. Names that repeat are kept once, in name. A stream's name is
// found by a 64-bit hash, which makes a small index; the name itself decides.
const schema = `
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);

CREATE TABLE stream (id INTEGER PRIMARY KEY, ws INTEGER NOT NULL, hash INTEGER NOT NULL, name TEXT NOT NULL);
CREATE INDEX stream_hash ON stream (hash);

CREATE TABLE event (
	ws INTEGER NOT NULL, position INTEGER NOT NULL,
	stream INTEGER NOT NULL, revision INTEGER NOT NULL, type INTEGER NOT NULL,
	id_high INTEGER NOT NULL, id_low INTEGER NOT NULL,
	PRIMARY KEY (ws, position)
) WITHOUT ROWID;
CREATE INDEX event_stream ON event (stream, position);
CREATE INDEX event_type ON event (ws, type, position);

-- Where an event's id is. Ids are random, so each would go to another page of a
-- large index; new ones are gathered in a small one and moved in order.
CREATE TABLE event_id (id_high INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (id_high, position)) WITHOUT ROWID;
CREATE TABLE new_id (id_high INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (id_high, position)) WITHOUT ROWID;

CREATE TABLE execution (
	id INTEGER PRIMARY KEY, -- its stream's
	ws INTEGER NOT NULL, workflow INTEGER NOT NULL, kind INTEGER NOT NULL, actor INTEGER NOT NULL,
	status INTEGER NOT NULL, prompts INTEGER NOT NULL, -- prompts without an outcome
	unresolved INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, ended INTEGER NOT NULL,
	position INTEGER NOT NULL -- of its newest record
);
CREATE INDEX execution_ws ON execution (ws);
CREATE INDEX execution_status ON execution (ws, status);
CREATE INDEX execution_workflow ON execution (ws, workflow);
CREATE INDEX execution_actor ON execution (ws, actor);
CREATE INDEX execution_unresolved ON execution (ws) WHERE unresolved = 1;

CREATE TABLE profile (
	ws INTEGER NOT NULL, digest TEXT NOT NULL, stream INTEGER NOT NULL, revision INTEGER NOT NULL,
	PRIMARY KEY (ws, digest)
) WITHOUT ROWID;`
