// Package searchtest says, in tests, what an engine of the audit search is.
//
// [Run] is the conformance suite. It compares an engine with a naive index that
// looks at every row. It uses indexes under random names of its own, so it may
// run against a server that holds others. Package corpus, below this one, makes
// rows by the million.
package searchtest
