package sqlite

import (
	"context"
	"errors"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// retry is the pause before a sweep that failed is tried again.
const retry = 5 * time.Second

// errBusy: queries still read from the WAL.
var errBusy = errors.New("the WAL of the search index is in use")

// sweeper is the goroutine that takes what erasures left out of the file.
type sweeper struct {
	mu       sync.Mutex
	removing int           // removals that go on: until they end, there is more to come
	clean    chan struct{} // closed while there is nothing to sweep
	again    chan struct{}
	cancel   context.CancelFunc
	done     chan struct{}
}

func (s *sweeper) start(e *Engine) {
	ctx, cancel := context.WithCancel(context.Background())
	s.clean, s.again, s.done, s.cancel = make(chan struct{}), make(chan struct{}, 1), make(chan struct{}), cancel
	s.again <- struct{}{} // the process before may have left something
	go func() {
		defer close(s.done)
		for {
			select {
			case <-s.again:
			case <-ctx.Done():
				return
			}
			for e.sweepAll(ctx) != nil && ctx.Err() == nil {
				select {
				case <-time.After(retry):
				case <-ctx.Done():
				}
			}
		}
	}()
}

func (s *sweeper) stop() {
	s.cancel()
	<-s.done
}

// hold keeps the sweeper from beginning with another generation; the removal
// that holds it may touch each more than once.
func (s *sweeper) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removing++
}

func (s *sweeper) held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removing > 0
}

// release says that a removal has ended, and may have left something to sweep.
func (s *sweeper) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removing--
	select {
	case <-s.clean:
		s.clean = make(chan struct{})
	default:
	}
	select {
	case s.again <- struct{}{}:
	default:
	}
}

// swept says that there was nothing left, unless it was woken meanwhile.
func (s *sweeper) swept() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.again) > 0 || s.removing > 0 {
		return
	}
	select {
	case <-s.clean:
	default:
		close(s.clean)
	}
}

// Swept waits until the tags of subjects that were erased are nowhere in the
// index's files. The sweep begins when Remove ends. It takes about a second for
// each 262,144 rows among which the subject has some, and inserts wait for each
// of these; after a crash the next Open takes it up.
func (e *Engine) Swept(ctx context.Context) error {
	for {
		if err := e.alive(ctx); err != nil {
			return err
		}
		e.sweeps.mu.Lock()
		clean := e.sweeps.clean
		e.sweeps.mu.Unlock()
		select {
		case <-clean:
			return nil
		case <-e.closed:
		case <-ctx.Done():
		}
	}
}

// sweepAll merges each generation that an erasure touched. A merge leaves out
// what was deleted; freed pages are overwritten (secure_delete), and emptying
// the WAL lets go of their older versions.
func (e *Engine) sweepAll(ctx context.Context) error {
	for {
		if e.sweeps.held() {
			return nil // release wakes it
		}
		var g generation
		err := e.write(ctx, func(conn *sqlite.Conn) error {
			list, err := generations(conn, ` WHERE sweep = 1`)
			if err != nil || len(list) == 0 {
				return err
			}
			g = list[0]
			err = sqlitex.ExecuteTransient(conn, `INSERT INTO `+g.table()+` (`+g.table()+`) VALUES ('optimize')`, nil)
			if err != nil {
				return err
			}
			return sqlitex.Execute(conn, `UPDATE generation SET sweep = 0 WHERE id = ?`, &sqlitex.ExecOptions{Args: []any{g.id}})
		})
		if err != nil {
			return err
		}
		if g.id != 0 {
			continue
		}
		if err := e.emptyWAL(ctx); err != nil {
			return err
		}
		e.sweeps.swept()
		return nil
	}
}

// emptyWAL moves the WAL into the file. It waits for queries that read from it.
func (e *Engine) emptyWAL(ctx context.Context) error {
	select {
	case conn := <-e.turn:
		defer func() { e.turn <- conn }()
		conn.SetInterrupt(ctx.Done())
		defer conn.SetInterrupt(nil)
		busy, err := number(conn, `PRAGMA wal_checkpoint(TRUNCATE)`)
		if err == nil && busy != 0 {
			err = errBusy
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
