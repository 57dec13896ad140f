package eventlogtest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/clawoffice/ledger/internal/eventlog"
)

func readChecks() []check {
	return []check{
		{"a stream is read from anywhere, both ways, with a limit", readStream},
		{"what does not exist reads as nothing", readNothing},
		{"the whole log is read in order, both ways, exclusive of After", readWhole},
		{"the whole log is filtered by stream and type", readFiltered},
		{"limits count what filters let through", readLimited},
		{"a long stream and a long log are read to the end", readLong},
		{"a reader may stop early, and append while it reads", readAndAppend},
		{"a cancelled read ends with the context's error", readCancelled},
	}
}

func readStream(e *env) {
	s := e.stream("order-1")
	e.append(s, eventlog.NoStream, events("a.v1", 6)...)
	e.append(e.stream("order-2"), eventlog.NoStream, events("a.v1", 2)...)
	all := e.read(eventlog.Query{Stream: s})
	if len(all) != 6 {
		e.Fatalf("the stream has %d records, want 6", len(all))
	}
	back := reversed(all)
	rows := []struct {
		name string
		q    eventlog.Query
		want []eventlog.Recorded
	}{
		{"from the middle", eventlog.Query{From: 3}, all[3:]},
		{"from the last", eventlog.Query{From: 5}, all[5:]},
		{"from beyond the end", eventlog.Query{From: 6}, nil},
		{"limit", eventlog.Query{Limit: 2}, all[:2]},
		{"from and limit", eventlog.Query{From: 1, Limit: 3}, all[1:4]},
		{"limit beyond the end", eventlog.Query{From: 4, Limit: 100}, all[4:]},
		{"backwards from the newest", eventlog.Query{From: -1, Backwards: true}, back},
		{"backwards, the newest one", eventlog.Query{From: -1, Backwards: true, Limit: 1}, back[:1]},
		{"backwards from the middle", eventlog.Query{From: 2, Backwards: true}, back[3:]},
		{"backwards from the first", eventlog.Query{From: 0, Backwards: true}, back[5:]},
		{"backwards from the middle, limit", eventlog.Query{From: 4, Backwards: true, Limit: 2}, back[1:3]},
	}
	for _, row := range rows {
		row.q.Stream = s
		e.same(e.read(row.q), row.want, row.name)
	}
}

func readNothing(e *env) {
	s := e.stream("none-1")
	e.same(e.read(eventlog.Query{Stream: s}), nil, "no such stream")
	e.same(e.read(eventlog.Query{Stream: s, From: 5}), nil, "no such stream, from 5")
	e.same(e.read(eventlog.Query{Stream: s, From: -1, Backwards: true}), nil, "no such stream, backwards")
	e.same(e.read(e.mine()), nil, "whole log, no such prefix")
	got := e.append(s, eventlog.NoStream, events("a.v1", 1)...)
	q := e.mine()
	q.After = got.Position
	e.same(e.read(q), nil, "whole log after the newest record")
}

// fill writes records of two families of streams and two of types, in turn.
func (e *env) fill(rounds int) []eventlog.Recorded {
	e.Helper()
	for i := range rounds {
		for _, family := range []string{"red", "green"} {
			batch := []eventlog.Event{event("paint.mixed.v1", "m"), event("paint.dried.v2", "d"), event("note.v1", "n")}
			e.append(e.stream(fmt.Sprintf("%s-%d", family, i)), eventlog.NoStream, batch...)
		}
	}
	all := e.read(e.mine())
	if len(all) != rounds*6 {
		e.Fatalf("the whole log shows %d records of this test, want %d", len(all), rounds*6)
	}
	return all
}

func readWhole(e *env) {
	all := e.fill(4)
	e.wantGrowing(all)
	for _, r := range all {
		e.wantStamped(r)
	}
	for _, i := range []int{0, 7, len(all) - 2, len(all) - 1} {
		q := e.mine()
		q.After = all[i].Position
		e.same(e.read(q), all[i+1:], fmt.Sprintf("after record %d", i))
		q.Backwards = true
		q.Limit = i // older records than this test's may follow
		if i > 0 {
			e.same(e.read(q), reversed(all[:i]), fmt.Sprintf("backwards before record %d", i))
		}
	}
	q := e.mine()
	q.After, q.Backwards = 0, true
	e.same(e.read(q), reversed(all), "backwards from the end")
}

