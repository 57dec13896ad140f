package search

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Query is a question to the index, about one workspace.
type Query struct {
	Workspace domain.WorkspaceID // without it nothing is answered but [ErrQuery]
	Where     []Condition        // all of them hold; none: every row
	Order     Order
	Cursor    Cursor // of the page before; "" for the first
	Limit     int    // rows; 0 is [MaxLimit], which is also the most
}

// MaxLimit is the most rows of a page.
const MaxLimit = 1000

// MaxConditions is the most conditions of a query, and the most patterns or
// tags of one condition.
const MaxConditions = 64

// Order is that of a page.
type Order int

// The orders, by position in the log.
const (
	NewestFirst Order = iota
	OldestFirst
)

// Page is a part of what a query finds.
type Page struct {
	Rows []Row  // without their tags
	Next Cursor // of the page after; "" at the end
}

// Condition is one of [In], [Compare], [During], [Tagged] and [Not].
//
//sumtype:decl
type Condition interface{ condition() }

// In holds where the field's text matches one of the patterns. What a field
// does not apply to has the text "".
type In struct {
	Field Field
	Any   []Pattern
}

// Pattern matches a text that is equal to it, or one that begins with it.
type Pattern struct {
	Text   string
	Prefix bool
}

// Matches reports whether a text matches. Case matters.
func (p Pattern) Matches(text string) bool {
	if p.Prefix {
		return strings.HasPrefix(text, p.Text)
	}
	return text == p.Text
}

// Compare holds where the measure is in the given relation to Value, in the
// measure's unit.
type Compare struct {
	Measure Measure
	Op      Op
	Value   int64
}

// Op is a relation of numbers.
type Op string

// The relations.
const (
	Less    Op = "<"
	AtMost  Op = "<="
	Equal   Op = "="
	AtLeast Op = ">="
	More    Op = ">"
)

// Holds reports whether n is in the relation to value.
func (o Op) Holds(n, value int64) bool {
	switch o {
	case Less:
		return n < value
	case AtMost:
		return n <= value
	case Equal:
		return n == value
	case AtLeast:
		return n >= value
	case More:
		return n > value
	}
	return false
}

// During holds from From on and before Until; a zero time is no bound.
type During struct{ From, Until time.Time }

// Tagged holds where a row has all these tags.
type Tagged struct{ All []Tag }

// Not holds where its condition does not. It stands for no other Not.
type Not struct{ Condition Condition }

func (In) condition()      {}
func (Compare) condition() {}
func (During) condition()  {}
func (Tagged) condition()  {}
func (Not) condition()     {}

// Valid answers [ErrQuery] for a query that no engine answers.
func (q Query) Valid() error {
	switch {
	case q.Workspace == "":
		return fmt.Errorf("%w: it names no workspace", ErrQuery)
	case q.Order != NewestFirst && q.Order != OldestFirst:
		return fmt.Errorf("%w: there is no order %d", ErrQuery, q.Order)
	case q.Limit < 0 || q.Limit > MaxLimit:
		return fmt.Errorf("%w: a page has 1 to %d rows", ErrQuery, MaxLimit)
	case len(q.Where) > MaxConditions:
		return fmt.Errorf("%w: it has %d conditions, at most %d are allowed", ErrQuery, len(q.Where), MaxConditions)
	}
	for _, c := range q.Where {
		if err := validCondition(c); err != nil {
			return err
		}
	}
	return nil
}

func validCondition(c Condition) error {
	size := 1
	switch c := c.(type) {
	case Not:
		if _, twice := c.Condition.(Not); twice || c.Condition == nil {
			return fmt.Errorf("%w: a negation stands for one condition that is none itself", ErrQuery)
		}
		return validCondition(c.Condition)
	case In:
		if size = len(c.Any); !slices.Contains(Fields(), c.Field) {
			return fmt.Errorf("%w: there is no field %q", ErrQuery, c.Field)
		}
	case Compare:
		if !slices.Contains(Measures(), c.Measure) || !slices.Contains([]Op{Less, AtMost, Equal, AtLeast, More}, c.Op) {
			return fmt.Errorf("%w: there is no measure %q or no relation %q", ErrQuery, c.Measure, c.Op)
		}
	case During:
	case Tagged:
		size = len(c.All)
	default:
		return fmt.Errorf("%w: a condition is missing", ErrQuery)
	}
	if size == 0 || size > MaxConditions {
		return fmt.Errorf("%w: a condition has 1 to %d patterns or tags, not %d", ErrQuery, MaxConditions, size)
	}
	return nil
}

// PageSize is the limit that holds for a query.
func (q Query) PageSize() int {
	if q.Limit == 0 {
		return MaxLimit
	}
	return q.Limit
}
