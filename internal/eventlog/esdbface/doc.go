// Package esdbface is an EventStoreDB server over any [eventlog.Log]: real
// EventStoreDB clients append to it, read it and subscribe to it over gRPC.
//
// It speaks protocol version 1 (Streams, ServerFeatures, Gossip) as server
// 24.10.5 does. Everything else answers Unimplemented. It differs from a real
// server where the log underneath has no such thing:
//
//   - Streams and event types beginning with "$" can't be written: there is no
//     stream metadata, hence no retention, no access lists, no soft delete.
//   - Tombstone removes a stream's records for good, out of $all too, and
//     leaves no $streamDeleted event behind.
//   - Links are not resolved; nothing here writes links.
//   - The log keeps no content type. It is told from the bytes: data that is
//     valid JSON reads back as application/json, everything else as
//     application/octet-stream. Data declared as JSON that isn't is refused.
//   - A prefix filter is applied by the log, which says now and then how far it
//     got; so checkpoints may come more often than window times multiplier.
//   - Expected revisions "any" and "stream exists" are turned into the revision
//     found, and tried again when another writer was faster. Repeats of such
//     appends are recognised among a stream's newest records only.
//   - Event types are at most 128 bytes.
package esdbface
