package domaintest_test

import (
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/domaintest"
)

// basket is an aggregate whose every promise can be broken.
type basket struct {
	Items  []string `json:"items"`
	Hidden string   `json:"-"`
}

func (b basket) Decide(command string) ([]string, error) {
	switch command {
	case "refuse":
		return nil, domain.Refuse(domain.Conflict, "full", "the basket is full; empty it first")
	case "refuse without a word":
		return nil, domain.Refuse(domain.Conflict, "full", "")
	case "refuse with events":
		return []string{"x"}, domain.Refuse(domain.Conflict, "full", "the basket is full; empty it first")
	case "fail":
		return nil, errors.New("broken")
	case "meddle":
		b.Items[0] = "meddled"
	case "nothing":
		return nil, nil
	}
	return []string{command}, nil
}

func (b basket) Evolve(event string) basket {
	switch event {
	case "meddle later":
		b.Items[0] = "meddled"
	case "hide":
		b.Hidden = "kept out of snapshots"
	}
	b.Items = append(slices.Clip(b.Items), event)
	return b
}

// witness records whether a test failed, in place of failing.
type witness struct {
	testing.TB
	failed bool
}

func (w *witness) Helper() {}

func (w *witness) Fatalf(string, ...any) {
	w.failed = true
	runtime.Goexit()
}

func fails(check func(testing.TB)) bool {
	w := &witness{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		check(w)
	}()
	<-done
	return w.failed
}

func TestStoriesFailWhereTheyShould(t *testing.T) {
	given := domaintest.Given[basket]("apple")
	for _, row := range []struct {
		name  string
		check func(testing.TB)
		fails bool
	}{
		{"as told", func(t testing.TB) { given.When("pear").Then(t, "pear").When("fig").Accepted(t) }, false},
		{"nothing, as told", func(t testing.TB) { given.When("nothing").Then(t) }, false},
		{"refused, as told", func(t testing.TB) { given.When("refuse").Refused(t, domain.Conflict, "full") }, false},
		{"another event", func(t testing.TB) { given.When("pear").Then(t, "fig") }, true},
		{"no event", func(t testing.TB) { given.When("nothing").Then(t, "fig") }, true},
		{"an event too many", func(t testing.TB) { given.When("pear").Then(t) }, true},
		{"refused, not accepted", func(t testing.TB) { given.When("refuse").Then(t) }, true},
		{"accepted, not refused", func(t testing.TB) { given.When("pear").Refused(t, domain.Conflict, "full") }, true},
		{"another code", func(t testing.TB) { given.When("refuse").Refused(t, domain.Conflict, "empty") }, true},
		{"another kind", func(t testing.TB) { given.When("refuse").Refused(t, domain.Invalid, "full") }, true},
		{"refused without a word", func(t testing.TB) { given.When("refuse without a word").Refused(t, domain.Conflict, "full") }, true},
		{"refused with events", func(t testing.TB) { given.When("refuse with events").Refused(t, domain.Conflict, "full") }, true},
		{"an error that is no refusal", func(t testing.TB) { given.When("fail").Refused(t, domain.Conflict, "full") }, true},
		{"Decide changes the state", func(t testing.TB) { domaintest.Given[basket]("apple").When("meddle").Accepted(t) }, true},
		{"Evolve changes the older state", func(t testing.TB) { domaintest.Given[basket]("apple").When("meddle later").Accepted(t) }, true},
		{"a snapshot loses something", func(t testing.TB) { given.When("hide").Accepted(t) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := fails(row.check); got != row.fails {
				t.Fatalf("failed: %v, want %v", got, row.fails)
			}
		})
	}
}

func TestStoriesGoOn(t *testing.T) {
	s := domaintest.Given[basket]("apple").And("pear").State()
	if !slices.Equal(s.Items, []string{"apple", "pear"}) {
		t.Fatalf("got %v", s.Items)
	}
}
