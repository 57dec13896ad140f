package commands

import (
	"container/list"
	"hash/maphash"
	"sync"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// writer is one stream's: the commands that wait for it and its folded state.
// One goroutine at a time works for it, the one for which busy was set; the
// fields below busy are that goroutine's alone.
type writer[S domain.State[S, C, E], C any, E domain.Event] struct {
	stream string

	mu      sync.Mutex
	waiting []*ask[S, C, E]
	busy    bool

	loaded bool
	state  S
	tail   ledger.Tail
	last   eventlog.Position // of the newest record folded; 0 if that was in a snapshot
	seen   seen
	since  int       // events since the last snapshot
	saved  time.Time // when it was

	users int           // guarded by the shard
	place *list.Element // guarded by the shard
}

// join queues a. lead is true for the one who must now work.
func (w *writer[S, C, E]) join(a *ask[S, C, E], most int) (lead bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) >= most {
		return false, ErrBusy
	}
	w.waiting = append(w.waiting, a)
	lead = !w.busy
	w.busy = true
	return lead, nil
}

// take answers all that wait.
func (w *writer[S, C, E]) take() []*ask[S, C, E] {
	w.mu.Lock()
	defer w.mu.Unlock()
	asks := w.waiting
	w.waiting = nil
	return asks
}

// leave puts back what was not done. It reports whether there is more to do;
// if not, the writer is idle.
func (w *writer[S, C, E]) leave(rest []*ask[S, C, E]) (more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(rest) > 0 {
		w.waiting = append(append([]*ask[S, C, E](nil), rest...), w.waiting...)
	}
	w.busy = len(w.waiting) > 0
	return w.busy
}

// forget drops the state, so that it is folded anew from the log.
func (w *writer[S, C, E]) forget() {
	var none S
	w.loaded, w.state, w.tail, w.last, w.seen = false, none, ledger.NoTail(), 0, seen{}
}

// writers holds the writers of the streams used last, in shards.
type writers[S domain.State[S, C, E], C any, E domain.Event] struct {
	seed   maphash.Seed
	shards [16]shard[S, C, E]
	most   int // a shard
}

type shard[S domain.State[S, C, E], C any, E domain.Event] struct {
	mu     sync.Mutex
	byName map[string]*writer[S, C, E]
	recent *list.List // of *writer, the one used last in front
}

func newWriters[S domain.State[S, C, E], C any, E domain.Event](most int) *writers[S, C, E] {
	ws := &writers[S, C, E]{seed: maphash.MakeSeed()}
	ws.most = max(1, most/len(ws.shards))
	for i := range ws.shards {
		ws.shards[i].byName = map[string]*writer[S, C, E]{}
		ws.shards[i].recent = list.New()
	}
	return ws
}

func (ws *writers[S, C, E]) shard(stream string) *shard[S, C, E] {
	return &ws.shards[maphash.String(ws.seed, stream)%uint64(len(ws.shards))]
}

// get answers a stream's writer, held until put.
func (ws *writers[S, C, E]) get(stream string) *writer[S, C, E] {
	s := ws.shard(stream)
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.byName[stream]
	if !ok {
		s.evict(ws.most - 1)
		w = &writer[S, C, E]{stream: stream, tail: ledger.NoTail()}
		w.place = s.recent.PushFront(w)
		s.byName[stream] = w
	}
	s.recent.MoveToFront(w.place)
	w.users++
	return w
}

// hold keeps a writer that is held already once more.
func (ws *writers[S, C, E]) hold(w *writer[S, C, E]) {
	s := ws.shard(w.stream)
	s.mu.Lock()
	defer s.mu.Unlock()
	w.users++
}

// put gives a writer back.
func (ws *writers[S, C, E]) put(w *writer[S, C, E]) {
	s := ws.shard(w.stream)
	s.mu.Lock()
	defer s.mu.Unlock()
	w.users--
}

// evict drops the writers used longest ago that nobody holds, down to most. It
// looks at a few only, so that it stays quick when all are held.
func (s *shard[S, C, E]) evict(most int) {
	at := s.recent.Back()
	for looks := 0; at != nil && len(s.byName) > most && looks < 32; looks++ {
		w, before := at.Value.(*writer[S, C, E]), at.Prev()
		if w.users == 0 {
			s.recent.Remove(at)
			delete(s.byName, w.stream)
		}
		at = before
	}
}
