// Package grant is approval given in advance, as one aggregate, the stream
// "<workspace>/grant-book": a person who may decide on approvals says that
// actions of some low-risk kinds may start without asking, so many of them,
// until a time. All grants of a workspace are one book, so that an action is
// covered by one grant or none in one decision, and no grant is used more often
// than it may under any concurrency.
package grant
