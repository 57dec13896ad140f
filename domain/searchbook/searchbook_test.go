package searchbook_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/domaintest"
	"github.com/clawoffice/ledger/domain/searchbook"
)

var (
	at  = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	ada = domain.MemberActor("mb_ada")
	bob = domain.MemberActor("mb_bob")
)

func saved(id domain.SearchID, by domain.Actor) searchbook.Saved {
	return searchbook.Saved{Search: id, Name: "denied", Query: "outcome:denied", By: by, At: at}
}

func save(id domain.SearchID, by domain.Actor) searchbook.Save {
	return searchbook.Save{Search: id, Name: " denied ", Query: "outcome:denied", By: by, At: at}
}

func many(n int, by domain.Actor) (events []searchbook.Event) {
	for i := range n {
		events = append(events, saved(domain.SearchID(fmt.Sprint("ss_", i)), by))
	}
	return events
}

func version(n int) *int { return &n }

func TestDecide(t *testing.T) {
	retention := searchbook.RetentionSet{Version: 1, Days: map[string]int{"content": 90}, By: ada, At: at}
	for _, row := range []struct {
		name    string
		given   []searchbook.Event
		when    searchbook.Command
		then    []searchbook.Event
		kind    domain.Kind
		refused string
	}{
		{name: "a search is saved, its name trimmed", when: save("ss_1", ada), then: []searchbook.Event{saved("ss_1", ada)}},
		{name: "saving it again changes nothing", given: many(2, ada), when: save("ss_1", ada)},
		{name: "no name", when: searchbook.Save{Search: "ss_1", Name: "  ", By: ada}, kind: domain.Invalid, refused: "invalid_name"},
		{name: "a long name", when: searchbook.Save{Search: "ss_1", Name: strings.Repeat("n", 201), By: ada}, kind: domain.Invalid, refused: "invalid_name"},
		{name: "a name that is no UTF-8", when: searchbook.Save{Search: "ss_1", Name: "\xff", By: ada}, kind: domain.Invalid, refused: "invalid_name"},
		{name: "a long query", when: searchbook.Save{Search: "ss_1", Name: "n", Query: strings.Repeat("q", 4097), By: ada}, kind: domain.Invalid, refused: "query_invalid"},
		{name: "one too many", given: many(searchbook.MaxOfMember, ada), when: save("ss_new", ada), kind: domain.Conflict, refused: "too_many_searches"},
		{name: "others' do not count", given: many(searchbook.MaxOfMember, bob), when: save("ss_new", ada), then: []searchbook.Event{saved("ss_new", ada)}},
		{name: "deleted by who saved it", given: many(1, ada), when: searchbook.Delete{Search: "ss_0", By: ada, At: at},
			then: []searchbook.Event{searchbook.Deleted{Search: "ss_0", By: ada, At: at}}},
		{name: "not by another", given: many(1, ada), when: searchbook.Delete{Search: "ss_0", By: bob}, kind: domain.Forbidden, refused: "not_owner"},
		{name: "not what is not there", when: searchbook.Delete{Search: "ss_0", By: bob}, kind: domain.NotFound, refused: "not_found"},

		{name: "a retention", when: searchbook.SetRetention{Days: map[string]int{"content": 90}, By: ada, At: at}, then: []searchbook.Event{retention}},
		{name: "the same again", given: []searchbook.Event{retention}, when: searchbook.SetRetention{Days: map[string]int{"content": 90}, By: bob, At: at}},
		{name: "another, of the version that stands", given: []searchbook.Event{retention}, when: searchbook.SetRetention{IfVersion: version(1), By: ada, At: at},
			then: []searchbook.Event{searchbook.RetentionSet{Version: 2, By: ada, At: at}}},
		{name: "another version", given: []searchbook.Event{retention}, when: searchbook.SetRetention{IfVersion: version(2), By: ada}, kind: domain.Stale, refused: "version_mismatch"},
		{name: "no such class", when: searchbook.SetRetention{Days: map[string]int{"everything": 9}}, kind: domain.Invalid, refused: "invalid_retention"},
		{name: "no time", when: searchbook.SetRetention{Days: map[string]int{"content": 0}}, kind: domain.Invalid, refused: "invalid_retention"},
		{name: "for ever", when: searchbook.SetRetention{Days: map[string]int{"content": 36_501}}, kind: domain.Invalid, refused: "invalid_retention"},
	} {
		t.Run(row.name, func(t *testing.T) {
			story := domaintest.Given[searchbook.State](row.given...).When(row.when)
			if row.refused != "" {
				story.Refused(t, row.kind, row.refused)
				return
			}
			story.Then(t, row.then...)
		})
	}
}

func TestSavedBy(t *testing.T) {
	state := domain.Fold[searchbook.State, searchbook.Command, searchbook.Event](searchbook.State{}, append(many(3, ada), saved("ss_9", bob),
		searchbook.Deleted{Search: "ss_1", By: ada})...)
	var ids []domain.SearchID
	for _, s := range state.SavedBy(ada) {
		ids = append(ids, s.Search)
	}
	if diff := cmp.Diff([]domain.SearchID{"ss_0", "ss_2"}, ids); diff != "" {
		t.Errorf("saved by Ada (-want +got):\n%s", diff)
	}
}

// TestEvolveCopies holds that a state is not changed by what follows it.
func TestEvolveCopies(t *testing.T) {
	days := map[string]int{"content": 90}
	before := searchbook.State{}.Evolve(searchbook.RetentionSet{Version: 1, Days: days})
	days["content"] = 1
	_ = before.Evolve(searchbook.RetentionSet{Version: 2, Days: map[string]int{"budget": 2}})
	if before.Days["content"] != 90 || before.Version != 1 {
		t.Errorf("the state before is now %+v", before)
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range []searchbook.Event{saved("ss_1", ada), searchbook.Deleted{Search: "ss_1"}, searchbook.RetentionSet{Version: 1, Days: map[string]int{"a": 1}}} {
		data, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.EventType(), data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		e, err := searchbook.Decode(name, data)
		if err == nil && e.EventType() != name {
			t.Fatalf("%s was read as %s", name, e.EventType())
		}
		if err == nil {
			_ = searchbook.State{}.Evolve(e)
		}
	})
}

func TestUnknownEvent(t *testing.T) {
	if _, err := searchbook.Decode("search.saved.v0", nil); !errors.Is(err, searchbook.ErrUnknownEvent) {
		t.Errorf("unknown name answered %v", err)
	}
}
