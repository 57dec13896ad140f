package commands

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// denied lists the denials that the log has, and how many attempts they are.
func (w *world) denied() (list []journal.Denied, attempts int) {
	w.t.Helper()
	for r, err := range w.s.log.ReadStream(context.Background(), ledger.AccessStream("acme", w.s.now()), ledger.NoTail()) {
		w.must(err)
		_, data, err := ledger.UnwrapFact(r.Payload)
		w.must(err)
		e, err := journal.Decode(r.Type, data)
		w.must(err)
		if d, ok := e.(journal.Denied); ok {
			list, attempts = append(list, d), attempts+d.Count
		}
	}
	return list, attempts
}

func (w *world) tries(actor domain.Actor, path string) error {
	c := w.s.NewCall("acme", actor, "tk_1", "GET", path, "", nil)
	return w.s.Denied(context.Background(), c, journal.Denied{Method: "GET", Path: path, Code: "permission_denied", Permission: domain.MemberRead})
}

// The first attempt is in the log when it is answered, and a flood of repeats
// is one more record that says how many.
func TestDenialsAreSummedUp(t *testing.T) {
	w := newWorld(t, ledgertest.Engine(t))
	w.must(w.tries(w.agent, "/members"))
	if list, n := w.denied(); len(list) != 1 || n != 1 {
		t.Fatalf("after the first attempt the log has %v", list)
	}
	for range 5000 {
		w.must(w.tries(w.agent, "/members"))
	}
	w.must(w.tries(w.agent, "/roles"))
	w.must(w.tries(w.supervisor, "/members"))
	w.must(w.s.denials.flush(context.Background()))
	list, n := w.denied()
	counts := []int{}
	for _, d := range list {
		counts = append(counts, d.Count)
	}
	if !slices.Equal(counts, []int{1, 1, 1, 5000}) || n != 5003 {
		t.Errorf("the log has %v, %d attempts", list, n)
	}
	w.must(w.s.denials.flush(context.Background()))
	if again, _ := w.denied(); len(again) != len(list) {
		t.Errorf("nothing happened, and %d records more were written", len(again)-len(list))
	}
}

// An actor that tries everything writes no more than so many records, and no
// attempt is missing from their counts.
func TestDenialsOfManyKinds(t *testing.T) {
	w := newWorld(t, ledgertest.Engine(t))
	for i := range 1000 {
		w.must(w.tries(w.agent, fmt.Sprint("/path/", i)))
	}
	w.must(w.tries(w.supervisor, "/members")) // is told apart all the same
	w.must(w.s.denials.flush(context.Background()))
	list, n := w.denied()
	several := 0
	for _, d := range list {
		if d.Code == severalKinds && d.Path == anything && d.Method == anything {
			several += d.Count
		}
	}
	if n != 1001 || several != 1000-mostKinds || len(list) != mostKinds+1+2 {
		t.Errorf("%d records of %d attempts, %d of them summed up", len(list), n, several)
	}
}

// What can't be written stays counted, and a stop writes what is counted.
func TestDenialsOutliveATroubledLog(t *testing.T) {
	down := false
	log := eventlogtest.NewFaulty(ledgertest.Engine(t), func(int, string) eventlogtest.Fault {
		if down {
			return eventlogtest.Before
		}
		return eventlogtest.None
	})
	w := newWorld(t, log)
	down = true
	if err := w.tries(w.agent, "/members"); err == nil {
		t.Fatal("a log that can't be written took a record")
	}
	for range 9 {
		w.must(w.tries(w.agent, "/members"))
	}
	if err := w.s.denials.flush(context.Background()); err == nil {
		t.Fatal("a flush wrote to a log that can't be written")
	}
	down = false
	s := w.s
	w.restart()
	w.must(s.denials.flush(context.Background())) // what Close does last
	if list, n := w.denied(); n != 10 || len(list) != 1 {
		t.Errorf("the log has %v", list)
	}
}

// However many actors flood, what is written is bounded, and all is counted.
func TestDenialsOfManyActors(t *testing.T) {
	w := newWorld(t, ledgertest.Engine(t))
	d := w.s.denials
	attempts := 0
	for i := range 2*mostSums + 500 {
		for range 2 {
			d.count(denialKind{"acme", domain.AgentActor(domain.AgentID(fmt.Sprint("ag_", i))), "tk", journal.Denied{Path: "/p"}})
			attempts++
		}
	}
	counted := 0
	for _, n := range d.sums {
		counted += 1 + n
	}
	if len(d.sums) != 2*mostSums+1 || counted != attempts {
		t.Errorf("%d kinds with %d attempts of %d", len(d.sums), counted, attempts)
	}
	d.mu.Lock()
	clear(d.sums) // nothing of it is to be written
	d.mu.Unlock()
}