func readFiltered(e *env) {
	all := e.fill(5)
	rows := []struct {
		name    string
		streams []string
		types   []string
	}{
		{"one stream prefix", []string{"red-"}, nil},
		{"one whole stream name", []string{"green-3"}, nil},
		{"several stream prefixes", []string{"red-1", "green-2", "nothing-"}, nil},
		{"one type prefix", nil, []string{"paint."}},
		{"several type prefixes", nil, []string{"paint.dried.", "note.v1"}},
		{"stream and type", []string{"green-"}, []string{"paint.mixed.v1"}},
		{"overlapping prefixes yield a record once", []string{"red", "red-1"}, []string{"paint", "paint.d"}},
		{"nothing by stream", []string{"blue-"}, []string{"paint."}},
		{"nothing by type", []string{"red-"}, []string{"stone."}},
		{"case matters", nil, []string{"PAINT."}},
		{"wildcards of databases are plain bytes", []string{"%", "r_d-", "*"}, nil},
	}
	for _, row := range rows {
		q := e.mine()
		if row.streams != nil {
			q.StreamPrefixes = nil
			for _, p := range row.streams {
				q.StreamPrefixes = append(q.StreamPrefixes, e.stream(p))
			}
		}
		q.TypePrefixes = row.types
		var want []eventlog.Recorded
		for _, r := range all {
			if matches(r.Stream, q.StreamPrefixes) && matches(r.Type, q.TypePrefixes) {
				want = append(want, r)
			}
		}
		e.same(e.read(q), want, row.name)
		q.Backwards, q.After = true, 0
		e.same(e.read(q), reversed(want), row.name+", backwards")
	}
}

func matches(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return len(prefixes) == 0
}

func readLimited(e *env) {
	all := e.fill(3)
	q := e.mine()
	q.TypePrefixes = []string{"note."}
	want := []eventlog.Recorded{all[2], all[5], all[8], all[11], all[14], all[17]}
	for _, limit := range []int{1, 4, 6, 100} {
		q.Limit = limit
		e.same(e.read(q), want[:min(limit, len(want))], fmt.Sprintf("limit %d", limit))
	}
	q.Backwards, q.After, q.Limit = true, 0, 2
	e.same(e.read(q), reversed(want)[:2], "backwards, limit 2")
}

// readLong crosses the page size of any engine that reads in pages.
func readLong(e *env) {
	const batches, each = 30, 100
	s, expected := e.stream("long-1"), eventlog.NoStream
	for range batches {
		expected = e.append(s, expected, events("long.v1", each)...).Revision
	}
	all := e.read(eventlog.Query{Stream: s})
	e.wantGrowing(all)
	for i, r := range all {
		if r.Revision != int64(i) {
			e.Fatalf("record %d has revision %d", i, r.Revision)
		}
	}
	if len(all) != batches*each {
		e.Fatalf("the stream has %d records, want %d", len(all), batches*each)
	}
	e.same(e.read(e.mine()), all, "the same by position")
	e.same(e.read(eventlog.Query{Stream: s, From: -1, Backwards: true}), reversed(all), "the stream backwards")
	q := e.mine()
	q.Backwards, q.After = true, 0
	e.same(e.read(q), reversed(all), "the log backwards")
}

func readAndAppend(e *env) {
	s := e.stream("order-1")
	e.append(s, eventlog.NoStream, events("a.v1", 4)...)
	other, seen := eventlog.NoStream, 0
	for r, err := range e.log.Read(e.ctx, eventlog.Query{Stream: s}) {
		if err != nil {
			e.Fatalf("reading: %v", err)
		}
		other = e.append(e.stream("echo-1"), other, event("echo.v1", string(r.Data))).Revision
		if seen++; seen == 3 {
			break
		}
	}
	if got := e.read(eventlog.Query{Stream: e.stream("echo-1")}); len(got) != 3 {
		e.Errorf("appended %d records while reading, want 3", len(got))
	}
}

func readCancelled(e *env) {
	e.append(e.stream("order-1"), eventlog.NoStream, events("a.v1", 3)...)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	var last error
	for _, err := range e.log.Read(ctx, e.mine()) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		e.Errorf("a read under a cancelled context ended with %v", last)
	}
}
