package commands

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Streams that end remember their commands for life; long-lived ones for an
// hour, and at most so many.
const (
	seenFor  = time.Hour
	seenMost = 100_000
	indexAt  = 16 // below it a scan is quicker than a map

	forgetEvery = 4096 // commands, while folding
)

// seen remembers which commands wrote which records of a stream, in order.
type seen struct {
	Entries []seenEntry `json:"entries"`
	index   map[domain.CommandID]int
	dropped int // entries dropped from the front since the index was begun
}

type seenEntry struct {
	ID    domain.CommandID `json:"id"`
	MAC   string           `json:"mac"`
	First int64            `json:"first"` // revisions
	Last  int64            `json:"last"`
	At    time.Time        `json:"at"`
}

// find answers what a command wrote.
func (s *seen) find(id domain.CommandID) (seenEntry, bool) {
	if s.index != nil {
		i, ok := s.index[id]
		if !ok {
			return seenEntry{}, false
		}
		return s.Entries[i-s.dropped], true
	}
	for i := len(s.Entries) - 1; i >= 0; i-- {
		if s.Entries[i].ID == id {
			return s.Entries[i], true
		}
	}
	return seenEntry{}, false
}

// add notes that a command wrote the record at a revision.
func (s *seen) add(id domain.CommandID, mac string, revision int64, at time.Time) {
	if n := len(s.Entries); n > 0 && s.Entries[n-1].ID == id {
		s.Entries[n-1].Last = revision
		return
	}
	s.Entries = append(s.Entries, seenEntry{id, mac, revision, revision, at})
	switch {
	case s.index != nil:
		s.index[id] = s.dropped + len(s.Entries) - 1
	case len(s.Entries) > indexAt:
		s.reindex()
	}
}

// reindex builds the index anew.
func (s *seen) reindex() {
	s.index, s.dropped = make(map[domain.CommandID]int, 2*len(s.Entries)), 0
	for i, e := range s.Entries {
		s.index[e.ID] = i
	}
}

// forget drops what a long-lived stream need not remember at a time.
func (s *seen) forget(now time.Time) {
	n := max(0, len(s.Entries)-seenMost)
	for n < len(s.Entries) && now.Sub(s.Entries[n].At) > seenFor {
		n++
	}
	for i, e := range s.Entries[:n] {
		if s.index[e.ID] == s.dropped+i { // else the id was used again since
			delete(s.index, e.ID)
		}
	}
	s.Entries = s.Entries[n:]
	s.dropped += n
}
