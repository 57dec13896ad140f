package sqlite

import (
	"errors"
	"slices"

	"zombiezen.com/go/sqlite"
)

// hits walks the positions of rows that have some tags, in a query's order,
// through one generation after another.
type hits struct {
	conn   *sqlite.Conn
	expr   string
	newest bool
	lo, hi int64        // bounds that hold throughout
	order  []generation // in the query's order
	left   []generation // of them, those that are not begun

	stmt          *sqlite.Stmt // of the one that is
	started, done bool
	next          int64 // the place it is at, unless done
}

func newHits(conn *sqlite.Conn, expr string, newest bool, lo, hi int64) (*hits, error) {
	order, err := generations(conn, ` WHERE last >= ? AND first <= ?`, lo, hi)
	if newest {
		slices.Reverse(order)
	}
	return &hits{conn: conn, expr: expr, newest: newest, lo: lo, hi: hi, order: order}, err
}

func (h *hits) close() error {
	if h.stmt == nil {
		return nil
	}
	err := h.stmt.Finalize()
	h.stmt = nil
	return err
}

// seek goes to the first place that is not before at.
func (h *hits) seek(at int64) error {
	h.started = true
	h.left = h.order
	for len(h.left) > 0 && (h.newest && h.left[0].first > at || !h.newest && h.left[0].last < at) {
		h.left = h.left[1:]
	}
	if err := h.begin(at); err != nil {
		return err
	}
	return h.step()
}

// begin makes the next generation the one that is walked through, from at on.
func (h *hits) begin(at int64) error {
	if err := h.close(); err != nil || len(h.left) == 0 {
		return err
	}
	table := h.left[0].table()
	query := `SELECT rowid FROM ` + table + ` WHERE ` + table + ` MATCH ? AND rowid >= ? AND rowid <= ? ORDER BY rowid`
	lo, hi := max(h.lo, at), h.hi
	if h.newest {
		query += ` DESC`
		lo, hi = h.lo, min(h.hi, at)
	}
	stmt, _, err := h.conn.PrepareTransient(query)
	if err != nil {
		return err
	}
	stmt.BindText(1, h.expr)
	stmt.BindInt64(2, lo)
	stmt.BindInt64(3, hi)
	h.left, h.stmt = h.left[1:], stmt
	return nil
}

// step goes to the next place.
func (h *hits) step() error {
	for h.stmt != nil {
		found, err := h.stmt.Step()
		if err != nil {
			return errors.Join(err, h.close())
		}
		if found {
			h.next = h.stmt.ColumnInt64(0)
			return nil
		}
		at := h.lo
		if h.newest {
			at = h.hi
		}
		if err := h.begin(at); err != nil {
			return err
		}
	}
	h.done = true
	return nil
}

// after reports whether the place lies after a chunk.
func (h *hits) after(c chunk) bool {
	if h.newest {
		return h.next < c.first
	}
	return h.next > c.last
}

// before reports whether the place lies before a chunk.
func (h *hits) before(c chunk) bool {
	if h.newest {
		return h.next > c.last
	}
	return h.next < c.first
}

// patience is how many places are stepped over before a jump costs less.
const patience = 64

// within answers the places in a chunk, in the query's order, and leaves h at
// the first one after it.
func (h *hits) within(c chunk, places []int64) ([]int64, error) {
	enter := c.first
	if h.newest {
		enter = c.last
	}
	if !h.started {
		if err := h.seek(enter); err != nil {
			return nil, err
		}
	}
	for steps := 0; !h.done && h.before(c); steps++ {
		var err error
		if steps < patience {
			err = h.step()
		} else {
			err = h.seek(enter)
		}
		if err != nil {
			return nil, err
		}
	}
	for !h.done && !h.after(c) {
		places = append(places, h.next)
		if err := h.step(); err != nil {
			return nil, err
		}
	}
	return places, nil
}
