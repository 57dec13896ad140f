package searchtest

import (
	"context"
	"time"

	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/searchtest/corpus"
)

// Question is one that auditors ask, of the corpus's largest workspace.
type Question struct {
	Name string
	Ask  func(ctx context.Context, e search.Engine) (answers int, err error)
}

// Questions are what engines are measured with.
func Questions() []Question {
	end := corpus.Start().Add(corpus.Days * 24 * time.Hour)
	during := func(days int) search.During { return search.During{From: end.AddDate(0, 0, -days)} }
	payments, denied := is(search.Action, "payment.*"), is(search.Outcome, "denied")
	busy, rare := is(search.Actor, corpus.Agent(3).String()), is(search.Actor, corpus.Agent(59).String())
	facets := search.Grouping{By: []search.Field{search.Action, search.Outcome, search.Model, search.Actor}}
	return []Question{
		{"newest", finding()},
		{"actor-7d", finding(busy, during(7))},
		{"actor-rare", finding(rare)},
		{"actor-absent", finding(is(search.Actor, "agent:nobody"))},
		{"denied-payments-30d", finding(payments, denied, during(30))},
		{"word-rare", finding(word(150_000))},
		{"word-mid", finding(word(5_000))},
		{"words-common", finding(word(1, 2))},
		{"word-common-rare-actor", finding(word(1), rare)},
		{"words-common-count", counting(search.Grouping{}, word(1, 2))},
		{"words-common-facets-30d", counting(facets, word(1, 2), during(30))},
		{"not-word-newest", finding(search.Not{Condition: word(0)})},
		{"correlation-absent", finding(is(search.Correlation, "nothing"))},
		{"facets-30d", counting(facets, during(30))},
		{"facets-90d", counting(facets)},
		{"facets-denied-30d", counting(facets, denied, during(30))},
		{"histogram-30d", counting(search.Grouping{Every: time.Hour}, during(30))},
		{"count-90d", counting(search.Grouping{})},
		{"page-1000", deepPage},
	}
}

// word is a condition on words of the largest workspace.
func word(n ...int) (t search.Tagged) {
	for _, n := range n {
		t.All = append(t.All, corpus.TagOf(0, n))
	}
	return t
}

func finding(where ...search.Condition) func(context.Context, search.Engine) (int, error) {
	return func(ctx context.Context, e search.Engine) (int, error) {
		p, err := e.Find(ctx, search.Query{Workspace: corpus.Largest, Where: where, Limit: 100})
		return len(p.Rows), err
	}
}

func counting(g search.Grouping, where ...search.Condition) func(context.Context, search.Engine) (int, error) {
	return func(ctx context.Context, e search.Engine) (int, error) {
		groups, err := e.Count(ctx, search.Query{Workspace: corpus.Largest, Where: where}, g)
		return len(groups), err
	}
}

// deepPage asks for 100 rows after some 99,900, by cursor.
func deepPage(ctx context.Context, e search.Engine) (int, error) {
	at, err := e.Position(ctx)
	if err != nil {
		return 0, err
	}
	q := search.Query{Workspace: corpus.Largest, Limit: 100, Cursor: search.CursorAt(search.NewestFirst, at-min(at/2, 99_900*10/4))}
	p, err := e.Find(ctx, q)
	return len(p.Rows), err
}
