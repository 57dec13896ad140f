package sqlite

// head is where a stream stands.
type head struct {
	stream   int64 // its id; 0 if there is no such stream
	slot     int64 // without a stream: its place in the name index
	revision int64 // of its last record; NoStream if there is none
	deleted  bool
}

// heads remembers where recently written streams stand, for the committer
// alone. It holds two generations of at most headsKept streams each; whatever
// was not asked for during a whole generation is forgotten, so it stays small
// however many streams there are.
type heads struct{ young, old map[string]head }

const headsKept = 8192

func newHeads() *heads { return &heads{young: map[string]head{}, old: map[string]head{}} }

func (h *heads) get(stream string) (head, bool) {
	if at, ok := h.young[stream]; ok {
		return at, true
	}
	at, ok := h.old[stream]
	if ok {
		h.put(stream, at)
	}
	return at, ok
}

func (h *heads) put(stream string, at head) {
	if len(h.young) >= headsKept {
		h.old, h.young = h.young, make(map[string]head, headsKept)
	}
	h.young[stream] = at
}

func (h *heads) clear() {
	clear(h.young)
	clear(h.old)
}
