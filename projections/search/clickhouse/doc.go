// Package clickhouse is the audit search on ClickHouse 26.2 or newer, for more
// rows than one machine's file should hold, and for several processes that write.
//
// Rows lie in one ReplacingMergeTree, a partition for each month, in order of
// workspace and position, as pages are read. A text index over the tags answers
// for words. Two months of a batch are two inserts to ClickHouse, and each may
// fail alone; so rows count only up to the position that a second table,
// search_state, says the index stands at, and that is one row, written last.
// Everything is synced before it is acknowledged.
//
// Each row has a stamp: the server's time, in microseconds, when its insert
// looked where the index stands. What an insert leaves behind that was cut off,
// or that another process overtook, is a version of a row with a lower stamp, and
// the highest wins, whichever arrives first. Counts read with FINAL; Find tells
// versions apart by itself, since FINAL reads everything before it sorts. This
// rests on a position always having the same row, but for its tags. Tokens for
// deduplication are not used: they remember rows that a removal has taken since,
// and would drop a repeat of them.
//
// A removal is a row of search_state too, and every question looks there first.
// It takes the rows whose insert began before it, as their stamps tell, so rows
// that arrive late bring nothing back. Later a sweep rewrites the parts that hold
// what was removed, and forgets the removal: by default an hour after it, and at
// most ten minutes and the time of the rewriting later; ClickHouse deletes the
// old parts eight minutes after that. Until then tags of an erased subject are in
// the files, and they are in backups. It takes a running Engine, of any process.
//
// Values always travel as parameters, in hexadecimal where they are texts. One
// function makes what a question asks of, and it begins with the workspace; so
// workspaces are kept apart here, and ClickHouse needs one user, who may create,
// select, insert and alter in one database and read system.tables and
// system.mutations of it.
//
// For replicas, make the tables beforehand as SHOW CREATE TABLE shows them, with
// the engines ReplicatedReplacingMergeTree(stamp) and ReplicatedAggregatingMergeTree
// and the same comment, which is what Open looks for; and have the connection
// string ask for insert_quorum=auto, insert_quorum_parallel=0 and
// select_sequential_consistency=1, without which a replica may not know yet where
// the index stands. No test here runs against replicas. Shards are not supported:
// sweeps change the tables themselves, not what a Distributed table leads to.
package clickhouse
