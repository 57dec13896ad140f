// Package webhook is a receiver of notifications, as one aggregate, the stream
// "<workspace>/webhook-<id>": its settings, and what became of every attempt to
// deliver. A notification that is not taken is tried again after growing
// pauses, and abandoned after the last.
package webhook
