package searchtest

import (
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

func findChecks() []check {
	return []check{
		{"pages of every size hold every row once", pageSizes},
		{"pages stay whole while rows are inserted", pagesUnderInserts},
		{"pages stay whole while rows are removed", pagesUnderRemovals},
		{"a cursor that is none is refused", wrongCursors},
		{"a query that is none is refused", wrongQueries},
		{"workspaces do not see each other", isolation},
	}
}

func pageSizes(e *env) {
	m := newMaker(10)
	e.insert(m.batch(120))
	e.insert(m.batch(180))
	for _, order := range []search.Order{search.NewestFirst, search.OldestFirst} {
		for _, limit := range []int{0, 1, 2, 99, 100, 101, 199, 200, 201, search.MaxLimit} {
			q := search.Query{Workspace: "acme", Order: order, Limit: limit}
			e.agreeFind(e, q)
		}
	}
	// A page that ends with the last row has no next one.
	q := search.Query{Workspace: "acme"}
	q.Limit = len(all(e, e.ctx, e.naive, q))
	if page, err := e.Find(e.ctx, q); err != nil || page.Next != "" || len(page.Rows) != q.Limit {
		e.Errorf("a page of all %d rows has %d, next %q (%v)", q.Limit, len(page.Rows), page.Next, err)
	}
}

// positions of rows, for comparison.
func positions(rows []search.Row) (list []eventlog.Position) {
	for _, r := range rows {
		list = append(list, r.Position)
	}
	return list
}

func pagesUnderInserts(e *env) {
	m := newMaker(11)
	e.insert(m.batch(400))
	newest := search.Query{Workspace: "acme", Limit: 11}
	oldest := newest
	oldest.Order = search.OldestFirst
	was := positions(all(e, e.ctx, e.naive, newest))
	var wg sync.WaitGroup
	var inserted error
	wg.Go(func() {
		for range 40 {
			b := m.batch(25)
			if inserted = e.Insert(e.ctx, b); inserted != nil {
				return
			}
			if inserted = e.naive.Insert(e.ctx, b); inserted != nil {
				return
			}
		}
	})
	backwards := positions(all(e, e.ctx, e.Engine, newest))
	forwards := positions(all(e, e.ctx, e.Engine, oldest))
	wg.Wait()
	if inserted != nil {
		e.Fatal(inserted)
	}
	if skip := len(backwards) - len(was); skip < 0 || cmp.Diff(was, backwards[skip:]) != "" {
		e.Errorf("newest first, %d rows do not end with the %d there were before", len(backwards), len(was))
	}
	now := positions(all(e, e.ctx, e.naive, oldest))
	if len(forwards) < len(was) || len(forwards) > len(now) || cmp.Diff(now[:len(forwards)], forwards) != "" {
		e.Errorf("oldest first, %d rows are not the first ones of %d", len(forwards), len(now))
	}
	e.agreeOnAll()
}

func pagesUnderRemovals(e *env) {
	m := newMaker(12)
	e.insert(m.batch(400))
	for _, order := range []search.Order{search.NewestFirst, search.OldestFirst} {
		q := search.Query{Workspace: "acme", Order: order, Limit: 20}
		page, err := e.Find(e.ctx, q)
		if err != nil {
			e.Fatal(err)
		}
		e.remove(search.Retention{Workspace: "acme", Class: classes[1+int(order)], Before: noon().AddDate(1, 0, 0)})
		q.Cursor = page.Next // the row it stands for may be gone
		e.agreeFind(e, q)
	}
}

func wrongCursors(e *env) {
	m := newMaker(13)
	e.insert(m.batch(20))
	other := search.CursorAt(search.OldestFirst, 5)
	for _, cursor := range []search.Cursor{"x", "!!!", " ", "bg", "bjA", "bi0x", "bjBx", other, other[:len(other)-1], search.CursorAt(search.NewestFirst, 5) + "A",
		search.CursorAt(search.NewestFirst, 1<<63), search.Cursor(strings.Repeat("b", 10_000))} {
		_, err := e.Find(e.ctx, search.Query{Workspace: "acme", Cursor: cursor})
		e.wantError(err, search.ErrCursor, "the cursor "+string(cursor[:min(len(cursor), 30)]))
	}
	if _, err := e.Find(e.ctx, search.Query{Workspace: "acme", Order: search.OldestFirst, Cursor: other}); err != nil {
		e.Errorf("a good cursor: %v", err)
	}
}

func wrongQueries(e *env) {
	m := newMaker(14)
	e.insert(m.batch(20))
	many := make([]search.Condition, search.MaxConditions+1)
	for i := range many {
		many[i] = search.Compare{Measure: search.Cost, Op: search.More}
	}
	in := search.In{Field: search.Model, Any: []search.Pattern{{Text: "gpt", Prefix: true}}}
	for name, q := range map[string]search.Query{
		"no workspace":     {},
		"no such order":    {Workspace: "acme", Order: 2},
		"negative limit":   {Workspace: "acme", Limit: -1},
		"large limit":      {Workspace: "acme", Limit: search.MaxLimit + 1},
		"many conditions":  {Workspace: "acme", Where: many},
		"nil condition":    {Workspace: "acme", Where: []search.Condition{nil}},
		"no such field":    {Workspace: "acme", Where: []search.Condition{search.In{Field: "colour", Any: in.Any}}},
		"no pattern":       {Workspace: "acme", Where: []search.Condition{search.In{Field: search.Model}}},
		"many patterns":    {Workspace: "acme", Where: []search.Condition{search.In{Field: search.Model, Any: make([]search.Pattern, search.MaxConditions+1)}}},
		"no such measure":  {Workspace: "acme", Where: []search.Condition{search.Compare{Measure: "weight", Op: search.More}}},
		"no such relation": {Workspace: "acme", Where: []search.Condition{search.Compare{Measure: search.Cost, Op: "!="}}},
		"no tags":          {Workspace: "acme", Where: []search.Condition{search.Tagged{}}},
		"many tags":        {Workspace: "acme", Where: []search.Condition{search.Tagged{All: make([]search.Tag, search.MaxConditions+1)}}},
		"no to no":         {Workspace: "acme", Where: []search.Condition{search.Not{Condition: search.Not{Condition: in}}}},
		"no to nothing":    {Workspace: "acme", Where: []search.Condition{search.Not{}}},
		"no to a bad one":  {Workspace: "acme", Where: []search.Condition{search.Not{Condition: search.Tagged{}}}},
	} {
		page, err := e.Find(e.ctx, q)
		e.wantError(err, search.ErrQuery, "finding: "+name)
		if len(page.Rows) > 0 {
			e.Errorf("%s is answered with %d rows", name, len(page.Rows))
		}
		if q.Limit != 0 || q.Order != 0 {
			continue // Count has no use for these
		}
		groups, err := e.Count(e.ctx, q, search.Grouping{})
		e.wantError(err, search.ErrQuery, "counting: "+name)
		if len(groups) > 0 {
			e.Errorf("%s is counted: %v", name, groups)
		}
	}
}

// isolation gives two workspaces rows that are the same but for their words.
func isolation(e *env) {
	m := newMaker(15)
	b := m.batch(100)
	for i := range b.Rows {
		r := b.Rows[i/2*2]
		b.Rows[i] = r
		b.Rows[i].Position = b.From + eventlog.Position(1+i)
		b.Rows[i].Workspace = workspaces()[i%2]
		b.Rows[i].Tags = []search.Tag{tagOf(1), tagOf(5 + i%2)}
	}
	e.insert(b)
	for i, ws := range workspaces() {
		for name, where := range map[string]search.Condition{
			"everything":           search.During{},
			"a word of both":       search.Tagged{All: []search.Tag{tagOf(1)}},
			"a word of its own":    search.Tagged{All: []search.Tag{tagOf(5 + i)}},
			"a word of the others": search.Tagged{All: []search.Tag{tagOf(6 - i)}},
		} {
			want := 50
			if i == 2 || name == "a word of the others" {
				want = 0
			}
			q := search.Query{Workspace: ws, Where: []search.Condition{where}}
			rows := all(e, e.ctx, e.Engine, q)
			for _, r := range rows {
				if r.Workspace != ws {
					e.Errorf("%s sees a row of %s", ws, r.Workspace)
				}
			}
			groups, err := e.Count(e.ctx, q, search.Grouping{})
			if err != nil || len(rows) != want || len(groups) != 1 || groups[0].Rows != int64(want) {
				e.Errorf("%s finds %d rows and counts %v (%v) for %s, want %d", ws, len(rows), groups, err, name, want)
			}
		}
	}
}
