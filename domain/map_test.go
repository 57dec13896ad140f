package domain_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain"
)

type numbers = domain.Map[string, int]

// contents reads a Map by every way there is, and demands that they agree.
func contents(t *rapid.T, m numbers) map[string]int {
	seen := maps.Collect(m.All())
	keys := m.Keys()
	if !slices.IsSorted(keys) || len(keys) != m.Len() || len(seen) != m.Len() {
		t.Fatalf("%d entries, iterated %d, keys %v", m.Len(), len(seen), keys)
	}
	for _, k := range keys {
		if v, ok := m.Get(k); !ok || v != seen[k] || !m.Has(k) {
			t.Fatalf("at %q: got %d, %v; iterated %d", k, v, ok, seen[k])
		}
	}
	least, value, ok := m.Min()
	if ok != (len(keys) > 0) || ok && (least != keys[0] || value != seen[least]) {
		t.Fatalf("Min answers %q, %d, %v of %v", least, value, ok, keys)
	}
	return seen
}

// A Map does what a map does, and every older Map stays as it was.
func TestMapIsAMapAndKeepsItsPast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringOfN(rapid.RuneFrom([]rune("abcé\"<\u2028")), 0, 3, -1)
		var m numbers
		model := map[string]int{}
		var past []numbers
		var models []map[string]int
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			past, models = append(past, m), append(models, maps.Clone(model))
			k := key.Draw(t, "key")
			if rapid.Bool().Draw(t, "set") {
				v := rapid.Int().Draw(t, "value")
				m, model[k] = m.Set(k, v), v
			} else {
				m = m.Delete(k)
				delete(model, k)
			}
			if diff := cmp.Diff(model, contents(t, m)); diff != "" {
				t.Fatalf("contents (-want +got):\n%s", diff)
			}
		}
		for i := range past {
			if diff := cmp.Diff(models[i], contents(t, past[i])); diff != "" {
				t.Fatalf("the map of step %d changed (-was +is):\n%s", i, diff)
			}
		}
	})
}

func TestMapThroughJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := rapid.MapOf(rapid.String(), rapid.Int()).Draw(t, "entries")
		var m numbers
		for k, v := range model {
			m = m.Set(k, v)
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(model)
		if err != nil {
			t.Fatal(err)
		}
		if string(data) != string(want) {
			t.Fatalf("marshalled\n%s; a map gives\n%s", data, want)
		}
		var back numbers
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		contents(t, back)
		if !m.Equal(back) || back.Len() != m.Len() {
			t.Fatalf("read back %v", back.Keys())
		}
		if other := back.Set("a key that is new, surely", 1); m.Equal(other) {
			t.Fatal("equal to a map with another entry")
		}
	})
}

func TestMapRefusesOtherJSON(t *testing.T) {
	for _, text := range []string{`[]`, `{"a":"b"}`, `{`, `1`} {
		var m numbers
		if err := json.Unmarshal([]byte(text), &m); err == nil {
			t.Errorf("%s was read as a map", text)
		}
	}
}

func TestMapStopsWhenAsked(t *testing.T) {
	var m numbers
	for i := range 100 {
		m = m.Set(fmt.Sprintf("%03d", i), i)
	}
	var seen []string
	for k := range m.All() {
		if seen = append(seen, k); len(seen) == 3 {
			break
		}
	}
	if diff := cmp.Diff([]string{"000", "001", "002"}, seen); diff != "" {
		t.Fatalf("iterated (-want +got):\n%s", diff)
	}
}

// Changing a large Map shares nearly all of it: a path, not a copy.
func TestMapChangesAreCheap(t *testing.T) {
	var m numbers
	for i := range 10_000 {
		m = m.Set(fmt.Sprint(i), i) // keys come in the worst order for a plain tree
	}
	for name, change := range map[string]func(){
		"Set":    func() { m.Set("5000", 1) },
		"Delete": func() { m.Delete("5000") },
	} {
		if n := testing.AllocsPerRun(10, change); n > 64 {
			t.Errorf("%s allocates %v times in a map of %d", name, n, m.Len())
		}
	}
	if n := testing.AllocsPerRun(10, func() { m.Get("5000"); m.Has("none"); m.Delete("none") }); n > 0 {
		t.Errorf("reading allocates %v times", n)
	}
}
