package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	zs "zombiezen.com/go/sqlite"
)

// readersMax bounds the reading connections, and with them their page caches.
// One is held for the time of a page, not while a caller looks at records.
const readersMax = 8

// reader is a reading connection with its statements.
type reader struct {
	conn   *zs.Conn
	lookup *lookups

	forward, backward             *zs.Stmt // whole log
	streamForward, streamBackward *zs.Stmt
	newest                        *zs.Stmt
}

func newReader(conn *zs.Conn) (*reader, error) {
	r := &reader{conn: conn}
	const from = "SELECT " + columns + " FROM event "
	err := prepare(conn, map[**zs.Stmt]string{
		&r.forward:        from + "WHERE position > ? ORDER BY position",
		&r.backward:       from + "WHERE position < ? ORDER BY position DESC",
		&r.streamForward:  from + "WHERE stream = ? AND revision >= ? ORDER BY revision",
		&r.streamBackward: from + "WHERE stream = ? AND revision <= ? ORDER BY revision DESC",
		&r.newest:         "SELECT max(position) FROM event",
	})
	if err != nil {
		return nil, err
	}
	r.lookup, err = newLookups(conn, false)
	return r, err
}

// pool lends readers and opens them as they are first needed.
type pool struct {
	log   *Log
	slots chan struct{}
	query string // of the URI, for files that can't be opened the usual way

	mu   sync.Mutex
	idle []*reader
}

func newPool(l *Log) *pool {
	return &pool{log: l, slots: make(chan struct{}, readersMax)}
}

func (p *pool) get(ctx context.Context) (*reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if isClosed(p.log.closing) {
		return nil, errClosed()
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.log.closing:
		return nil, errClosed()
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		r := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return r, nil
	}
	p.mu.Unlock()
	r, err := p.open()
	if err != nil {
		<-p.slots
		return nil, fmt.Errorf("opening a reading connection: %w", err)
	}
	return r, nil
}

func (p *pool) open() (*reader, error) {
	conn, err := openConn(p.log.options.uri(p.log.path, p.query), zs.OpenReadOnly, "cache_size=-512", "temp_store=MEMORY")
	if err != nil {
		return nil, err
	}
	r, err := newReader(conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return r, nil
}

func (p *pool) put(r *reader) {
	p.mu.Lock()
	p.idle = append(p.idle, r)
	p.mu.Unlock()
	<-p.slots
}

// close waits for lent readers to come back. Nobody gets one once closing is
// closed, or gives it back at once.
func (p *pool) close() {
	for range readersMax {
		p.slots <- struct{}{}
	}
	for _, r := range p.idle {
		_ = r.conn.Close() // it only read
	}
	p.idle = nil
}
