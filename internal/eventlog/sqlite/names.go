package sqlite

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	zs "zombiezen.com/go/sqlite"
)

const (
	maxSlot = 1<<63 - 1
	// namesKept new streams are collected before they are moved to the table,
	// or what began in eventsKept positions, whichever comes first: the second
	// bounds what is read again after a crash.
	namesKept  = 1 << 17
	eventsKept = 1 << 18
)

// names leads from a stream's name to its id. The place of a name is its hash,
// or the next free one behind it (two names of one hash are possible, if
// unlikely). A place is filled once and never emptied, and what it holds is
// confirmed by the name in the stream's first event.
//
// New places are put in fresh. When enough have come they become moving, and
// each following transaction writes some of them, in order of hash, to the
// table stream_by_hash; so one written page takes many of them. When all are
// written the mark 'indexed' moves on in the same transaction. A crash loses
// fresh and moving, and load finds them again from the events behind the mark.
type names struct {
	hash func(string) int64
	seen *bloom // nil in a read-only log

	mu     sync.RWMutex // readers look up while the committer adds
	fresh  map[int64]int64
	moving map[int64]int64

	// The committer's own.
	order    []place // moving, sorted by slot
	moved    int     // how many of order are in the table
	movingTo int64   // the mark's value when moving is done
	indexed  int64   // the mark's value
	loaded   int64   // streams that began up to here are in fresh, moving or the table
}

// place is where a stream is found.
type place struct{ slot, stream int64 }

func newNames(hash func(string) int64) *names {
	if hash == nil {
		hash = hashName
	}
	return &names{hash: hash, fresh: map[int64]int64{}}
}

// hashName spreads names that callers choose; nobody can aim at one place.
func hashName(name string) int64 {
	sum := sha256.Sum256([]byte(name))
	return int64(binary.BigEndian.Uint64(sum[:8]) & maxSlot)
}

// inMemory must be asked before the table: what leaves memory is in the table
// for every statement that begins afterwards.
func (n *names) inMemory(slot int64) (int64, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if stream, ok := n.fresh[slot]; ok {
		return stream, true
	}
	stream, ok := n.moving[slot]
	return stream, ok
}

func (n *names) at(l *lookups, slot int64) (int64, bool, error) {
	if n.seen.lacks(slot) {
		return 0, false, nil
	}
	if stream, ok := n.inMemory(slot); ok {
		return stream, true, nil
	}
	return stepInt(l.bySlot, slot)
}

// find answers the stream's id, or 0 and the place where it would belong.
func (n *names) find(l *lookups, name string) (stream, slot int64, err error) {
	for slot := n.hash(name); ; slot = (slot + 1) & maxSlot {
		stream, ok, err := n.at(l, slot)
		if err != nil {
			return 0, 0, translate(err)
		}
		if !ok {
			return 0, slot, nil
		}
		is, err := l.isNamed(stream, name)
		if err != nil {
			return 0, 0, err
		}
		if is {
			return stream, slot, nil
		}
	}
}

func (n *names) add(slot, stream int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen != nil {
		n.seen.add(slot)
	}
	n.fresh[slot] = stream
}

func (n *names) forget(slot int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.fresh, slot)
}

// load puts streams that began behind the mark, or behind the last load, into
// memory. Some may be in the table already, written before a crash.
func (n *names) load(conn *zs.Conn, l *lookups) error {
	s, err := conn.Prepare("SELECT position, name FROM event WHERE position > ? AND revision = 0 ORDER BY position")
	if err != nil {
		return translate(err)
	}
	last, err := queryInt(conn, "SELECT max(position) FROM event")
	if err != nil {
		return err
	}
	s.BindInt64(1, max(n.indexed, n.loaded))
	for {
		found, err := s.Step()
		if err != nil {
			return translate(err)
		}
		if !found {
			n.loaded = max(n.loaded, last)
			return translate(s.Reset())
		}
		if err := n.place(l, s.ColumnInt64(0), s.ColumnText(1)); err != nil {
			_ = s.Reset()
			return err
		}
	}
}

