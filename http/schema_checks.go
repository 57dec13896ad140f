package http

import (
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// emptyObject is the check of an operation that takes no body: nothing, or {}.
func emptyObject(s *scan) { (&object{}).check(s) }

func freeObject(s *scan) {
	if s.d.PeekKind() != '{' {
		s.wrongType("a JSON object")
		return
	}
	free(s)
}

// wrongType skips the value and says what it should be.
func (s *scan) wrongType(want string) {
	before := len(s.errs)
	free(s)
	if s.syntax == nil {
		s.errs = s.errs[:before]
		s.fail("This must be %s.", want)
	}
}

func (o object) check(s *scan) {
	if s.d.PeekKind() != '{' {
		s.wrongType("a JSON object")
		return
	}
	if !s.token() {
		return
	}
	seen, count := uint64(0), 0
	for s.more('}') {
		count++
		seen |= o.member(s)
	}
	if s.syntax == nil {
		o.whole(s, seen, count)
	}
}

// member consumes one name and its value, and answers the field's bit.
func (o object) member(s *scan) uint64 {
	name, ok := s.value()
	if !ok {
		return 0
	}
	text := s.unquoted(name)
	f, known := o.fields[string(text)]
	switch {
	case known:
		f.check(s)
		return f.bit
	case o.extra == nil:
		s.fail("This field is not known here.")
		before := len(s.errs)
		free(s)
		if s.syntax == nil {
			s.errs = s.errs[:before]
		}
	case o.keyPattern != nil && !o.keyPattern(text):
		s.fail("This name is not allowed as a key.")
		free(s)
	default:
		o.extra(s)
	}
	return 0
}

// whole checks what only shows once the object has ended.
func (o object) whole(s *scan, seen uint64, count int) {
	at := string(s.d.StackPointer())
	chosen := 0
	for _, f := range o.required {
		given := seen&f.bit != 0
		if contains(o.exactlyOne, f.name) {
			if given {
				chosen++
			}
			continue
		}
		if !given {
			s.failAt(at+"/"+f.name, "This field is required.")
		}
	}
	if len(o.exactlyOne) > 0 && chosen != 1 {
		s.failAt(at, "Give exactly one of %s.", strings.Join(o.exactlyOne, ", "))
	}
	if count < o.minimum {
		s.failAt(at, "This object needs at least %d field(s).", o.minimum)
	}
	if o.maximum > 0 && count > o.maximum {
		s.failAt(at, "This object may have at most %d fields.", o.maximum)
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func checkArray(s *scan, item check, least, most int) {
	if s.d.PeekKind() != '[' {
		s.wrongType("a JSON array")
		return
	}
	if !s.token() {
		return
	}
	n := 0
	for ; s.more(']'); n++ {
		item(s)
	}
	switch {
	case s.syntax != nil:
	case n < least:
		s.fail("This array needs at least %d item(s).", least)
	case most >= 0 && n > most:
		s.fail("This array may have at most %d items.", most)
	}
}

func boolean(schema *openapi3.Schema) check {
	onlyTrue := len(schema.Enum) == 1 && schema.Enum[0] == true
	return func(s *scan) {
		kind := s.d.PeekKind()
		if kind != 't' && kind != 'f' {
			s.wrongType("true or false")
			return
		}
		if _, ok := s.value(); ok && onlyTrue && kind == 'f' {
			s.fail("This may only be true; leave it out otherwise.")
		}
	}
}

func (c *compiler) integer(schema *openapi3.Schema) check {
	bounds := integerBounds(schema)
	return func(s *scan) {
		if s.d.PeekKind() != '0' {
			s.wrongType("a whole number")
			return
		}
		v, ok := s.value()
		if !ok {
			return
		}
		if !exactNumber(v) {
			s.fail("A float64 can't carry this number exactly. Send a smaller one.")
			return
		}
		if wrong := bounds(v); wrong != "" {
			s.fail("%s", wrong)
		}
	}
}

// integerBounds checks the text of a number against the schema's limits.
func integerBounds(schema *openapi3.Schema) func([]byte) string {
	least, most := int64(-1<<53), int64(1<<53)
	if schema.Min != nil {
		least = int64(*schema.Min)
	}
	if schema.Max != nil {
		most = int64(*schema.Max)
	}
	return func(text []byte) string {
		n, err := strconv.ParseInt(string(text), 10, 64)
		switch {
		case err != nil:
			return "This must be a whole number, written without fraction or exponent."
		case n < least || n > most:
			return "This must be between " + strconv.FormatInt(least, 10) + " and " + strconv.FormatInt(most, 10) + "."
		}
		return ""
	}
}
