package sqlite

import (
	"slices"

	"github.com/clawoffice/ledger/projections/search"
)

// selection is the rows of a chunk that meet the conditions so far.
type selection struct {
	keep  []bool
	n     int // how many
	rows  []int
	spots []int64
}

// all begins with all of n rows.
func (s *selection) all(n int) {
	if cap(s.keep) < n {
		s.keep = make([]bool, n)
	}
	s.keep, s.n = s.keep[:n], n
	for i := range s.keep {
		s.keep[i] = true
	}
}

// list answers the rows that are left, in order.
func (s *selection) list() []int {
	s.rows = s.rows[:0]
	if s.n > 0 {
		for i, ok := range s.keep {
			if ok {
				s.rows = append(s.rows, i)
			}
		}
	}
	return s.rows
}

func (s *selection) none() {
	clear(s.keep)
	s.n = 0
}

// where drops the rows for which it is not so.
func (s *selection) where(so func(i int) bool) {
	for i, ok := range s.keep {
		if ok && !so(i) {
			s.keep[i] = false
			s.n--
		}
	}
}

// meet drops the rows that do not meet a condition.
func (s *selection) meet(v *view, c search.Condition) error {
	want := true
	if not, ok := c.(search.Not); ok {
		want, c = false, not.Condition
	}
	switch c := c.(type) {
	case search.In:
		return s.meetText(v, c, want)
	case search.Compare:
		return s.meetNumber(v, c, want)
	case search.During:
		return s.meetTime(v, c, want)
	}
	return nil // conditions on tags are met elsewhere
}

// meetText asks once for each different text.
func (s *selection) meetText(v *view, c search.In, want bool) error {
	t, err := v.field(c.Field)
	if err != nil {
		return err
	}
	fits, n := make([]bool, len(t.words)), 0
	for i, word := range t.words {
		if fits[i] = slices.ContainsFunc(c.Any, func(p search.Pattern) bool { return p.Matches(word) }) == want; fits[i] {
			n++
		}
	}
	switch n {
	case 0:
		s.none()
	case len(fits):
	default:
		s.where(func(i int) bool { return fits[t.index[i]] })
	}
	return nil
}

func (s *selection) meetNumber(v *view, c search.Compare, want bool) error {
	of := columnPosition
	switch c.Measure {
	case search.Severity:
		of = columnSeverity
	case search.PromptTokens, search.Tokens:
		of = columnPrompt
	case search.OutputTokens:
		of = columnOutput
	case search.Cost:
		of = columnCost
	}
	numbers, err := v.numbersOf(of)
	if err != nil {
		return err
	}
	if c.Measure != search.Tokens {
		s.where(func(i int) bool { return c.Op.Holds(numbers[i], c.Value) == want })
		return nil
	}
	output, err := v.numbersOf(columnOutput)
	if err != nil {
		return err
	}
	s.where(func(i int) bool { return c.Op.Holds(numbers[i]+output[i], c.Value) == want })
	return nil
}

func (s *selection) meetTime(v *view, c search.During, want bool) error {
	from, until := micros(c)
	if v.early >= from && v.late < until { // all of them are
		if !want {
			s.none()
		}
		return nil
	}
	times, err := v.numbersOf(columnTime)
	if err != nil {
		return err
	}
	s.where(func(i int) bool { return (times[i] >= from && times[i] < until) == want })
	return nil
}

// tagged drops the rows that are not among the hits, or those that are.
func (s *selection) tagged(v *view, h *hits, want bool) (err error) {
	if s.spots, err = h.within(v.chunk, s.spots[:0]); err != nil {
		return err
	}
	if len(s.spots) == 0 {
		if want {
			s.none()
		}
		return nil
	}
	positions, err := v.numbersOf(columnPosition)
	if err != nil {
		return err
	}
	if h.newest {
		slices.Reverse(s.spots)
	}
	next := 0
	s.where(func(i int) bool {
		for next < len(s.spots) && s.spots[next] < positions[i] {
			next++
		}
		return (next < len(s.spots) && s.spots[next] == positions[i]) == want
	})
	return nil
}
