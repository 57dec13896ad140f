// Package eventstoredb is the event log's engine on EventStoreDB (or KurrentDB,
// which speaks the same protocol), through EventStore-Client-Go/v4.
//
// The client has habits this package works around, each at one place:
//
//   - A call blocks, deaf to its context, while the client looks for a server,
//     and for ever once it gave up. Clients are taken into use when they have a
//     server and replaced when they lost it (connector, lane); what is caught
//     in between runs in a goroutine of its own and is left behind when its
//     context ends (call).
//   - One client is one connection, on which a server allows 100 calls at a
//     time. Appends, reads and subscriptions have clients of their own and
//     stay below that (lane, lanes).
//   - A lost subscription stays lost. Subscribe opens the next one where the
//     last one ended (subscriber).
//   - It never sends the header by which only the leader may answer. It is
//     added here, and appends follow a server's word of who leads (leader).
//   - Errors are told apart by codes, by gRPC status, and in places by text
//     only (classify).
//   - Closing a client while calls use it can panic. It is closed when its
//     last call has come back (lane).
//
// Where EventStoreDB keeps less than the port promises: Delete writes a
// tombstone, and the records are gone from a node only once it was scavenged;
// until then whole-log reads and subscriptions still yield them. Calls caught
// in a client at the moment it lost its server stay there until it finds one,
// after Close too; and the client may forget its lost connection then, or one
// to a leader that was named but can't be reached, without closing it, which
// leaves three or four goroutines.
//
// System events and streams (names beginning with "$") are never delivered by
// whole-log reads and subscriptions.
package eventstoredb
