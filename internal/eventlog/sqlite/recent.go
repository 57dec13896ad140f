package sqlite

import (
	"sync"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	recentRecords = 8192     // kept for subscriptions that have caught up
	recentBytes   = 16 << 20 // of their data and meta
)

// recent is the log's tail in memory, so that subscriptions that keep up need
// not read what was just written. It is bounded: who falls behind reads the
// file again. Without subscribers it keeps nothing.
type recent struct {
	mu          sync.Mutex
	subscribers int
	records     []eventlog.Recorded // every record behind floor, by position
	bytes       int
	floor       eventlog.Position
	last        eventlog.Position // newest committed position
	wake        chan struct{}     // closed when last moves on
}

func newRecent(last eventlog.Position) *recent {
	return &recent{floor: last, last: last, wake: make(chan struct{})}
}

func (t *recent) subscribe() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subscribers++
}

func (t *recent) unsubscribe() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.subscribers--; t.subscribers == 0 {
		t.drop()
	}
}

// forget drops all records, as some of them were deleted.
func (t *recent) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop()
}

func (t *recent) drop() { t.records, t.bytes, t.floor = nil, 0, t.last }

// publish takes over what a group stored and wakes everybody.
func (t *recent) publish(group []*request, last eventlog.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = last
	if t.subscribers == 0 {
		t.floor = last
	} else {
		for _, r := range group {
			for _, record := range r.stored {
				t.records = append(t.records, record)
				t.bytes += len(record.Data) + len(record.Meta)
			}
		}
		t.trim()
	}
	close(t.wake)
	t.wake = make(chan struct{})
}

// trim keeps the newest records within the bounds. The slice's dead head is
// left to append, which copies what lives whenever it must grow.
func (t *recent) trim() {
	drop := max(0, len(t.records)-recentRecords)
	for i := range drop {
		t.bytes -= size(&t.records[i])
	}
	for drop < len(t.records) && t.bytes > recentBytes {
		t.bytes -= size(&t.records[drop])
		drop++
	}
	if drop == 0 {
		return
	}
	t.floor = t.records[drop-1].Position
	clear(t.records[:drop])
	t.records = t.records[drop:]
}

func size(r *eventlog.Recorded) int { return len(r.Data) + len(r.Meta) }

// after copies up to len(into) records behind position at. It answers false if
// they have to be read from the file, the newest position, and what is closed
// when there is a newer one.
func (t *recent) after(at eventlog.Position, into []eventlog.Recorded) (n int, ok bool, last eventlog.Position, wake chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at < t.floor {
		return 0, false, t.last, t.wake
	}
	from, to := 0, len(t.records)
	for from < to { // the first record behind at
		middle := (from + to) / 2
		if t.records[middle].Position <= at {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return copy(into, t.records[from:]), true, t.last, t.wake
}
