package sqlite

import (
	"context"
	"sync/atomic"

	zs "zombiezen.com/go/sqlite"
)

const (
	walSoft     = 16 << 20 // appended bytes after which a checkpoint is made beside the committer
	walHard     = 64 << 20 // bytes in the write-ahead log at which the committer waits for one
	walTruncate = 80 << 20 // a larger write-ahead log is cut when it starts anew
)

// walState is what a checkpoint found and left, in pages.
type walState struct {
	busy             bool
	logged, finished int64
}

func checkpoint(conn *zs.Conn, mode string) (walState, error) {
	s, err := conn.Prepare("PRAGMA wal_checkpoint(" + mode + ")")
	if err != nil {
		return walState{}, translate(err)
	}
	if _, err := s.Step(); err != nil {
		return walState{}, translate(err)
	}
	state := walState{busy: s.ColumnInt64(0) != 0, logged: s.ColumnInt64(1), finished: s.ColumnInt64(2)}
	return state, translate(s.Reset())
}

// checkpoints moves pages from the write-ahead log into the file, on a
// connection and goroutine of its own. That does not hold up commits, but
// under steady writing it never quite catches up, and only a finished
// checkpoint lets the write-ahead log start anew. So when the log has grown
// large, the committer makes the last and then short one itself.
type checkpoints struct {
	log     *Log
	conn    *zs.Conn
	written atomic.Int64 // bytes appended since the last checkpoint
	due     chan struct{}
	ended   chan struct{}
}

func newCheckpoints(l *Log) (*checkpoints, error) {
	conn, err := openWriter(l.path, l.options)
	if err != nil {
		return nil, err
	}
	c := &checkpoints{log: l, conn: conn, due: make(chan struct{}, 1), ended: make(chan struct{})}
	go c.run()
	return c, nil
}

// wrote is the committer's word of how much it wrote.
func (c *checkpoints) wrote(bytes int64) {
	if c.written.Add(bytes) < walSoft {
		return
	}
	select {
	case c.due <- struct{}{}:
	default:
	}
}

func (c *checkpoints) run() {
	defer close(c.ended)
	for {
		select {
		case <-c.log.closing:
			return
		case <-c.due:
			c.written.Store(0)
			c.once()
		}
	}
}

// once makes a checkpoint. Failing is no harm to what is stored, only to the
// size of the write-ahead log, and it is tried again as more is written.
func (c *checkpoints) once() {
	state, err := checkpoint(c.conn, "PASSIVE")
	if err == nil && state.logged*pageSize >= walHard {
		err = c.log.submit(context.Background(), &request{alone: func(w *writer) error {
			_, err := checkpoint(w.conn, "PASSIVE")
			return err
		}})
	}
	select {
	case <-c.log.closing:
		return
	default:
	}
	if err != nil {
		c.log.options.Logger.Warn("checkpoint of the event log failed; it is tried again", "dir", c.log.dir, "error", err)
	}
}

func (c *checkpoints) stop() {
	<-c.ended
	_ = c.conn.Close() // it holds nothing that is not durable
}
