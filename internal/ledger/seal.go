package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"sync"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
)

// parallelFrom is the batch size from which sealing is spread over the cores;
// below it the hand-over costs more than it saves.
const parallelFrom = 4

// sealing is one record on its way.
type sealing struct {
	draft  Draft
	header Header
	key    *ledgercrypto.DataKey
	link   string // digest of the signing input
	public []byte // payload so far: the associated data
	sealed []byte // ciphertext
	meta   []byte // metadata so far: its opening and the signing input
}

// seal makes the drafts events that follow tail, and answers the tail after
// them. Encryption and signatures run on all cores; between them only the
// chain of digests is made in order.
func (l *Ledger) seal(ctx context.Context, ws domain.WorkspaceID, stream string, tail Tail, drafts []Draft) ([]eventlog.Event, Tail, error) {
	work := make([]sealing, len(drafts))
	for i, d := range drafts {
		key, err := l.keys.Current(ctx, ws, d.Subject)
		if err != nil {
			return nil, tail, fmt.Errorf("finding the data key: %w", err)
		}
		d.Time = laterOf(d.Time, tail.Time)
		tail.Time = d.Time
		work[i] = sealing{draft: d, key: key, header: Header{Workspace: ws, Stream: stream,
			Revision: tail.Revision + 1 + int64(i), Type: d.Type, ID: d.ID, Time: d.Time, Actor: d.Actor.String(),
			Credential: d.Credential, Correlation: d.Correlation, Cause: d.Cause, Key: string(key.ID())}}
	}
	if err := each(work, (*sealing).encrypt); err != nil {
		return nil, tail, err
	}
	signer := l.signer()
	for i := range work {
		tail.Digest = work[i].chain(signer, tail.Digest)
	}
	events := make([]eventlog.Event, len(work))
	err := each(work, func(s *sealing) error {
		events[s.header.Revision-tail.Revision-1] = eventlog.Event{ID: s.draft.ID, Type: s.draft.Type, Data: s.sealed, Meta: s.sign(signer)}
		return nil
	})
	tail.Revision += int64(len(work))
	if err == nil {
		l.fresh.put(work, events)
	}
	return events, tail, err
}

// laterOf answers t in the format's precision, never before the stream's last.
func laterOf(t, last time.Time) time.Time {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Before(last) {
		return last
	}
	return t
}

// encrypt seals the payload to everything public about the record.
func (s *sealing) encrypt() (err error) {
	if s.public, err = s.header.appendPublic(make([]byte, 0, 640)); err != nil {
		return err
	}
	s.sealed, err = s.key.Seal(nil, s.draft.Payload, s.public)
	return err
}

// chain makes the signing input, which names the previous one, and answers its
// digest.
func (s *sealing) chain(signer Signer, prev string) string {
	s.header.Data, s.header.Prev = digest64(sha256.Sum256(s.sealed)), prev
	payload := appendRest(s.public, s.header.Data, prev)
	s.meta = append(make([]byte, 0, len(payload)*4/3+300), metaOpening...)
	s.meta = signer.SigningInput(s.meta, payload)
	s.link = digest64(sha256.Sum256(s.input()))
	return s.link
}

func (s *sealing) input() []byte { return s.meta[len(metaOpening):] }

// sign answers the record's user metadata around its compact JWS.
func (s *sealing) sign(signer Signer) []byte {
	return append(signer.Finish(s.meta, s.input()), metaEnd...)
}

// each runs f on every element, on all cores if there are enough of them, and
// answers one of the errors.
func each(work []sealing, f func(*sealing) error) error {
	workers := min(runtime.GOMAXPROCS(0), len(work)/parallelFrom+1)
	if workers == 1 {
		return eachOf(work, 0, 1, f)
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { errs[w] = eachOf(work, w, workers, f) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// eachOf runs f on every step-th element from the first.
func eachOf(work []sealing, first, step int, f func(*sealing) error) error {
	for i := first; i < len(work); i += step {
		if err := f(&work[i]); err != nil {
			return err
		}
	}
	return nil
}
