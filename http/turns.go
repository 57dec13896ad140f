package http

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// turns lets requests be worked on, a bounded number at once, so that a
// workspace that floods the service slows down itself and not the others.
//
// A workspace that is alone may take half of the places, which is more than the
// processor has use for; the rest is there when others come. While they are
// active each gets a share that is small enough to leave the processor to them.
// Who finds no place waits, and is let in by turns, one workspace after
// another, each in the order of arrival.
type turns struct {
	places int // for all
	alone  int // for one workspace while no other is active
	share  int // for one workspace while others are active: one a core, see ARCHITECTURE
	queue  int // how many of one workspace may wait

	mu      sync.Mutex
	taken   int
	lines   map[domain.WorkspaceID]*line
	waiting []*line // lines with somebody waiting, the next one first
	swept   time.Time
}

// line is one workspace's.
type line struct {
	taken int
	last  time.Time
	queue []chan struct{}
}

// activeFor is how long a workspace counts as active after its last request.
const activeFor = 2 * time.Second

func newTurns(places, queue int) *turns {
	return &turns{places: places, alone: max(1, places/2), share: runtime.GOMAXPROCS(0), queue: queue, lines: map[domain.WorkspaceID]*line{}}
}

// enter waits for a place. It answers how to leave it, [errRateLimited] if too
// many of the workspace wait already, or ctx's error.
func (t *turns) enter(ctx context.Context, ws domain.WorkspaceID, now time.Time) (leave func(), err error) {
	t.mu.Lock()
	l := t.line(ws, now)
	if len(l.queue) == 0 && t.room(l) {
		t.take(l)
		t.mu.Unlock()
		return func() { t.leave(l) }, nil
	}
	if len(l.queue) >= t.queue {
		t.mu.Unlock()
		return nil, errRateLimited
	}
	turn := make(chan struct{})
	if l.queue = append(l.queue, turn); len(l.queue) == 1 {
		t.waiting = append(t.waiting, l)
	}
	t.mu.Unlock()
	select {
	case <-turn:
		return func() { t.leave(l) }, nil
	case <-ctx.Done():
		t.giveUp(l, turn)
		return nil, ctx.Err()
	}
}

// line answers a workspace's line and forgets those that are idle.
func (t *turns) line(ws domain.WorkspaceID, now time.Time) *line {
	if now.Sub(t.swept) > activeFor {
		t.swept = now
		for name, l := range t.lines {
			if l.taken == 0 && len(l.queue) == 0 && now.Sub(l.last) > activeFor {
				delete(t.lines, name)
			}
		}
	}
	l := t.lines[ws]
	if l == nil {
		l = &line{}
		t.lines[ws] = l
	}
	l.last = now
	return l
}

// room reports whether l may take a place.
func (t *turns) room(l *line) bool {
	most := t.share
	if len(t.lines) == 1 {
		most = t.alone
	}
	return t.taken < t.places && l.taken < most
}

func (t *turns) take(l *line) { t.taken++; l.taken++ }

// leave gives a place back and lets in whose turn it is.
func (t *turns) leave(l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken--
	l.taken--
	t.admit()
}

// admit lets in as many as there is room for, by turns.
func (t *turns) admit() {
	for i := 0; i < len(t.waiting); {
		l := t.waiting[i]
		if !t.room(l) {
			i++
			continue
		}
		t.take(l)
		close(l.queue[0])
		l.queue = l.queue[1:]
		t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
		if len(l.queue) > 0 {
			t.waiting = append(t.waiting, l)
		}
	}
}

// giveUp leaves the line, or the place if the turn came at the same moment.
func (t *turns) giveUp(l *line, turn chan struct{}) {
	t.mu.Lock()
	for i, c := range l.queue {
		if c != turn {
			continue
		}
		l.queue = append(l.queue[:i:i], l.queue[i+1:]...)
		for j, w := range t.waiting {
			if w == l && len(l.queue) == 0 {
				t.waiting = append(t.waiting[:j], t.waiting[j+1:]...)
				break
			}
		}
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	t.leave(l)
}
