// Package projections is the read side: it follows the ledger and keeps models
// of it, which answer checks from memory and lists from local SQLite files.
//
// Every model is disposable. Its rows and the position they stand for are
// committed in one transaction, so each event counts exactly once; a file that
// is missing, damaged, of another version or of another log is thrown away and
// made again from the first record.
//
// Events travel as Watermill messages: [Subscriber] sends opened records, those
// that are at hand together, each message after the one before was
// acknowledged, and a router with one handler per model applies them one by
// one. An acknowledged record was taken into the model's batch; only the
// checkpoint says that it is kept. A batch that can't be committed makes the
// model start again from its checkpoint. A record that fails its check or can't
// be applied stops that one model for good, in sight of [Models.Health], the
// metrics and the log; nothing is ever skipped.
package projections
