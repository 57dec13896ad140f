package searchtest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

func countChecks() []check {
	return []check{
		{"totals, facets and histograms", countsByHand},
		{"a grouping that is none is refused", wrongGroupings},
		{"a histogram has bounds", largeHistogram},
	}
}

func countsByHand(e *env) {
	b := search.Batch{To: 6, Rows: few()}
	for i := range b.Rows {
		b.Rows[i].Workspace, b.Rows[i].Position = "acme", eventlog.Position(1+i)
	}
	b.Rows[5].Model = "gpt-4o-mini"
	e.insert(b)
	at := func(minutes int) time.Time { return noon().Add(time.Duration(minutes) * time.Minute) }
	for name, c := range map[string]struct {
		g     search.Grouping
		where []search.Condition
		want  []search.Group
	}{
		"everything": {want: []search.Group{{Rows: 6}}},
		"nothing":    {where: []search.Condition{is(search.Model, "none")}, want: []search.Group{{}}},
		"facets, the most frequent first, then by text, without what does not apply": {g: search.Grouping{By: []search.Field{search.Kind, search.Model}},
			want: []search.Group{{Field: "kind", Text: "agent", Rows: 2}, {Field: "kind", Text: "member", Rows: 1}, {Field: "kind", Text: "operator", Rows: 1},
				{Field: "model", Text: "gpt-4o-mini", Rows: 2}, {Field: "model", Text: "gpt-4o", Rows: 1}}},
		"facets cut off": {g: search.Grouping{By: []search.Field{search.Model, search.Kind}, Top: 1},
			want: []search.Group{{Field: "model", Text: "gpt-4o-mini", Rows: 2}, {Field: "kind", Text: "agent", Rows: 2}}},
		"facets of few": {g: search.Grouping{By: []search.Field{search.Model}}, where: []search.Condition{is(search.Model, "gpt-4o")},
			want: []search.Group{{Field: "model", Text: "gpt-4o", Rows: 1}}},
		"histogram, without what is empty": {g: search.Grouping{Every: 2 * time.Minute},
			want: []search.Group{{From: at(0), Rows: 2}, {From: at(2), Rows: 1}, {From: at(4), Rows: 3}}},
		"histogram of words": {g: search.Grouping{Every: time.Minute}, where: []search.Condition{search.Tagged{All: []search.Tag{tagOf(6)}}},
			want: []search.Group{{From: at(3), Rows: 1}, {From: at(5), Rows: 1}}},
		"a span of hours begins with them in UTC": {g: search.Grouping{Every: 24 * time.Hour}, want: []search.Group{{From: noon().Truncate(24 * time.Hour), Rows: 6}}},
	} {
		// Order, cursor and limit mean nothing for a count.
		q := search.Query{Workspace: "acme", Where: c.where, Limit: 1, Order: search.NewestFirst, Cursor: "nonsense"}
		got, err := e.Count(e.ctx, q, c.g)
		if diff := cmp.Diff(c.want, got, compared()); err != nil || diff != "" {
			e.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		e.agreeCount(e, search.Query{Workspace: "acme", Where: c.where}, c.g)
	}
}

func wrongGroupings(e *env) {
	e.insert(newMaker(30).batch(10))
	for name, g := range map[string]search.Grouping{
		"no such field":     {By: []search.Field{"colour"}},
		"a field twice":     {By: []search.Field{search.Model, search.Kind, search.Model}},
		"negative top":      {By: []search.Field{search.Model}, Top: -1},
		"large top":         {By: []search.Field{search.Model}, Top: search.MaxTop + 1},
		"parts of a second": {Every: 1500 * time.Millisecond},
		"negative span":     {Every: -time.Hour},
		"two questions":     {By: []search.Field{search.Model}, Every: time.Hour},
	} {
		groups, err := e.Count(e.ctx, search.Query{Workspace: "acme"}, g)
		e.wantError(err, search.ErrQuery, name)
		if len(groups) > 0 {
			e.Errorf("%s is counted: %v", name, groups)
		}
	}
}

func largeHistogram(e *env) {
	b := search.Batch{To: search.MaxSpans + 1}
	for i := range search.MaxSpans + 1 {
		b.Rows = append(b.Rows, search.Row{Workspace: "acme", Position: eventlog.Position(1 + i), Time: noon().Add(time.Duration(i) * time.Second), Model: domain.Model("m")})
	}
	e.insert(b)
	q := search.Query{Workspace: "acme"}
	_, err := e.Count(e.ctx, q, search.Grouping{Every: time.Second})
	e.wantError(err, search.ErrQuery, "a histogram of too many spans")
	q.Where = []search.Condition{search.Compare{Measure: search.Position, Op: search.More, Value: 1}}
	groups, err := e.Count(e.ctx, q, search.Grouping{Every: time.Second})
	if err != nil || len(groups) != search.MaxSpans {
		e.Errorf("a histogram of just as many as allowed has %d: %v", len(groups), err)
	}
	every := search.Span(time.Duration(len(b.Rows))*time.Second, 100)
	e.agreeCount(e, search.Query{Workspace: "acme"}, search.Grouping{Every: every})
}
