package sqlite

import (
	"context"
	"errors"
	"math"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/projections/search"
)

const (
	chunkColumns = `SELECT id, first, last, rows, early, late FROM chunk`
	newestSQL    = chunkColumns + ` INDEXED BY chunk_first WHERE ws = ? ORDER BY first DESC LIMIT 1`
	// From the chunk that a position is in, or would be in, on.
	backwardSQL = chunkColumns + ` INDEXED BY chunk_first WHERE ws = ? AND first <= ? AND late >= ? AND early < ? ORDER BY first DESC`
	forwardSQL  = chunkColumns + ` INDEXED BY chunk_last WHERE ws = ? AND last >= ? AND late >= ? AND early < ? ORDER BY last`
)

func scanChunk(s *sqlite.Stmt, ws int64) chunk {
	return chunk{id: s.ColumnInt64(0), ws: ws, first: s.ColumnInt64(1), last: s.ColumnInt64(2), rows: s.ColumnInt(3),
		early: s.ColumnInt64(4), late: s.ColumnInt64(5)}
}

// bounds are those that a query's conditions set to all rows it can find.
type bounds struct {
	first, last int64 // positions
	from, until int64 // microseconds since 1970; until is not in
}

func everything() bounds {
	return bounds{first: 1, last: math.MaxInt64, from: math.MinInt64, until: math.MaxInt64}
}

func (b *bounds) narrow(where []search.Condition) {
	for _, c := range where {
		switch c := c.(type) {
		case search.During:
			from, until := micros(c)
			b.from, b.until = max(b.from, from), min(b.until, until)
		case search.Compare:
			if c.Measure == search.Position {
				b.narrowPosition(c)
			}
		}
	}
}

func (b *bounds) narrowPosition(c search.Compare) {
	switch c.Op {
	case search.Less, search.AtMost:
		b.last = min(b.last, c.Value)
	case search.AtLeast, search.More:
		b.first = max(b.first, c.Value)
	case search.Equal:
		b.first, b.last = max(b.first, c.Value), min(b.last, c.Value)
	}
}

// micros is a span of time as rows have it. A bound between two microseconds is
// the next one.
func micros(d search.During) (from, until int64) {
	from, until = math.MinInt64, math.MaxInt64
	if !d.From.IsZero() {
		from = roundUp(d.From)
	}
	if !d.Until.IsZero() {
		until = roundUp(d.Until)
	}
	return from, until
}

func roundUp(t time.Time) int64 {
	n := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		n++
	}
	return n
}

// scan goes through the chunks that a query may find rows in.
type scan struct {
	ctx    context.Context
	conn   *sqlite.Conn
	codec  *codec
	ws     int64
	newest bool
	bounds bounds
	where  []search.Condition // but those on tags
	absent []string           // expressions of tags, which must not match

	stmt *sqlite.Stmt // of chunks
	hits *hits        // of tags that must be there; nil if there are none
}

// newScan prepares a scan; ok is false if there is nothing to find.
func (e *Engine) newScan(ctx context.Context, conn *sqlite.Conn, q search.Query, after int64) (s *scan, ok bool, err error) {
	ws, err := number(conn, workspaceSQL, string(q.Workspace))
	if err != nil || ws == 0 {
		return nil, false, err
	}
	s = &scan{ctx: ctx, conn: conn, codec: e.codec, ws: ws, newest: q.Order == search.NewestFirst, bounds: everything()}
	s.bounds.narrow(q.Where)
	switch {
	case after > 0 && s.newest:
		s.bounds.last = min(s.bounds.last, after-1)
	case after > 0:
		s.bounds.first = max(s.bounds.first, after+1)
	}
	var present []search.Tag
	for _, c := range q.Where {
		switch c := c.(type) {
		case search.Tagged:
			present = append(present, c.All...)
		case search.Not:
			if tagged, ok := c.Condition.(search.Tagged); ok {
				s.absent = append(s.absent, match(ws, tagged.All))
				continue
			}
			s.where = append(s.where, c)
		default:
			s.where = append(s.where, c)
		}
	}
	if s.bounds.first > s.bounds.last || s.bounds.from >= s.bounds.until {
		return nil, false, nil
	}
	if len(present) > 0 {
		s.hits, err = newHits(conn, match(ws, present), s.newest, s.bounds.first, s.bounds.last)
	}
	return s, err == nil, err
}

