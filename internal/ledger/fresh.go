package ledger

import (
	"bytes"
	"sync"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// How much of what was sealed lately is remembered: as much as followers that
// keep up are behind.
const (
	freshRecords = 2048
	freshBytes   = 8 << 10 // of one payload; larger ones are opened
)

// fresh remembers the facts that this process sealed lately, so that its own
// followers need not open them again. What the log answers is taken for the
// record that was sealed only if it is the same bytes at the same place; then
// opening it could not come to anything else. The record before it is the one
// it names, since that is the tail it was appended after.
type fresh struct {
	mu   sync.Mutex
	byID map[[16]byte]*remembered
	ring [freshRecords][16]byte
	next int
}

// remembered is a record as it was sealed. It is shared, and never changed.
type remembered struct {
	record     Record
	data, meta []byte
}

// put remembers records that are about to be appended. Nothing is remembered of
// content, which can be erased, and of keys.
func (f *fresh) put(work []sealing, events []eventlog.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byID == nil {
		f.byID = make(map[[16]byte]*remembered, freshRecords)
	}
	for i := range work {
		s, e := &work[i], &events[i]
		if IsContent(e.Type) || IsKeyStream(s.header.Stream) || len(s.draft.Payload) > freshBytes {
			continue
		}
		delete(f.byID, f.ring[f.next])
		f.ring[f.next] = e.ID
		f.next = (f.next + 1) % freshRecords
		f.byID[e.ID] = &remembered{data: e.Data, meta: e.Meta,
			record: Record{Header: s.header, Payload: s.draft.Payload, Link: s.link, own: true}}
	}
}

// open answers a stored record that was sealed here lately.
func (f *fresh) open(stored *eventlog.Recorded) (Record, bool) {
	f.mu.Lock()
	m := f.byID[stored.ID]
	f.mu.Unlock()
	if m == nil || m.record.Stream != stored.Stream || m.record.Revision != stored.Revision || m.record.Type != stored.Type ||
		!bytes.Equal(m.data, stored.Data) || !bytes.Equal(m.meta, stored.Meta) {
		return Record{}, false
	}
	r := m.record
	r.Position, r.Stored = stored.Position, stored
	return r, true
}
