// Package search is the port to the audit search: an index over what happened,
// which finds any of millions of events and never holds content.
//
// An event is a [Row] of metadata, with the words of its content as keyed tags
// (package tags). What a person types is read by package query, which makes the
// [Query] that an [Engine] answers. The engines are sqlite (embedded, the
// default) and clickhouse; package searchtest says in tests what an engine is.
//
// The index is disposable: it is made from the log again. Whether a hit's words
// stand next to each other, as a phrase wants, is not known here; it is settled
// above the port, by those who may open the content.
package search
