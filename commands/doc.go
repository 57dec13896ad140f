// Package commands is the write side. One generic [Handler] serves every
// aggregate: it holds the folded state of each active stream, decides the
// commands that wait for it together, and appends their events once. [Service]
// has a method for each thing a caller can ask, and puts together what takes
// more than one stream.
package commands
