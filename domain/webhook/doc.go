// Package webhook is a receiver of notifications, as one aggregate, the stream
// "<workspace>/webhook-<id>": its settings, and what became of every attempt to
// deliver. A notification that is not taken is tried again after growing
// pauses, and abandoned after the last.
//
// Deliveries are at least once: an attempt is recorded after it was made, so a
// process that dies between the two leaves one that is made again, under the
// same id.
package webhook
