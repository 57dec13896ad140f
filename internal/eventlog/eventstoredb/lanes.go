package eventstoredb

import (
	"sync"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// lanes are as many lanes as there are subscriptions to carry, each with a
// client of its own. A subscription keeps its place over all its sessions.
type lanes struct {
	limit int // subscriptions to a lane
	make  func() *lane

	mu     sync.Mutex
	all    []*shared
	closed bool
}

// shared is a lane and how many subscriptions have a place there.
type shared struct {
	*lane
	taken int
}

// take finds a place. Every take is followed by one leave.
func (s *lanes) take() (*shared, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, eventlog.ErrClosed
	}
	for _, n := range s.all {
		if n.taken < s.limit {
			n.taken++
			return n, nil
		}
	}
	n := &shared{lane: s.make(), taken: 1}
	s.all = append(s.all, n)
	return n, nil
}

func (s *lanes) leave(n *shared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.taken--
}

func (s *lanes) shut() {
	s.mu.Lock()
	s.closed = true
	all := s.all
	s.mu.Unlock()
	for _, n := range all {
		n.shut()
	}
}
