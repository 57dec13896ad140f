package eventlogtest

import (
	"fmt"
	"sync"

	"github.com/clawoffice/ledger/internal/eventlog"
)

func idempotencyChecks() []check {
	return []check{
		{"a repeated append answers as the first one", repeatAnswers},
		{"part of a batch repeated answers for that part", repeatPart},
		{"a batch that was stored only in part by id is a conflict", repeatMixed},
		{"known ids at the right revision are stored again", repeatAtRightRevision},
		{"a repeat at another revision is a conflict", repeatElsewhere},
		{"concurrent repeats of one append store it once", repeatRace},
	}
}

func repeatAnswers(e *env) {
	s := e.stream("order-1")
	batches := [][]eventlog.Event{events("a.v1", 1), events("b.v1", 3), events("c.v1", 2)}
	var answers []eventlog.Appended
	expected := eventlog.NoStream
	for _, batch := range batches {
		got := e.append(s, expected, batch...)
		if again := e.append(s, expected, batch...); again != got {
			e.Errorf("repeat at once: %+v, the first answer was %+v", again, got)
		}
		answers = append(answers, got)
		expected = got.Revision
	}
	expected = eventlog.NoStream
	for i, batch := range batches {
		if again := e.append(s, expected, batch...); again != answers[i] {
			e.Errorf("late repeat of batch %d: %+v, the first answer was %+v", i, again, answers[i])
		}
		expected = answers[i].Revision
	}
	var all []eventlog.Event
	for _, batch := range batches {
		all = append(all, batch...)
	}
	e.wantRecords(e.read(eventlog.Query{Stream: s}), s, 0, all)
}

func repeatPart(e *env) {
	s, evs := e.stream("order-1"), events("a.v1", 3)
	e.append(s, eventlog.NoStream, evs...)
	records := e.read(eventlog.Query{Stream: s})
	for i := range evs {
		got := e.append(s, int64(i)-1, evs[i])
		if want := (eventlog.Appended{Revision: int64(i), Position: records[i].Position}); got != want {
			e.Errorf("repeat of event %d alone: %+v, want %+v", i, got, want)
		}
	}
}

func repeatMixed(e *env) {
	s, evs := e.stream("order-1"), events("a.v1", 3)
	e.append(s, eventlog.NoStream, evs...)
	other := event("a.v1", "other")
	rows := []struct {
		name  string
		batch []eventlog.Event
	}{
		{"first differs", []eventlog.Event{other, evs[1], evs[2]}},
		{"middle differs", []eventlog.Event{evs[0], other, evs[2]}},
		{"last differs", []eventlog.Event{evs[0], evs[1], other}},
		{"one more than was stored", []eventlog.Event{evs[0], evs[1], evs[2], other}},
		{"another order", []eventlog.Event{evs[1], evs[0], evs[2]}},
	}
	for _, row := range rows {
		_, err := e.log.Append(e.ctx, s, eventlog.NoStream, row.batch)
		if err == nil {
			e.Errorf("%s: accepted", row.name)
			continue
		}
		e.wantWrong(err, s, eventlog.NoStream, 2)
	}
	e.wantRecords(e.read(eventlog.Query{Stream: s}), s, 0, evs)
}

func repeatAtRightRevision(e *env) {
	s, evs := e.stream("order-1"), events("a.v1", 2)
	e.append(s, eventlog.NoStream, evs...)
	if got := e.append(s, 1, evs...); got.Revision != 3 {
		e.Errorf("same ids at the right revision: revision %d, want 3", got.Revision)
	}
	e.wantRecords(e.read(eventlog.Query{Stream: s}), s, 0, []eventlog.Event{evs[0], evs[1], evs[0], evs[1]})
	other := e.stream("order-2")
	if got := e.append(other, eventlog.NoStream, evs...); got.Revision != 1 {
		e.Errorf("same ids in another stream: revision %d, want 1", got.Revision)
	}
}

func repeatElsewhere(e *env) {
	s, evs := e.stream("order-1"), events("a.v1", 3)
	e.append(s, eventlog.NoStream, evs...)
	for _, expected := range []int64{0, 1, 3} {
		_, err := e.log.Append(e.ctx, s, expected, evs)
		e.wantWrong(err, s, expected, 2)
	}
}

func repeatRace(e *env) {
	s, batch := e.stream("order-1"), events("a.v1", 2)
	answers := make(chan eventlog.Appended, 16)
	var wg sync.WaitGroup
	for range cap(answers) {
		wg.Go(func() {
			got, err := e.log.Append(e.ctx, s, eventlog.NoStream, batch)
			if err != nil {
				e.Errorf("concurrent repeat: %v", err)
				return
			}
			answers <- got
		})
	}
	wg.Wait()
	close(answers)
	seen := map[string]bool{}
	for got := range answers {
		seen[fmt.Sprintf("%+v", got)] = true
	}
	if len(seen) != 1 {
		e.Errorf("repeats answered differently: %v", seen)
	}
	e.wantRecords(e.read(eventlog.Query{Stream: s}), s, 0, batch)
}
