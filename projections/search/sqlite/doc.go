// Package sqlite is the audit search on the embedded SQLite, in pure Go: one
// file, for one process that writes.
//
// Rows lie in chunks of up to 1,024 of one workspace, in order of position, and
// each chunk stores each member of its rows as a column of its own: texts as a
// list of the different ones and a number for each row, numbers as differences,
// both compressed where it pays. A condition is decided once for each different
// text of a chunk, and a chunk in which none matches is left at that. So there
// are no other indexes of rows, nor sums to keep: reading a million rows' column
// takes a tenth of a second, a row some 60 bytes, and any filter, facet or
// histogram costs about the same.
//
// Tags lie in a contentless FTS5 table, each with its workspace's number before
// it, by the position of their row. Where a query wants tags, the table says
// which chunks to look at.
//
// Rows, tags and the position the index stands at change in one transaction,
// synced before Insert returns. Tags of an erased subject are out of every
// answer at once; the background then merges the table's segments and writes
// zeroes over what they left, see [Engine.Swept].
package sqlite
