package spending

// Names are kept once, in name, and windows are numbered in the order in which
// they were first spent in, so that numbering them again gives the same
// numbers. Times are microseconds since 1970; a window that never ends has
// those of the zero time.
const schema = `
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);

CREATE TABLE budget_window (
	id INTEGER PRIMARY KEY,
	ws INTEGER NOT NULL, budget INTEGER NOT NULL, epoch INTEGER NOT NULL, start INTEGER NOT NULL, until INTEGER NOT NULL,
	calls INTEGER NOT NULL, prompt INTEGER NOT NULL, output INTEGER NOT NULL, cost INTEGER NOT NULL, -- settled
	open_calls INTEGER NOT NULL, open_prompt INTEGER NOT NULL, open_output INTEGER NOT NULL, open_cost INTEGER NOT NULL,
	settlements INTEGER NOT NULL, overruns INTEGER NOT NULL, late INTEGER NOT NULL,
	UNIQUE (ws, budget, epoch, start)
);

-- What was settled in a window, by who called and for which model. Actor 0 is
-- the service itself.
CREATE TABLE share (
	window INTEGER NOT NULL, actor INTEGER NOT NULL, model INTEGER NOT NULL,
	calls INTEGER NOT NULL, prompt INTEGER NOT NULL, output INTEGER NOT NULL, cost INTEGER NOT NULL,
	PRIMARY KEY (window, actor, model)
) WITHOUT ROWID;

-- What was settled in each step of a window; see StepOf.
CREATE TABLE step (
	window INTEGER NOT NULL, number INTEGER NOT NULL,
	calls INTEGER NOT NULL, prompt INTEGER NOT NULL, output INTEGER NOT NULL, cost INTEGER NOT NULL,
	PRIMARY KEY (window, number)
) WITHOUT ROWID;

CREATE TABLE alert (
	window INTEGER NOT NULL, position INTEGER NOT NULL, -- of its record
	amount INTEGER NOT NULL, threshold INTEGER NOT NULL, used INTEGER NOT NULL, most INTEGER NOT NULL, at INTEGER NOT NULL,
	PRIMARY KEY (window, position)
) WITHOUT ROWID;

-- Reservations that hold something back, with the numbers of their windows.
CREATE TABLE held (
	ws INTEGER NOT NULL, reservation TEXT NOT NULL,
	calls INTEGER NOT NULL, prompt INTEGER NOT NULL, output INTEGER NOT NULL, cost INTEGER NOT NULL,
	windows TEXT NOT NULL,
	PRIMARY KEY (ws, reservation)
) WITHOUT ROWID;`
