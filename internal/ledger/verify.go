package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
)

// SignatureChecker checks a compact JWS against the public keys it trusts.
type SignatureChecker interface {
	Verify(jws []byte, typ ledgercrypto.Typ) (payload []byte, kid string, err error)
}

// Report is what a verification found.
type Report struct {
	Records int64
	Bad     []*BadRecord // in order of position, at most MaxBad
	Head    eventlog.Position
}

// MaxBad is how many bad records a report lists.
const MaxBad = 100

// verifyBatch is how many records are checked together on all cores.
const verifyBatch = 2048

// Verify reads the log from its start to its present end and checks every
// record: place, type, id, digest of the ciphertext, signature, chain,
// revisions without gaps, time and workspace. It needs the public keys only,
// and reads beside writers. A workspace other than "" limits it to that
// workspace's streams. progress, if not nil, hears the position reached after
// each batch.
//
// What a chain can't show is not found: a suffix that is missing, a stream
// that is missing whole, a log that was put back to an earlier state.
func Verify(ctx context.Context, log eventlog.Log, checker SignatureChecker, ws domain.WorkspaceID, progress func(records int64, at eventlog.Position)) (*Report, error) {
	v := verification{checker: checker, tails: map[string]tail32{}, report: &Report{}}
	q := eventlog.Query{}
	if ws != "" {
		q.StreamPrefixes = []string{string(ws) + "/"}
	}
	batch := make([]eventlog.Recorded, 0, verifyBatch)
	flush := func() {
		v.check(batch)
		if progress != nil && len(batch) > 0 {
			progress(v.report.Records, v.report.Head)
		}
		batch = batch[:0]
	}
	for stored, err := range log.Read(ctx, q) {
		if err != nil {
			flush()
			return v.report, fmt.Errorf("reading the log: %w", err)
		}
		if batch = append(batch, stored); len(batch) == cap(batch) {
			flush()
		}
	}
	flush()
	return v.report, ctx.Err()
}

// tail32 is a Tail in the least memory, for a map of every stream.
type tail32 struct {
	revision int64
	time     int64
	digest   string
}

type verification struct {
	checker SignatureChecker
	tails   map[string]tail32
	report  *Report
}

// check checks a batch: signatures on all cores, then the chains in order.
func (v *verification) check(batch []eventlog.Recorded) {
	records := make([]Record, len(batch))
	errs := make([]error, len(batch))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(batch); i = next.Add(1) - 1 {
				records[i], errs[i] = v.one(&batch[i])
			}
		})
	}
	wg.Wait()
	for i := range batch {
		v.report.Records++
		v.report.Head = batch[i].Position
		v.follow(&batch[i], &records[i], errs[i])
	}
}

// one checks what can be checked of a record by itself.
func (v *verification) one(stored *eventlog.Recorded) (Record, error) {
	r, _, err := Parse(stored)
	if err != nil {
		return r, err
	}
	if _, _, err := v.checker.Verify(r.JWS(), ledgercrypto.RecordTyp); err != nil {
		return r, &BadRecord{stored.Stream, stored.Revision, stored.Position, signatureProblem(err)}
	}
	return r, nil
}

func signatureProblem(err error) string {
	if errors.Is(err, ledgercrypto.ErrUnknownKey) {
		return "it was signed with a key that is not trusted"
	}
	return "its signature is wrong"
}

// follow checks a record against the one before it and moves the tail on, past
// bad records too, so that one bad record is reported once.
func (v *verification) follow(stored *eventlog.Recorded, r *Record, err error) {
	known, seen := v.tails[stored.Stream]
	if !seen {
		known = tail32{revision: eventlog.NoStream}
	}
	if err == nil {
		err = r.Follows(Tail{Revision: known.revision, Digest: known.digest, Time: microTime(known.time)})
	}
	next := tail32{revision: stored.Revision, digest: r.Link, time: r.Time.UnixMicro()}
	if r.Link == "" { // it could not be parsed; its successor's claim can't be checked
		next = tail32{revision: stored.Revision, digest: unknownDigest, time: known.time}
	}
	v.tails[stored.Stream] = next
	var bad *BadRecord
	if known.digest == unknownDigest && errors.As(err, &bad) && r.Link != "" && r.Revision == known.revision+1 {
		return // its predecessor was reported
	}
	if errors.As(err, &bad) && len(v.report.Bad) < MaxBad {
		v.report.Bad = append(v.report.Bad, bad)
	}
}

// unknownDigest stands for the link of a record that could not be parsed.
const unknownDigest = "?"