func (s *scan) close() error {
	var err error
	if s.stmt != nil {
		err = s.stmt.Reset()
	}
	if s.hits != nil {
		err = errors.Join(err, s.hits.close())
	}
	return err
}

// seek makes the chunk that a position is in, or would be in, the next one.
func (s *scan) seek(at int64) (err error) {
	query := forwardSQL
	if s.newest {
		query = backwardSQL
	}
	if s.stmt, err = s.conn.Prepare(query); err != nil { // which resets it
		return err
	}
	s.stmt.BindInt64(1, s.ws)
	s.stmt.BindInt64(2, at)
	s.stmt.BindInt64(3, s.bounds.from)
	s.stmt.BindInt64(4, s.bounds.until)
	return nil
}

// next answers the next chunk.
func (s *scan) next() (c chunk, ok bool, err error) {
	if err := s.ctx.Err(); err != nil {
		return c, false, err
	}
	if ok, err = s.stmt.Step(); !ok || err != nil {
		return c, false, err
	}
	c = scanChunk(s.stmt, s.ws)
	if s.newest {
		return c, c.last >= s.bounds.first, nil
	}
	return c, c.first <= s.bounds.last, nil
}

// each calls visit with the rows of each chunk that meet all conditions, in the
// query's order of chunks, until visit wants no more. Rows are numbers in
// ascending order, valid until visit returns.
func (s *scan) each(visit func(v *view, rows []int) (more bool, err error)) error {
	start := s.bounds.first
	if s.newest {
		start = s.bounds.last
	}
	if err := s.seek(start); err != nil {
		return err
	}
	var keep selection
	for {
		c, ok, err := s.next()
		if err != nil || !ok {
			return err
		}
		v := &view{chunk: c, codec: s.codec, conn: s.conn}
		if err := s.choose(v, &keep); err != nil {
			return err
		}
		if rows := keep.list(); len(rows) > 0 {
			if more, err := visit(v, rows); err != nil || !more {
				return err
			}
		}
		if s.hits == nil || !s.hits.started {
			continue
		}
		if s.hits.done {
			return nil
		}
		if s.hits.after(c) {
			if err := s.seek(s.hits.next); err != nil {
				return err
			}
		}
	}
}

// choose keeps the rows of a chunk that meet all conditions.
func (s *scan) choose(v *view, keep *selection) error {
	keep.all(v.rows)
	if v.first < s.bounds.first || v.last > s.bounds.last {
		positions, err := v.numbersOf(columnPosition)
		if err != nil {
			return err
		}
		keep.where(func(i int) bool { return positions[i] >= s.bounds.first && positions[i] <= s.bounds.last })
	}
	for _, c := range s.where {
		if keep.n == 0 {
			return nil
		}
		if err := keep.meet(v, c); err != nil {
			return err
		}
	}
	if keep.n == 0 {
		return nil
	}
	if s.hits != nil {
		if err := keep.tagged(v, s.hits, true); err != nil {
			return err
		}
	}
	for _, expr := range s.absent {
		if keep.n == 0 {
			return nil
		}
		if err := s.without(v, keep, expr); err != nil {
			return err
		}
	}
	return nil
}

// without drops the rows that have some tags.
func (s *scan) without(v *view, keep *selection, expr string) (err error) {
	h, err := newHits(s.conn, expr, false, v.first, v.last)
	if err != nil {
		return err
	}
	return errors.Join(keep.tagged(v, h, false), h.close())
}
