package eventlogtest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/clawoffice/ledger/internal/eventlog"
)

func appendChecks() []check {
	return []check{
		{"append to a new stream and after its last record", appendInOrder},
		{"append at a wrong revision", appendWrongRevision},
		{"append a batch, all or none", appendBatch},
		{"bytes come back as they were", appendBytes},
		{"names and types are kept apart and case matters", appendNames},
		{"concurrent appends to one stream have one winner each", appendRace},
		{"concurrent appends to many streams all succeed", appendMany},
	}
}

func appendInOrder(e *env) {
	s, evs := e.stream("order-1"), events("order.made.v1", 3)
	var last eventlog.Position
	for i, ev := range evs {
		got := e.append(s, int64(i)-1, ev)
		if got.Revision != int64(i) {
			e.Errorf("append %d: revision %d", i, got.Revision)
		}
		if got.Position <= last || got.Position <= e.start {
			e.Errorf("append %d: position %d, the one before was %d, the log began at %d", i, got.Position, last, e.start)
		}
		last = got.Position
	}
	records := e.read(eventlog.Query{Stream: s})
	e.wantRecords(records, s, 0, evs)
	if records[2].Position != last {
		e.Errorf("the last append answered position %d, the record is at %d", last, records[2].Position)
	}
}

func appendWrongRevision(e *env) {
	s, evs := e.stream("order-1"), events("order.made.v1", 2)
	_, err := e.log.Append(e.ctx, s, 0, events("x.v1", 1))
	e.wantWrong(err, s, 0, eventlog.NoStream)
	_, err = e.log.Append(e.ctx, s, 7, events("x.v1", 2))
	e.wantWrong(err, s, 7, eventlog.NoStream)
	e.append(s, eventlog.NoStream, evs...)
	for _, expected := range []int64{eventlog.NoStream, 0, 2, 99} {
		_, err := e.log.Append(e.ctx, s, expected, events("x.v1", 1))
		e.wantWrong(err, s, expected, 1)
	}
	e.wantRecords(e.read(eventlog.Query{Stream: s}), s, 0, evs)
}

func appendBatch(e *env) {
	s, first, second := e.stream("order-1"), events("order.made.v1", 5), events("order.paid.v1", 4)
	if got := e.append(s, eventlog.NoStream, first...); got.Revision != 4 {
		e.Errorf("first batch of 5: revision %d", got.Revision)
	}
	_, err := e.log.Append(e.ctx, s, 3, second)
	e.wantWrong(err, s, 3, 4)
	got := e.append(s, 4, second...)
	records := e.read(eventlog.Query{Stream: s})
	e.wantRecords(records, s, 0, append(append([]eventlog.Event{}, first...), second...))
	e.wantGrowing(records)
	if tip := records[len(records)-1]; got.Revision != tip.Revision || got.Position != tip.Position {
		e.Errorf("batch answered %+v, its last record is at revision %d, position %d", got, tip.Revision, tip.Position)
	}
}

func appendBytes(e *env) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	s, odd := e.stream("bytes-1"), event("bytes.v1", "")
	evs := []eventlog.Event{event("bytes.v1", string(all)), odd, event("bytes.v1", "\x00\x00'\"; --")}
	evs[1].Meta = nil
	e.append(s, eventlog.NoStream, evs...)
	e.wantRecords(e.read(eventlog.Query{Stream: s}), s, 0, evs)
}

func appendNames(e *env) {
	for _, name := range []string{"a-1", "A-1", "a-10", "a-1:x", "a%-1", "a_-1", "ä-1"} {
		s, evs := e.stream(name), events("kind."+name, 1)
		e.append(s, eventlog.NoStream, evs...)
		e.wantRecords(e.read(eventlog.Query{Stream: s}), s, 0, evs)
	}
}

// appendRace lets many writers fight for each revision of one stream: exactly
// one may win it, and the losers must be told so.
func appendRace(e *env) {
	const writers, rounds = 8, 12
	s := e.stream("hot-1")
	for round := range int64(rounds) {
		won := make(chan eventlog.Event, writers)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				ev := event("hot.v1", fmt.Sprintf("round %d writer %d", round, w))
				_, err := e.log.Append(e.ctx, s, round-1, []eventlog.Event{ev})
				var wrong *eventlog.WrongRevision
				if err == nil {
					won <- ev
				} else if !errors.As(err, &wrong) {
					e.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		close(won)
		if len(won) != 1 {
			e.Fatalf("round %d had %d winners", round, len(won))
		}
		e.wantRecords(e.read(eventlog.Query{Stream: s, From: round}), s, round, []eventlog.Event{<-won})
	}
}

func appendMany(e *env) {
	const streams, each = 24, 5
	var wg sync.WaitGroup
	sent := make([][]eventlog.Event, streams)
	for i := range streams {
		sent[i] = events("many.v1", each)
		wg.Go(func() {
			for j, ev := range sent[i] {
				if _, err := e.log.Append(e.ctx, e.stream(fmt.Sprint("many-", i)), int64(j)-1, []eventlog.Event{ev}); err != nil {
					e.Errorf("stream %d event %d: %v", i, j, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for i := range streams {
		s := e.stream(fmt.Sprint("many-", i))
		e.wantRecords(e.read(eventlog.Query{Stream: s}), s, 0, sent[i])
	}
	all := e.read(e.mine())
	e.wantGrowing(all)
	if len(all) != streams*each {
		e.Errorf("the whole log has %d records of this test, want %d", len(all), streams*each)
	}
}
