package clickhouse

import (
	"slices"
	"strings"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/projections/search"
)

// reading says how superseded versions of rows are told apart: by ClickHouse, or
// afterwards.
type reading bool

const (
	final reading = true
	loose reading = false
)

// from is what every question about rows is asked of: one workspace's rows that
// count, that no removal took, and that meet the conditions. There is no other
// way to the table of rows but those of inserts and sweeps.
func (s *statement) from(how reading, ws domain.WorkspaceID, v view, where []search.Condition) string {
	table := rowTable
	if how == final {
		table += " FINAL"
	}
	terms := []string{"workspace = " + s.text(string(ws)), "position <= " + s.number(v.position)}
	for _, r := range v.expired {
		terms = append(terms, "NOT ("+s.isExpired(r)+")")
	}
	for _, c := range where {
		terms = append(terms, s.condition(c, v))
	}
	return " FROM " + table + " WHERE " + strings.Join(terms, " AND ")
}

func (s *statement) isExpired(r removed) string {
	return "class = " + s.text(r.key) + " AND time < " + s.number(r.before) + " AND stamp <= " + s.number(r.stamp)
}

func (s *statement) condition(c search.Condition, v view) string {
	switch c := c.(type) {
	case search.Not:
		return "NOT (" + s.condition(c.Condition, v) + ")"
	case search.In:
		return s.in(c)
	case search.Compare:
		return measure(c.Measure) + " " + string(c.Op) + " " + s.number(c.Value)
	case search.During:
		return s.during(c)
	case search.Tagged:
		return s.tagged(c, v.erased)
	}
	return "0"
}

// measure is the expression of a measure; queries are valid when they get here.
func measure(m search.Measure) string {
	switch m {
	case search.Tokens:
		return "(prompt + output)"
	case search.Severity, search.PromptTokens, search.OutputTokens, search.Cost, search.Position:
		return string(m)
	}
	return "0"
}

func (s *statement) in(c search.In) string {
	name := string(c.Field)
	var terms, equal []string
	for _, p := range c.Any {
		switch {
		case !p.Prefix:
			equal = append(equal, s.text(p.Text))
		case p.Text == "":
			return "1"
		default:
			terms = append(terms, "startsWith("+name+", "+s.text(p.Text)+")")
		}
	}
	if len(equal) > 0 {
		terms = append(terms, name+" IN ("+strings.Join(equal, ", ")+")")
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

func (s *statement) during(d search.During) string {
	terms := []string{"1"}
	if !d.From.IsZero() {
		terms = append(terms, "time >= "+s.number(roundUp(d.From)))
	}
	if !d.Until.IsZero() {
		terms = append(terms, "time < "+s.number(roundUp(d.Until)))
	}
	return "(" + strings.Join(terms, " AND ") + ")"
}

// tagged leaves out rows of subjects that were erased, which have no tags any
// more, whatever the files say.
func (s *statement) tagged(t search.Tagged, erased []removed) string {
	var all, subjects []string
	for _, tag := range t.All {
		all = append(all, string(tag[:]))
	}
	slices.Sort(all)
	term := "hasAll(tags, " + s.texts(slices.Compact(all)) + ")"
	if len(erased) == 0 {
		return term
	}
	var stamps []int64
	for _, r := range erased {
		subjects, stamps = append(subjects, r.key), append(stamps, r.stamp)
	}
	return "(" + term + " AND stamp > transform(subject, " + s.texts(subjects) + ", " + s.numbers(stamps) + ", toInt64(0)))"
}
