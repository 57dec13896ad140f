package search

import (
	"fmt"
	"slices"
	"time"
)

// Grouping says how to count: the zero one counts everything together.
type Grouping struct {
	// By asks for facets: the most frequent texts of each field, in the order
	// of By, each field's most frequent first and equals in order of their
	// text. Rows that a field does not apply to are in none of its groups.
	By []Field
	// Top is how many texts of each field; 0 is 10, at most [MaxTop].
	Top int
	// Every asks for a histogram instead: rows in spans of this width, which
	// begin at multiples of it since 1970 in UTC, in order of time and without
	// those that hold nothing. Whole seconds.
	Every time.Duration
}

// MaxTop is the most texts a facet lists.
const MaxTop = 200

// MaxSpans is the most groups of a histogram; a query that needs more is
// [ErrQuery].
const MaxSpans = 5000

// Group is a number of rows that have something in common.
type Group struct {
	Field Field     // of a facet
	Text  string    // of a facet
	From  time.Time // beginning of a histogram's span
	Rows  int64
}

// Valid answers [ErrQuery] for a grouping that no engine answers.
func (g Grouping) Valid() error {
	switch {
	case g.Top < 0 || g.Top > MaxTop:
		return fmt.Errorf("%w: a facet lists 1 to %d texts", ErrQuery, MaxTop)
	case g.Every < 0 || g.Every%time.Second != 0:
		return fmt.Errorf("%w: a span of a histogram is of whole seconds", ErrQuery)
	case g.Every != 0 && len(g.By) > 0:
		return fmt.Errorf("%w: facets and a histogram are two questions", ErrQuery)
	}
	for i, f := range g.By {
		if !slices.Contains(Fields(), f) {
			return fmt.Errorf("%w: there is no field %q", ErrQuery, f)
		}
		if slices.Contains(g.By[:i], f) {
			return fmt.Errorf("%w: the field %q is asked for twice", ErrQuery, f)
		}
	}
	return nil
}

// TopSize is the number of texts of each field that holds for a grouping.
func (g Grouping) TopSize() int {
	if g.Top == 0 {
		return 10
	}
	return g.Top
}

// Span answers a width for a histogram of this much time that makes at most the
// given number of groups (2 or more), wherever the time begins: one of those
// that people read easily, or whole weeks where those are too short.
func Span(d time.Duration, groups int) time.Duration {
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	whole := time.Duration(max(groups, 2) - 1) // one more holds what begins and ends between
	for _, every := range []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute,
		time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, week} {
		if d <= every*whole {
			return every
		}
	}
	return (d/(week*whole) + 1) * week
}
