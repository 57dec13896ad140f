package approvals

// An approval is numbered by the log position of its request, so that rows are
// appended in order, newest first is backwards, and numbering them again gives
// the same numbers. Times are microseconds since 1970, 0 for none; lists are
// JSON.
//
// Each index ends with the number, so that every list is read in its order.
const schema = `
CREATE TABLE approval (
	number INTEGER PRIMARY KEY,
	ws TEXT NOT NULL, id TEXT NOT NULL, execution TEXT NOT NULL, action TEXT NOT NULL,
	workflow TEXT NOT NULL, kind TEXT NOT NULL, risk TEXT NOT NULL, requester TEXT NOT NULL,
	status INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, ended INTEGER NOT NULL,
	roles TEXT NOT NULL, needed INTEGER NOT NULL,
	escalates INTEGER NOT NULL, escalated INTEGER NOT NULL, escalation TEXT NOT NULL,
	excluded TEXT NOT NULL, votes TEXT NOT NULL,
	position INTEGER NOT NULL -- of its newest record
);
CREATE UNIQUE INDEX approval_id ON approval (ws, id);
CREATE INDEX approval_ws ON approval (ws);
CREATE INDEX approval_status ON approval (ws, status);
CREATE INDEX approval_requester ON approval (ws, requester);
CREATE INDEX approval_kind ON approval (ws, kind);
CREATE INDEX approval_risk ON approval (ws, risk);

-- Who may decide what waits: a row for each role that is accepted, or will be
-- from a time on; the role '' where the permission to decide is enough. Nothing
-- that is over is in it, so that nobody's inbox is found by looking through
-- everybody's history.
CREATE TABLE accepts (
	ws TEXT NOT NULL, role TEXT NOT NULL, expires INTEGER NOT NULL, number INTEGER NOT NULL, since INTEGER NOT NULL,
	PRIMARY KEY (ws, role, expires, number)
) WITHOUT ROWID;

CREATE TABLE waiting (ws TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;`
