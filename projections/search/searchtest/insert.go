package searchtest

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

func insertChecks() []check {
	return []check{
		{"an empty index stands at 0 and finds nothing", emptyIndex},
		{"rows come back as they were", roundTrip},
		{"batches repeated, cut differently and late change nothing", repeats},
		{"a batch after a gap is refused", gaps},
		{"a batch without rows moves the index on", noRows},
		{"a wrong batch is refused and changes nothing", wrongBatches},
		{"an interrupted insert is whole or nothing", interrupted},
	}
}

func emptyIndex(e *env) {
	e.wantPosition(0)
	e.agreeOnAll()
	e.remove(search.Erasure{Workspace: "acme", Subject: "subject-a"})
	e.remove(search.Retention{Workspace: "acme", Class: "content", Before: noon()})
	e.wantPosition(0)
}

func roundTrip(e *env) {
	m := newMaker(1)
	b := m.batch(60)
	b.Rows[3] = search.Row{Workspace: "acme", Position: b.Rows[3].Position, Time: time.UnixMicro(0).UTC()}
	b.Rows[4].Time = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	b.Rows[5].Correlation = strings.Repeat("long", search.MaxText/4)
	b.Rows[6].Stream = "line\nfeed \x00 zero, quote ' and \" and \xff no UTF-8"
	b.Rows[7].Severity, b.Rows[7].Cost = math.MaxUint8, math.MinInt64
	b.Rows[8].Time = b.Rows[8].Time.In(time.FixedZone("elsewhere", 3600))
	e.insert(b)
	for _, want := range b.Rows {
		q := search.Query{Workspace: want.Workspace, Where: []search.Condition{search.Compare{Measure: search.Position, Op: search.Equal, Value: int64(want.Position)}}}
		want.Tags, want.Time = nil, want.Time.UTC()
		if diff := cmp.Diff([]search.Row{want}, all(e, e.ctx, e.Engine, q)); diff != "" {
			e.Errorf("the row at %d (-want +got):\n%s", want.Position, diff)
		}
	}
}

func repeats(e *env) {
	m := newMaker(2)
	first, second, third := m.batch(70), m.batch(50), m.batch(90)
	e.insert(first)
	e.insert(first)
	e.insert(second)
	e.insert(first)
	e.insert(third)
	e.insert(second)
	across := search.Batch{From: first.Rows[30].Position, To: third.To, Rows: append(append(append([]search.Row{}, first.Rows[31:]...), second.Rows...), third.Rows...)}
	e.insert(across)
	e.wantPosition(third.To)
	fourth := m.batch(40)
	beyond := search.Batch{From: second.From, To: fourth.To, Rows: append(append(append([]search.Row{}, second.Rows...), third.Rows...), fourth.Rows...)}
	e.insert(beyond)
	e.insert(fourth)
	e.wantPosition(fourth.To)
	if n := len(e.naive.rows); n != 250 {
		e.Fatalf("the naive index has %d rows", n)
	}
	e.agreeOnAll()
}

func gaps(e *env) {
	m := newMaker(3)
	first, second, third := m.batch(20), m.batch(20), m.batch(20)
	e.wantError(e.Insert(e.ctx, second), search.ErrGap, "inserting the second batch first")
	e.insert(first)
	e.wantError(e.Insert(e.ctx, third), search.ErrGap, "inserting the third batch after the first")
	e.wantPosition(first.To)
	e.agreeOnAll()
	e.insert(second)
	e.insert(third)
	e.agreeOnAll()
}

func noRows(e *env) {
	m := newMaker(4)
	e.insert(m.batch(20))
	e.insert(search.Batch{From: m.at, To: m.at + 1000})
	e.wantPosition(m.at + 1000)
	e.insert(search.Batch{From: m.at + 1000, To: m.at + 1000})
	m.at += 1000
	e.insert(m.batch(20))
	e.wantPosition(m.at)
	e.agreeOnAll()
}

func wrongBatches(e *env) {
	m := newMaker(5)
	e.insert(m.batch(10))
	at := m.at
	for name, spoil := range map[string]func(b *search.Batch){
		"no workspace":           func(b *search.Batch) { b.Rows[3].Workspace = "" },
		"out of order":           func(b *search.Batch) { b.Rows[3].Position = b.Rows[2].Position },
		"a row before the batch": func(b *search.Batch) { b.Rows[0].Position = b.From },
		"a row after the batch":  func(b *search.Batch) { b.To = b.Rows[9].Position - 1 },
		"backwards":              func(b *search.Batch) { b.From, b.To, b.Rows = 5, 4, nil },
		"too far":                func(b *search.Batch) { b.To = math.MaxUint64 },
		"no time":                func(b *search.Batch) { b.Rows[3].Time = time.Time{} },
		"a long text": func(b *search.Batch) {
			b.Rows[3].Model = "m" + "odel"
			b.Rows[3].Stream = strings.Repeat("x", search.MaxText+1)
		},
		"too many tags": func(b *search.Batch) { b.Rows[3].Tags = make([]search.Tag, search.MaxTags+1) },
	} {
		b := (&maker{Rand: newMaker(6).Rand, at: at}).batch(10)
		spoil(&b)
		e.wantError(e.Insert(e.ctx, b), search.ErrBatch, name)
	}
	e.wantPosition(at)
	e.agreeOnAll()
}

// interrupted cuts inserts off at any moment, and goes on from where the index
// says that it stands, as a projector does that was killed.
func interrupted(e *env) {
	m := newMaker(7)
	var rows []search.Row
	for range 30 {
		rows = append(rows, m.batch(40).Rows...)
	}
	cut, patience := 0, 50*time.Microsecond // which grows until an insert is through, however slow the engine
	for at := eventlog.Position(0); at < m.at; {
		n := 1 + m.IntN(80)
		b := search.Batch{From: at, To: m.at}
		for _, r := range rows {
			if r.Position > at && len(b.Rows) < n {
				b.Rows = append(b.Rows, r)
			}
		}
		if last := b.Rows[len(b.Rows)-1].Position; last < rows[len(rows)-1].Position {
			b.To = last
		}
		ctx, cancel := context.WithTimeout(e.ctx, patience/2+time.Duration(m.Int64N(int64(patience))))
		err := e.Insert(ctx, b)
		cancel()
		stands, lost := e.Position(e.ctx)
		switch {
		case lost != nil:
			e.Fatal(lost)
		case err == nil && stands != b.To, stands != at && stands != b.To:
			e.Fatalf("after a batch from %d to %d (%v) the index stands at %d", b.From, b.To, err, stands)
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			e.Fatalf("an insert that was cut off answers %v", err)
		case stands == at:
			patience *= 2
			cut++
		default:
			patience = max(patience/4, 50*time.Microsecond)
		}
		at = stands
	}
	e.Logf("%d inserts were cut off", cut)
	if err := e.naive.Insert(e.ctx, search.Batch{To: m.at, Rows: rows}); err != nil {
		e.Fatal(err)
	}
	e.agreeOnAll()
}
