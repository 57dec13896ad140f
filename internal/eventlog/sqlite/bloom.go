package sqlite

import (
	"context"
	"math/bits"
	"sync/atomic"
)

// bloom tells of most new names that they are new, without a look at a random
// page of the file. It takes about ten bits per stream: a megabyte for a
// million. It says too often "perhaps" when a log has grown many times since
// it was opened, which costs a look-up and nothing else.
//
// Until fill has seen the whole table it always says "perhaps".
type bloom struct {
	words []atomic.Uint64
	full  atomic.Bool
}

const (
	bloomLeast = 1 << 17 // words of 64 bits: 1 MiB
	bloomMost  = 1 << 22 // 32 MiB, for 25 million streams
	bloomTests = 5
)

// newBloom sizes the filter for the streams there are, of which there are not
// more than positions, and as many again.
func newBloom(last int64) *bloom {
	words := uint64(bloomLeast)
	if want := uint64(last) * 20 / 64; want > words {
		words = min(uint64(1)<<bits.Len64(want), bloomMost)
	}
	return &bloom{words: make([]atomic.Uint64, words)}
}

// bit picks one of the filter's bits for a slot; slots are hashes already.
func (b *bloom) bit(slot int64, test int) (word *atomic.Uint64, mask uint64) {
	h := uint64(slot)*0x9e3779b97f4a7c15 + uint64(test)*(uint64(slot)>>31|1)*0xbf58476d1ce4e5b9
	h ^= h >> 29
	return &b.words[(h>>6)&uint64(len(b.words)-1)], 1 << (h & 63)
}

func (b *bloom) add(slot int64) {
	for test := range bloomTests {
		word, mask := b.bit(slot, test)
		word.Or(mask)
	}
}

// lacks is true only if the slot is in neither memory nor the table.
func (b *bloom) lacks(slot int64) bool {
	if b == nil || !b.full.Load() {
		return false
	}
	for test := range bloomTests {
		if word, mask := b.bit(slot, test); word.Load()&mask == 0 {
			return true
		}
	}
	return false
}

// fill reads the table of names beside everything else. Names added meanwhile
// are put into the filter by who adds them.
func (l *Log) fillBloom() {
	defer close(l.filled)
	at := int64(-1)
	for more := true; more; {
		r, err := l.readers.get(context.Background())
		if err == nil {
			at, more, err = l.names.seen.take(r, at)
			l.readers.put(r)
		}
		if err != nil {
			if !isClosed(l.closing) {
				l.options.Logger.Warn("reading the names of streams failed; look-ups are slower until the next start", "dir", l.dir, "error", err)
			}
			return
		}
	}
	l.names.seen.full.Store(true)
}

func (b *bloom) take(r *reader, after int64) (at int64, more bool, err error) {
	s, err := r.conn.Prepare("SELECT hash FROM stream_by_hash WHERE hash > ? ORDER BY hash LIMIT 20000")
	if err != nil {
		return 0, false, translate(err)
	}
	s.BindInt64(1, after)
	for at = after; ; more = true {
		found, err := s.Step()
		if err != nil {
			return 0, false, translate(err)
		}
		if !found {
			return at, more, translate(s.Reset())
		}
		at = s.ColumnInt64(0)
		b.add(at)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
