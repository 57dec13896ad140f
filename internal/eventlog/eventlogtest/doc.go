// Package eventlogtest says, in tests, what an engine of the event log is.
//
// [Run] is the conformance suite. It works beside other users of the log: it
// writes only to streams with a random name of its own and reads the whole log
// only from the position it found, so an engine may be tested on a server that
// already holds data. [Faulty] makes any engine fail on demand, before or
// after an append took effect.
package eventlogtest