func (n *names) place(l *lookups, stream int64, name string) error {
	for slot := n.hash(name); ; slot = (slot + 1) & maxSlot {
		held, ok, err := n.at(l, slot)
		switch {
		case err != nil:
			return translate(err)
		case !ok:
			n.add(slot, stream)
			return nil
		case held == stream:
			return nil
		}
	}
}

// rotate begins to move what was collected, when it is time and nothing moves.
func (n *names) rotate(last int64, force bool) {
	due := len(n.fresh) >= namesKept || last-n.indexed >= eventsKept
	if n.moving != nil || !due && !force {
		return
	}
	n.mu.Lock()
	n.moving, n.fresh = n.fresh, map[int64]int64{}
	n.mu.Unlock()
	n.order = make([]place, 0, len(n.moving))
	for slot, stream := range n.moving {
		n.order = append(n.order, place{slot, stream})
	}
	slices.SortFunc(n.order, func(a, b place) int { return cmp.Compare(a.slot, b.slot) })
	n.moved, n.movingTo = 0, last
}

// write moves up to count places to the table inside the open transaction and
// answers how far it came, for wrote to note once the transaction holds.
func (n *names) write(l *lookups, count int) (moved int, err error) {
	if n.moving == nil {
		return 0, nil
	}
	moved = min(n.moved+count, len(n.order))
	for _, p := range n.order[n.moved:moved] {
		l.place.BindInt64(1, p.slot)
		l.place.BindInt64(2, p.stream)
		if err := step(l.place); err != nil {
			return 0, fmt.Errorf("indexing stream %d: %w", p.stream, err)
		}
	}
	if moved == len(n.order) {
		l.setMark.BindInt64(1, n.movingTo)
		l.setMark.BindText(2, "indexed")
		if err := step(l.setMark); err != nil {
			return 0, fmt.Errorf("marking streams as indexed: %w", err)
		}
	}
	return moved, nil
}

func (n *names) wrote(moved int) {
	if n.moving == nil {
		return
	}
	n.moved = moved
	if moved < len(n.order) {
		return
	}
	n.mu.Lock()
	n.moving = nil
	n.mu.Unlock()
	n.order, n.indexed = nil, n.movingTo
}

// lookups are one connection's statements on streams.
type lookups struct {
	bySlot, name, place, setMark *zs.Stmt
	scratch                      [1024]byte
}

func newLookups(conn *zs.Conn, writes bool) (*lookups, error) {
	l := &lookups{}
	want := map[**zs.Stmt]string{
		&l.bySlot: "SELECT stream FROM stream_by_hash WHERE hash=?",
		&l.name:   "SELECT name FROM event WHERE position=?",
	}
	if writes {
		want[&l.place] = "INSERT OR REPLACE INTO stream_by_hash VALUES(?,?)"
		want[&l.setMark] = "UPDATE mark SET value=? WHERE name=?"
	}
	return l, prepare(conn, want)
}

// isNamed tells whether the stream's first event says this name. A stream this
// connection can't see was not committed yet, and its place is still spoken for.
func (l *lookups) isNamed(stream int64, name string) (bool, error) {
	l.name.BindInt64(1, stream)
	found, err := l.name.Step()
	if err != nil {
		return false, translate(err)
	}
	is := false
	if found && l.name.ColumnLen(0) == len(name) {
		if len(name) <= len(l.scratch) {
			is = string(l.scratch[:l.name.ColumnBytes(0, l.scratch[:])]) == name
		} else {
			is = l.name.ColumnText(0) == name
		}
	}
	return is, translate(l.name.Reset())
}

// reset forgets what is in memory; load finds it again behind the mark.
func (n *names) reset(indexed int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fresh, n.indexed, n.loaded = map[int64]int64{}, indexed, 0
}
