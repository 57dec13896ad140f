// Package index is the projection that fills the audit search: it makes a row
// of every event of a workspace, with the words of its content as keyed tags,
// and answers what people ask of them.
//
// The rows are in a [search.Engine], which keeps rows and position together, so
// that an event is in the index exactly once, whatever dies. An index can be
// made anew beside the one that answers: each such generation has keys of its
// own, and takes over when it has caught up.
package index
