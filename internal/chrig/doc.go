// Package chrig makes a ClickHouse server out of libchdb, the ClickHouse engine
// as a shared library, so that tests run clients against the real engine on
// machines that have no server. It speaks HTTP and the native protocol as far
// as clickhouse-go uses them. The product has no part of it.
//
// Each request has a session of its own: open, USE, one SET for each setting,
// the statement, close. Nothing of one request is seen by the next.
//
// What the rig can't show: users, roles, row policies and quotas; replicated
// tables, ON CLUSTER and quorums; HTTP sessions and external tables; the path
// of asynchronous inserts, which are synchronous here; a SETTINGS clause in an
// INSERT that carries rows. Results are collected before they are sent, and a
// statement whose client went away runs on. The database "default" also shows
// files, so tests create their own.
//
// One process serves one directory. The engine is in a process of its own
// (cmd/chrig), so that a crash in it is not one of the tests; chrigtest starts it.
package chrig
