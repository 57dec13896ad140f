// Package chrigtest gives tests a ClickHouse to talk to: the rig of internal/chrig
// in a process of its own, started once for a test binary, with a database for
// each test. The engine is an npm package that "make deps" installs; where it is
// not, tests are skipped, and fail if CLAWLEDGER_REQUIRE_PEERS is 1, as "make
// test" says where the engine can be had.
//
// CLAWLEDGER_TEST_CLICKHOUSE names a real server to use instead: the connection
// strings of clickhouse-go, separated by spaces, one for each protocol that shall
// be tried ("clickhouse://default@db:9000 http://default@db:8123"). Databases are
// created on it and dropped, so it is one to throw away.
package chrigtest
