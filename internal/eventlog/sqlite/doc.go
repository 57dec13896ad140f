// Package sqlite is the embedded engine of the event log: one SQLite file in
// WAL mode, written by one process.
//
// A single committer goroutine owns the writing connection. It takes every
// append that waits, decides them in order inside one transaction, and answers
// them all after one fsync of the write-ahead log. Reads have connections of
// their own and never hold the committer up; they work in pages, so that no
// read transaction lives long enough to let the write-ahead log grow.
// Subscriptions read pages until they reach a short tail of recent records
// kept in memory, and are then fed from it.
//
// The file. An event row carries everything about its record, the stream's
// name included, with a checksum over it all. A stream's id is the position of
// its first record. stream_by_hash leads from a name's hash to the stream; as
// hashes fall on pages at random, new streams are first collected in memory
// and moved there in sorted runs, and after a crash they are found again from
// the events (see names). A deleted stream keeps its rows with their bytes
// zeroed in place: no page is ever rebuilt, so no copy of the bytes stays
// behind in one.
package sqlite
