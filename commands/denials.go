package commands

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Denied attempts are recorded, but a flood of them must not fill the log: the
// first of a kind is recorded before it is answered, its repeats within
// sumFor are counted and recorded as one. An actor that tries everything there
// is has its further kinds counted as one; when very many actors do, those of
// a workspace are. So what is written in sumFor is bounded by the limits below,
// and every attempt is in one of the counts.
const (
	sumFor    = 10 * time.Second
	mostKinds = 32     // of one actor
	mostSums  = 10_000 // kinds of all actors, and as many actors beyond them

	severalKinds = "several" // the code of what is no longer told apart
	anything     = "*"       // its method and path
)

// denialKind is what repeats are counted by.
type denialKind struct {
	ws         domain.WorkspaceID
	actor      domain.Actor
	credential domain.CredentialID
	denied     journal.Denied
}

// denialActor is whose kinds are bounded.
type denialActor struct {
	ws    domain.WorkspaceID
	actor domain.Actor
}

type denials struct {
	service *Service
	mu      sync.Mutex
	sums    map[denialKind]int  // repeats since the first was recorded
	kinds   map[denialActor]int // among sums
	stop    chan struct{}
	done    chan struct{}
}

func newDenials(s *Service) *denials {
	d := &denials{service: s, sums: map[denialKind]int{}, kinds: map[denialActor]int{}, stop: make(chan struct{}), done: make(chan struct{})}
	go d.run()
	return d
}

// count counts an attempt. It answers the kind that it counts as, and whether
// that one was recorded before.
func (d *denials) count(kind denialKind) (denialKind, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, counting := d.sums[kind]
	if !counting && (len(d.sums) >= mostSums || d.kinds[denialActor{kind.ws, kind.actor}] >= mostKinds) {
		kind.credential, kind.denied = "", journal.Denied{Method: anything, Path: anything, Code: severalKinds}
		_, counting = d.sums[kind]
	}
	if !counting && len(d.sums) >= 2*mostSums {
		kind.actor = domain.Service(severalKinds)
		_, counting = d.sums[kind]
	}
	if counting {
		d.sums[kind]++
		return kind, true
	}
	d.sums[kind] = 0
	d.kinds[denialActor{kind.ws, kind.actor}]++
	return kind, false
}

// Denied records that c's actor tried what it may not, in its own workspace.
func (s *Service) Denied(ctx context.Context, c Call, denied journal.Denied) error {
	denied.Count = 0
	d := s.denials
	kind, counting := d.count(denialKind{c.Workspace, c.Actor, c.Credential, denied})
	if counting {
		return nil
	}
	err := d.record(ctx, kind, 1)
	if err != nil { // the next flush records it
		d.mu.Lock()
		d.sums[kind]++
		d.mu.Unlock()
	}
	return err
}

// record writes one entry for so many attempts.
func (d *denials) record(ctx context.Context, kind denialKind, count int) error {
	s := d.service
	c := s.NewCall(kind.ws, kind.actor, kind.credential, "deny", kind.denied.Path, "", nil)
	kind.denied.Count = count
	_, err := s.journals.Do(ctx, ledger.AccessStream(kind.ws, s.now()), c, func(time.Time) journal.Command {
		return journal.Command{Event: kind.denied}
	})
	return err
}

// run writes the sums now and then.
func (d *denials) run() {
	defer close(d.done)
	tick := time.NewTicker(sumFor)
	defer tick.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-tick.C:
			ctx, cancel := context.WithTimeout(context.Background(), sumFor)
			_ = d.flush(ctx) // what fails stays counted
			cancel()
		}
	}
}

// flush records what was counted and forgets kinds that did not repeat. A sum
// that can't be recorded is counted again.
func (d *denials) flush(ctx context.Context) (err error) {
	d.mu.Lock()
	sums := d.sums
	d.sums, d.kinds = make(map[denialKind]int, len(sums)), map[denialActor]int{}
	d.mu.Unlock()
	for kind, n := range sums {
		if n == 0 {
			continue
		}
		if failed := d.record(ctx, kind, n); failed != nil {
			err = errors.Join(err, failed)
			d.mu.Lock()
			d.sums[kind] += n
			d.mu.Unlock()
		}
	}
	return err
}

// close records what was counted and stops.
func (d *denials) close(ctx context.Context) error {
	close(d.stop)
	<-d.done
	return d.flush(ctx)
}
