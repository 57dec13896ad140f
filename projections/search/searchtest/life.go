package searchtest

import (
	"context"
	"errors"
	"sync"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/projections/search"
)

func lifeChecks() []check {
	return []check{
		{"an ended context ends every call", endedContext},
		{"an index opened anew is as it was", reopened},
		{"everything at once", together},
	}
}

func endedContext(e *env) {
	m := newMaker(50)
	e.insert(m.batch(100))
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	q := search.Query{Workspace: "acme"}
	at := m.at
	_, position := e.Position(ctx)
	_, find := e.Find(ctx, q)
	_, count := e.Count(ctx, q, search.Grouping{})
	for name, err := range map[string]error{"Insert": e.Insert(ctx, m.batch(10)), "Position": position, "Find": find, "Count": count,
		"Remove": e.Remove(ctx, search.Erasure{Workspace: "acme", Subject: "subject-a"})} {
		e.wantError(err, context.Canceled, name)
	}
	e.wantPosition(at)
	e.agreeOnAll()
}

func reopened(e *env) {
	m := newMaker(51)
	for range 4 {
		e.insert(m.batch(150))
		e.remove(search.Erasure{Workspace: "acme", Subject: "subject-a"})
		e.Engine = e.open()
		e.wantPosition(m.at)
		e.agreeOnAll()
	}
	e.remove(search.Retention{Workspace: "acme", Class: "content", Before: noon().AddDate(1, 0, 0)})
	e.Engine = e.open()
	everyWord(e)
}

// together inserts, twice over, asks and removes at the same time. What is
// removed is nothing that the other workspaces, which are compared, have.
func together(e *env) {
	m := newMaker(52)
	var batches []search.Batch
	for range 30 {
		batches = append(batches, m.batch(40))
	}
	var wg sync.WaitGroup
	problems := make(chan error, 100)
	report := func(err error) {
		if err != nil && !errors.Is(err, search.ErrGap) {
			select {
			case problems <- err:
			default:
			}
		}
	}
	for range 2 {
		wg.Go(func() {
			for _, b := range batches {
				report(e.Insert(e.ctx, b))
			}
		})
	}
	for _, ws := range []domain.WorkspaceID{"acme", "beta"} {
		wg.Go(func() {
			q := search.Query{Workspace: ws, Where: []search.Condition{search.Tagged{All: []search.Tag{tagOf(5)}}}}
			for range 60 {
				page, err := e.Find(e.ctx, q)
				report(err)
				for i, r := range page.Rows {
					if r.Workspace != ws || i > 0 && r.Position >= page.Rows[i-1].Position {
						report(errors.New("a page is out of order, or of another workspace"))
					}
				}
				_, err = e.Count(e.ctx, q, search.Grouping{By: search.Fields()})
				report(err)
			}
		})
	}
	wg.Go(func() {
		for range 10 {
			report(e.Remove(e.ctx, search.Erasure{Workspace: "umbrella-2", Subject: "subject-a"}))
			report(e.Remove(e.ctx, search.Retention{Workspace: "umbrella-2", Class: "content", Before: noon()}))
		}
	})
	wg.Wait()
	close(problems)
	for err := range problems {
		e.Error(err)
	}
	for _, b := range batches {
		if err := e.naive.Insert(e.ctx, b); err != nil {
			e.Fatal(err)
		}
	}
	e.wantPosition(m.at)
	for _, ws := range []domain.WorkspaceID{"acme", "beta"} {
		e.agree(e, search.Query{Workspace: ws, Limit: 100})
	}
}
