package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// sum stands for the records of one workspace, in order: how many there are,
// and a hash chained over their bytes.
type sum struct {
	records int64
	hash    [sha256.Size]byte
}

// add adds a record: everything of it but what the engine gives it.
func (s *sum) add(r *eventlog.Recorded) {
	h := sha256.New()
	h.Write(s.hash[:])
	h.Write(r.ID[:])
	for _, part := range [][]byte{[]byte(r.Stream), binary.BigEndian.AppendUint64(nil, uint64(r.Revision)), []byte(r.Type), r.Data, r.Meta} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	s.records++
	h.Sum(s.hash[:0])
}

// sums are those of all workspaces.
type sums map[domain.WorkspaceID]sum

// add adds a record to its workspace's sum and answers that.
func (s sums) add(r *eventlog.Recorded) (domain.WorkspaceID, sum, error) {
	ws, err := ledger.WorkspaceOf(r.Stream)
	if err != nil {
		return "", sum{}, err
	}
	one := s[ws]
	one.add(r)
	s[ws] = one
	return ws, one, nil
}

func (s sums) records() int64 {
	n := int64(0)
	for one := range maps.Values(s) {
		n += one.records
	}
	return n
}

var errOtherLog = errors.New("the target holds other records")

// same compares the sums of two logs.
func (s sums) same(other sums) error {
	if maps.Equal(s, other) {
		return nil
	}
	for ws, one := range s {
		if other[ws] != one {
			return fmt.Errorf("%w: workspace %s has %d there and %d here, or they differ", errOtherLog, ws, other[ws].records, one.records)
		}
	}
	return fmt.Errorf("%w: workspaces that are not here", errOtherLog)
}

// tally sums up a log. each, if not nil, is called for every record.
func tally(ctx context.Context, log eventlog.Log, each func(*eventlog.Recorded) error) (sums, error) {
	all := sums{}
	for r, err := range log.Read(ctx, eventlog.Query{}) {
		if err == nil {
			_, _, err = all.add(&r)
		}
		if err == nil && each != nil {
			err = each(&r)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// migration copies a log. Each workspace is copied by one goroutine, in order,
// so what is there after a break is the beginning of every workspace.
type migration struct {
	from, to eventlog.Log
	there    sums // in the target before
	done     sums // of the source
	erased   int
	named    map[keyName]bool // data keys that records name; false once its stream was seen
}

type keyName struct {
	ws domain.WorkspaceID
	id string
}

// Bounds of what is on its way.
const (
	migrateLanes = 16
	laneLength   = 64
)

// batch is consecutive records of one stream.
type batch struct {
	stream string
	after  int64
	events []eventlog.Event
	size   int
}

// copy reads the source from its start, skips what the target has and sends
// the rest.
func (m *migration) copy(ctx context.Context, progress func(eventlog.Position)) error {
	m.done, m.named = sums{}, map[keyName]bool{}
	group, ctx := errgroup.WithContext(ctx)
	lanes := make([]*lane, migrateLanes)
	for i := range lanes {
		lanes[i] = &lane{work: make(chan batch, laneLength), to: m.to}
		group.Go(func() error { return lanes[i].run(ctx) })
	}
	group.Go(func() error {
		err := m.distribute(ctx, lanes, progress)
		for _, l := range lanes {
			l.end(ctx)
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	for ws := range m.there {
		if m.done[ws].records < m.there[ws].records {
			return fmt.Errorf("%w: workspace %s has more there", errOtherLog, ws)
		}
	}
	return nil
}

func (m *migration) distribute(ctx context.Context, lanes []*lane, progress func(eventlog.Position)) error {
	n := 0
	for r, err := range m.from.Read(ctx, eventlog.Query{}) {
		if err != nil {
			return err
		}
		ws, s, err := m.done.add(&r)
		if err != nil {
			return err
		}
		m.note(ws, &r)
		if n++; n%512 == 0 {
			progress(r.Position)
		}
		switch there := m.there[ws]; {
		case s.records < there.records:
		case s.records == there.records && s != there:
			return fmt.Errorf("%w of workspace %s; migrate to an empty EventStoreDB", errOtherLog, ws)
		case s.records > there.records:
			if err := lanes[laneOf(ws)].send(ctx, &r); err != nil {
				return err
			}
		}
	}
	return nil
}

func laneOf(ws domain.WorkspaceID) int {
	h := sha256.Sum256([]byte(ws))
	return int(h[0]) % migrateLanes
}

// note remembers which data keys are named and not there: they were destroyed.
func (m *migration) note(ws domain.WorkspaceID, r *eventlog.Recorded) {
	if ledger.IsKeyStream(r.Stream) {
		m.named[keyName{ws, r.Stream[len(ledger.KeyStream(ws, "")):]}] = false
		return
	}
	record, _, err := ledger.Parse(r)
	if err != nil {
		return // a bad record is copied as it is; verify names it
	}
	name := keyName{ws, record.Key}
	if _, known := m.named[name]; !known {
		m.named[name] = true
	}
}

// erase makes keys that were destroyed here destroyed there, so that what they
// sealed reads as erased and not as forged.
func (m *migration) erase(ctx context.Context) error {
	store := ledger.NewKeyStore(m.from, nil, "", time.Now) // it only reads
	for name, absent := range m.named {
		if !absent {
			continue
		}
		_, _, err := store.Get(ctx, name.ws, ledgercrypto.KeyID(name.id))
		if !errors.Is(err, ledgercrypto.ErrKeyErased) {
			continue // never made; verify names the record
		}
		if err := m.bury(ctx, name); err != nil {
			return fmt.Errorf("erasing a key that was erased: %w", err)
		}
		m.erased++
	}
	return nil
}

// bury makes a key read as erased in the target, which never held it. To delete
// a stream that never was is enough for EventStoreDB; an engine that forgets
// such a deletion gets something to delete.
func (m *migration) bury(ctx context.Context, name keyName) error {
	stream := ledger.KeyStream(name.ws, name.id)
	if err := m.to.Delete(ctx, stream); err != nil {
		return err
	}
	_, _, err := ledger.NewKeyStore(m.to, nil, "", time.Now).Get(ctx, name.ws, ledgercrypto.KeyID(name.id))
	if !errors.Is(err, ledgercrypto.ErrKeyUnknown) {
		return ignore(err, ledgercrypto.ErrKeyErased)
	}
	id := sha256.Sum256([]byte(stream))
	placeholder := eventlog.Event{ID: [16]byte(id[:16]), Type: ledger.KeyCreated, Meta: []byte("{}")}
	if _, err := m.to.Append(ctx, stream, eventlog.NoStream, []eventlog.Event{placeholder}); err != nil {
		return err
	}
	return m.to.Delete(ctx, stream)
}

// ignore is err, unless it is the expected one.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
