package searchtest

import (
	"time"

	"github.com/clawoffice/ledger/projections/search"
)

func removeChecks() []check {
	return []check{
		{"erasure takes a subject's words and nothing else", erasure},
		{"retention takes old rows of a class and nothing else", retention},
		{"a wrong removal is refused", wrongRemovals},
		{"any sequence of inserts and removals", randomLife},
	}
}

func erasure(e *env) {
	m := newMaker(40)
	b := m.batch(600)
	e.insert(b)
	words := func(n int) search.Query {
		return search.Query{Workspace: "acme", Where: []search.Condition{search.Tagged{All: []search.Tag{tagOf(n)}}}}
	}
	before := len(all(e, e.ctx, e.Engine, words(5)))
	e.remove(search.Erasure{Workspace: "acme", Subject: "subject-a"})
	if after := len(all(e, e.ctx, e.Engine, words(5))); after >= before || after == 0 {
		e.Errorf("a word is found %d times, %d before", after, before)
	}
	everyWord(e)
	e.insert(b) // a late repeat brings nothing back
	everyWord(e)
	e.remove(search.Erasure{Workspace: "acme", Subject: "subject-a"})
	everyWord(e)
	e.insert(m.batch(200)) // what comes after is new
	everyWord(e)
	e.remove(search.Erasure{Workspace: "acme", Subject: "subject-b"})
	e.remove(search.Erasure{Workspace: "acme", Subject: "nobody"})
	everyWord(e)
	e.agreeOnAll()
}

// everyWord compares what the words find, with and without.
func everyWord(e *env) {
	e.Helper()
	for n := range tagCount {
		for _, ws := range workspaces() {
			tagged := search.Tagged{All: []search.Tag{tagOf(n)}}
			for _, c := range []search.Condition{tagged, search.Not{Condition: tagged}} {
				q := search.Query{Workspace: ws, Where: []search.Condition{c}}
				e.agreeFind(e, q)
				e.agreeCount(e, q, search.Grouping{})
			}
		}
	}
}

func retention(e *env) {
	m := newMaker(41)
	b := m.batch(900)
	e.insert(b)
	before := b.Rows[450].Time.Add(time.Nanosecond)
	for _, r := range []search.Retention{{Workspace: "acme", Class: "content", Before: before}, {Workspace: "acme", Class: "content", Before: before},
		{Workspace: "beta", Class: "", Before: before}, {Workspace: "nobody", Class: "content", Before: before}} {
		e.remove(r)
		e.agreeOnAll()
	}
	e.insert(b)
	everyWord(e)
	e.remove(search.Retention{Workspace: "acme", Class: "content", Before: noon().AddDate(1, 0, 0)})
	e.remove(search.Retention{Workspace: "acme", Class: "access", Before: noon().AddDate(1, 0, 0)})
	e.remove(search.Retention{Workspace: "acme", Class: "", Before: noon().AddDate(1, 0, 0)})
	e.agreeOnAll()
	if rows := all(e, e.ctx, e.Engine, search.Query{Workspace: "acme"}); len(rows) > 0 {
		e.Errorf("%d rows are left", len(rows))
	}
	e.wantPosition(b.To)
	e.insert(m.batch(50))
	everyWord(e)
	e.agreeOnAll()
}

func wrongRemovals(e *env) {
	e.insert(newMaker(42).batch(30))
	for name, r := range map[string]search.Removal{
		"nothing":                      nil,
		"erasure of no subject":        search.Erasure{Workspace: "acme"},
		"erasure in no workspace":      search.Erasure{Subject: "subject-a"},
		"retention in no workspace":    search.Retention{Class: "content", Before: noon()},
		"retention since the big bang": search.Retention{Workspace: "acme", Class: "content"},
	} {
		e.wantError(e.Remove(e.ctx, r), search.ErrRemoval, name)
	}
	e.agreeOnAll()
}

// randomLife does a few things in any order, and compares after each.
func randomLife(e *env) {
	for seed := range uint64(12) {
		m, fresh := newMaker(100+seed), newEnv(e.T, e.opener)
		for range 1 + m.IntN(12) {
			switch m.IntN(4) {
			case 0:
				fresh.remove(search.Erasure{Workspace: one(m, workspaces()), Subject: members[1+m.IntN(2)]})
			case 1:
				before := noon().Add(time.Duration(m.IntN(int(m.at)*12+1)) * time.Second)
				fresh.remove(search.Retention{Workspace: one(m, workspaces()), Class: one(m, classes), Before: before})
			default:
				fresh.insert(m.batch(m.IntN(300)))
			}
			fresh.agree(e, search.Query{Workspace: one(m, workspaces()), Order: search.Order(m.IntN(2)), Limit: 50, Where: []search.Condition{m.condition()}})
		}
		fresh.agreeOnAll()
	}
}
