package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clawoffice/ledger/projections/search"
)

// Error says where a query is none, and what would be one. Its text holds
// names of fields and never values, which may be content.
type Error struct {
	Param  string // the parameter it is in; "" for a query as it is typed
	Offset int    // bytes from the beginning of the query, or of the parameter's value
	Want   string // what was expected there
	Hint   string // a field that may be meant; "" if none comes near
}

func (e *Error) Error() string {
	where := ""
	if e.Param != "" {
		where = fmt.Sprintf(" of the parameter %q", e.Param)
	}
	hint := ""
	if e.Hint != "" {
		hint = fmt.Sprintf("; did you mean %q?", e.Hint)
	}
	return fmt.Sprintf("at byte %d%s: expected %s%s", e.Offset, where, e.Want, hint)
}

// Unwrap makes it a [search.ErrQuery].
func (e *Error) Unwrap() error { return search.ErrQuery }

// Names lists everything that may stand before a colon or relation.
func Names() []string {
	names := []string{"text", "after", "before"}
	for _, f := range search.Fields() {
		names = append(names, string(f))
	}
	for _, m := range search.Measures() {
		names = append(names, string(m))
	}
	return names
}

// nearest is the name that is fewest changes from what was typed, if those are
// few.
func nearest(typed string) string {
	best, least := "", 3
	if len(typed) < 4 {
		least = 2
	}
	for _, name := range Names() {
		if d := distance(strings.ToLower(typed), name); d < least {
			best, least = name, d
		}
		if len(typed) > 2 && strings.HasPrefix(name, strings.ToLower(typed)) {
			return name
		}
	}
	return best
}

// distance is how many letters must be left out, put in, replaced or swapped
// with their neighbour.
func distance(a, b string) int {
	if len(a) > 32 {
		return len(a)
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := last[j]
			if a[i] != b[j] {
				cost++
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				cost = min(cost, before[j-1]+1)
			}
			row[j+1] = min(cost, last[j+1]+1, row[j]+1)
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func isField(name string) bool   { return slices.Contains(search.Fields(), search.Field(name)) }
func isMeasure(name string) bool { return slices.Contains(search.Measures(), search.Measure(name)) }
