package sqlite

import (
	"sync"

	zs "zombiezen.com/go/sqlite"
)

// typeTable interns event types as small numbers, so that a filter by type is
// decided once per type and not once per row. Types are the program's own
// vocabulary: there are few, and all stay in memory.
type typeTable struct {
	mu   sync.RWMutex
	ids  map[string]int64
	text map[int64]string
}

func newTypeTable() *typeTable {
	return &typeTable{ids: map[string]int64{}, text: map[int64]string{}}
}

func (t *typeTable) add(id int64, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ids[name], t.text[id] = id, name
}

// forget takes back an addition whose transaction failed.
func (t *typeTable) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.text, t.ids[name])
	delete(t.ids, name)
}

func (t *typeTable) id(name string) (int64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	id, ok := t.ids[name]
	return id, ok
}

// name answers a type's text. One that another process added is fetched.
func (t *typeTable) name(conn *zs.Conn, id int64) (string, error) {
	t.mu.RLock()
	name, ok := t.text[id]
	t.mu.RUnlock()
	if ok {
		return name, nil
	}
	s, err := conn.Prepare("SELECT name FROM type WHERE id=?")
	if err != nil {
		return "", translate(err)
	}
	s.BindInt64(1, id)
	found, err := s.Step()
	if err != nil {
		return "", translate(err)
	}
	if !found {
		_ = s.Reset()
		return "", damaged("event type %d is not in the table of types", id)
	}
	name = s.ColumnText(0)
	t.add(id, name)
	return name, translate(s.Reset())
}

// load reads all types at start.
func (t *typeTable) load(conn *zs.Conn) error {
	s, err := conn.Prepare("SELECT id, name FROM type")
	if err != nil {
		return translate(err)
	}
	for {
		found, err := s.Step()
		if err != nil {
			return translate(err)
		}
		if !found {
			return translate(s.Reset())
		}
		t.add(s.ColumnInt64(0), s.ColumnText(1))
	}
}
