// Package ledger turns domain events into sealed, signed, chained records of
// the event log and back. It knows the record format and nothing of what the
// events mean.
//
// A record's JWS payload names everything about it but its content, and the
// content's digest. Its ciphertext is bound to that payload by associated
// data, so it opens at this place of this stream and nowhere else. Each
// payload names the one before it in its stream. Reading checks digest, chain
// and seal of every record; [Verify] checks signatures as well, with the
// public keys alone.
package ledger
