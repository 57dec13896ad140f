package sqlite

import (
	"errors"
	"math"
	"strings"

	zs "zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// A page ends at whichever comes first, so that its read transaction is short.
const (
	pageRecords = 512
	pageBytes   = 1 << 20
	pageRows    = 8192 // looked at, most of them held back by filters
)

// filter applies a query's prefixes. It belongs to one read.
type filter struct {
	streams, types []string
	known          map[int64]verdict
	onMismatch     func(eventlog.Recorded) // nil: a row that does not match its checksum ends the read
	name           [512]byte
}

type verdict struct {
	name string
	pass bool
}

func newFilter(q eventlog.Query) *filter {
	return &filter{streams: q.StreamPrefixes, types: q.TypePrefixes, known: map[int64]verdict{}}
}

func hasPrefix(s string, any []string) bool {
	for _, p := range any {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return len(any) == 0
}

func (f *filter) passes(r *eventlog.Recorded) bool {
	return hasPrefix(r.Type, f.types) && hasPrefix(r.Stream, f.streams)
}

// row tells the row's type and whether it passes, before its bytes are touched.
func (f *filter) row(s *zs.Stmt, conn *zs.Conn, types *typeTable) (verdict, error) {
	id := s.ColumnInt64(colType)
	v, ok := f.known[id]
	if !ok {
		name, err := types.name(conn, id)
		if err != nil {
			return verdict{}, err
		}
		v = verdict{name: name, pass: hasPrefix(name, f.types)}
		f.known[id] = v
	}
	v.pass = v.pass && s.ColumnInt64(colLive) != 0
	if v.pass && len(f.streams) > 0 {
		v.pass = f.stream(s)
	}
	return v, nil
}

// stream compares names without making a string of each, as most may fail.
func (f *filter) stream(s *zs.Stmt) bool {
	if s.ColumnLen(colName) > len(f.name) {
		return hasPrefix(s.ColumnText(colName), f.streams)
	}
	name := f.name[:s.ColumnBytes(colName, f.name[:])]
	for _, p := range f.streams {
		if len(name) >= len(p) && string(name[:len(p)]) == p {
			return true
		}
	}
	return false
}

// page is a part of a read.
type page struct {
	records []eventlog.Recorded
	scanned int64 // position of the last row looked at
	end     bool  // there was nothing more
}

// take reads rows off a bound statement until the page is full.
func (r *reader) take(s *zs.Stmt, f *filter, types *typeTable, backwards bool, limit int) (p page, err error) {
	defer func() {
		if rerr := s.Reset(); err == nil {
			err = translate(rerr)
		}
	}()
	limit = min(limit, pageRecords)
	for rows, bytes := 0, 0; rows < pageRows && bytes < pageBytes && len(p.records) < limit; rows++ {
		found, err := s.Step()
		if err != nil {
			return page{}, translate(err)
		}
		if !found {
			p.end = true
			return p, nil
		}
		position := s.ColumnInt64(colPosition)
		if rows > 0 && (position == p.scanned || (position < p.scanned) != backwards) {
			// Without this a damaged page could lead a reader in circles.
			return page{}, damaged("position %d comes after %d", position, p.scanned)
		}
		p.scanned = position
		v, err := f.row(s, r.conn, types)
		if err != nil {
			return page{}, err
		}
		if !v.pass {
			continue
		}
		record, err := readRow(s, v.name)
		if f.onMismatch != nil && errors.As(err, new(mismatch)) {
			f.onMismatch(record)
			err = nil
		}
		if err != nil {
			return page{}, err
		}
		p.records = append(p.records, record)
		bytes += size(&record)
	}
	return p, nil
}

// whole reads a page of the whole log.
func (r *reader) whole(f *filter, types *typeTable, after eventlog.Position, backwards bool, limit int) (page, error) {
	at := int64(min(after, math.MaxInt64))
	if !backwards {
		r.forward.BindInt64(1, at)
		return r.take(r.forward, f, types, false, limit)
	}
	if at == 0 {
		at = math.MaxInt64
	}
	r.backward.BindInt64(1, at)
	return r.take(r.backward, f, types, true, limit)
}

// stream reads a page of one stream. Its records follow each other without
// gaps, so whatever is missing or strange is damage.
func (r *reader) stream(f *filter, types *typeTable, name string, id, from int64, backwards bool, limit int) (page, error) {
	s, step := r.streamForward, int64(1)
	if backwards {
		s, step = r.streamBackward, -1
	}
	s.BindInt64(1, id)
	s.BindInt64(2, from)
	p, err := r.take(s, f, types, backwards, limit)
	if err != nil || len(p.records) == 0 {
		return p, err
	}
	if backwards && p.records[0].Revision < from {
		from = p.records[0].Revision // it began beyond the newest
	}
	for i := range p.records {
		if got := &p.records[i]; got.Stream != name || got.Revision != from+int64(i)*step {
			return page{}, damaged("stream %s has %s@%d where revision %d belongs", name, got.Stream, got.Revision, from+int64(i)*step)
		}
	}
	return p, nil
}
