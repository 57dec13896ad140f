package eventlogtest

import (
	"github.com/clawoffice/ledger/internal/eventlog"
)

func deleteChecks() []check {
	return []check{
		{"a deleted stream reads as nothing and takes nothing", deleteStream},
		{"deleting twice, or what never was, succeeds", deleteTwice},
		{"deleting touches no other stream", deleteNeighbours},
		{"a subscription goes on past deleted records", deleteUnderSubscription},
	}
}

func deleteStream(e *env) {
	s, evs := e.stream("key-1"), events("key.made.v1", 3)
	e.append(s, eventlog.NoStream, evs...)
	if err := e.log.Delete(e.ctx, s); err != nil {
		e.Fatalf("Delete: %v", err)
	}
	e.same(e.read(eventlog.Query{Stream: s}), nil, "a deleted stream")
	e.same(e.read(eventlog.Query{Stream: s, From: -1, Backwards: true}), nil, "a deleted stream, backwards")
	if !e.features.deferredErasure {
		e.same(e.read(e.mine()), nil, "the whole log")
	}
	for _, expected := range []int64{eventlog.NoStream, 0, 2, 7} {
		_, err := e.log.Append(e.ctx, s, expected, events("key.made.v1", 1))
		e.wantError(err, eventlog.ErrDeleted, "Append to a deleted stream")
	}
	_, err := e.log.Append(e.ctx, s, eventlog.NoStream, evs)
	e.wantError(err, eventlog.ErrDeleted, "the first append again, after Delete")
}

func deleteTwice(e *env) {
	never, s := e.stream("key-never"), e.stream("key-1")
	if err := e.log.Delete(e.ctx, never); err != nil {
		e.Errorf("deleting a stream that never was: %v", err)
	}
	e.append(s, eventlog.NoStream, events("key.made.v1", 1)...)
	for i := range 3 {
		if err := e.log.Delete(e.ctx, s); err != nil {
			e.Errorf("delete %d: %v", i, err)
		}
	}
	_, err := e.log.Append(e.ctx, s, eventlog.NoStream, events("key.made.v1", 1))
	e.wantError(err, eventlog.ErrDeleted, "Append after several deletes")
	e.wantError(e.log.Delete(e.ctx, ""), eventlog.ErrInvalid, "Delete without a stream")
}

func deleteNeighbours(e *env) {
	s, evs := e.stream("key-1"), events("key.made.v1", 2)
	near, far := e.stream("key-10"), e.stream("order-1")
	e.append(near, eventlog.NoStream, evs...)
	e.append(s, eventlog.NoStream, events("key.made.v1", 2)...)
	e.append(far, eventlog.NoStream, evs...)
	if err := e.log.Delete(e.ctx, s); err != nil {
		e.Fatalf("Delete: %v", err)
	}
	e.wantRecords(e.read(eventlog.Query{Stream: near}), near, 0, evs)
	e.wantRecords(e.read(eventlog.Query{Stream: far}), far, 0, evs)
	if got := e.append(near, 1, events("key.made.v1", 1)...); got.Revision != 2 {
		e.Errorf("the neighbour goes on at revision %d, want 2", got.Revision)
	}
	tip := e.append(e.stream("after-1"), eventlog.NoStream, events("a.v1", 1)...)
	all := e.read(e.mine())
	if e.wantGrowing(all); all[len(all)-1].Position != tip.Position {
		e.Errorf("the newest record is at %d, its append answered %d", all[len(all)-1].Position, tip.Position)
	}
}

func deleteUnderSubscription(e *env) {
	gone, kept := e.stream("key-1"), events("a.v1", 2)
	e.append(e.stream("order-1"), eventlog.NoStream, kept[0])
	e.append(gone, eventlog.NoStream, events("key.made.v1", 5)...)
	if err := e.log.Delete(e.ctx, gone); err != nil {
		e.Fatalf("Delete: %v", err)
	}
	e.append(e.stream("order-1"), 0, kept[1])
	q := e.mine()
	q.StreamPrefixes = []string{e.stream("order-")}
	e.wantRecords(e.listen(q, 2, nil), e.stream("order-1"), 0, kept)
}
