package directory

import (
	"cmp"
	"slices"

	"zombiezen.com/go/sqlite"
)

// mergeIDs is how many ids are gathered before they are moved. Moving writes
// most pages of a large index; an index of so many nearly fits in the page cache.
const mergeIDs = 1 << 17

// ids writes where events are by their ids.
type ids struct {
	list      [][2]int64 // first half of the id, and position
	rows      batch
	gathered  int // in new_id
	merge     int
	wasLoaded bool
}

func newIDs(merge int) ids {
	return ids{merge: merge, rows: batch{table: "new_id", texts: map[int]string{}, columns: []string{"id_high", "position"}}}
}

// flush inserts the batch in order, and moves all that was gathered once it is
// much.
func (w *ids) flush(conn *sqlite.Conn) error {
	if !w.wasLoaded {
		err := query(conn, `SELECT count(*) FROM new_id`, func(s *sqlite.Stmt) error {
			w.gathered = int(s.ColumnInt64(0))
			return nil
		})
		if err != nil {
			return err
		}
		w.wasLoaded = true
	}
	slices.SortFunc(w.list, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
	for _, id := range w.list {
		if err := w.rows.add(conn, id[0], id[1]); err != nil {
			return err
		}
	}
	w.gathered += len(w.list)
	w.list = w.list[:0]
	if err := w.rows.flush(conn); err != nil || w.gathered < w.merge {
		return err
	}
	w.gathered = 0
	if err := exec(conn, `INSERT INTO event_id SELECT id_high, position FROM new_id ORDER BY id_high, position`); err != nil {
		return err
	}
	return exec(conn, `DELETE FROM new_id`)
}
