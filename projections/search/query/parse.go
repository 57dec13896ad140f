package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clawoffice/ledger/projections/search"
)

// Parse reads a query. An error is an [*Error].
func Parse(text string) (Query, error) {
	if len(text) > MaxLength {
		return Query{}, &Error{Offset: MaxLength, Want: fmt.Sprintf("the end: a query has at most %d bytes", MaxLength)}
	}
	p := &parser{text: text}
	var q Query
	for p.space(); p.at < len(p.text); p.space() {
		if len(q.Terms) == MaxTerms {
			return Query{}, p.want(p.at, "the end: a query has at most %d terms", MaxTerms)
		}
		term, err := p.term()
		if err != nil {
			return Query{}, err
		}
		q.Terms = append(q.Terms, term)
		if p.at < len(p.text) && !p.spaced() {
			return Query{}, p.want(p.at, "a space before the next term")
		}
	}
	if len(q.String()) > MaxLength { // or it could not be read again
		return Query{}, p.want(len(text), "a shorter query: with every quote it has more than %d bytes", MaxLength)
	}
	return q, nil
}

// parser is a place in a query.
type parser struct {
	text string
	at   int
}

func (p *parser) want(at int, format string, args ...any) *Error {
	return &Error{Offset: at, Want: fmt.Sprintf(format, args...)}
}

// spaced reports whether a space is next.
func (p *parser) spaced() bool {
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return p.at < len(p.text) && unicode.IsSpace(r)
}

func (p *parser) space() {
	for p.spaced() {
		_, size := utf8.DecodeRuneInString(p.text[p.at:])
		p.at += size
	}
}

// take takes what is next if it is this.
func (p *parser) take(s string) bool {
	if !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *parser) term() (t Term, err error) {
	t.Not = p.take("-")
	begin := p.at
	name, op := p.name()
	if op == "" { // words alone
		p.at = begin
		t.Is, err = p.phrase("a field, a word or a text in quotes")
		return t, err
	}
	switch {
	case isMeasure(name):
		t.Is, err = p.number(search.Measure(name), op)
	case isField(name), name == "text", name == "after", name == "before":
		if op != ":" {
			return t, p.want(begin+len(name), "a colon: %q is not compared", name)
		}
		t.Is, err = p.valued(name)
	default:
		e := p.want(begin, "a field of the search, or quotes around words that hold a colon or relation")
		e.Hint = nearest(name)
		return t, e
	}
	return t, err
}

// name reads a name and the colon or relation after it; op is "" if that is not
// what is next.
func (p *parser) name() (name, op string) {
	begin := p.at
	for p.at < len(p.text) && (p.text[p.at] >= 'a' && p.text[p.at] <= 'z' || p.text[p.at] >= 'A' && p.text[p.at] <= 'Z' || p.text[p.at] == '_') {
		p.at++
	}
	if name = p.text[begin:p.at]; name == "" {
		return "", ""
	}
	for _, op := range []string{":", "<=", ">=", "<", ">", "="} {
		if p.take(op) {
			return name, op
		}
	}
	return name, ""
}

// valued reads what comes after a colon.
func (p *parser) valued(name string) (Condition, error) {
	switch name {
	case "text":
		return p.phrase("words after text:, in quotes if they are several")
	case "after", "before":
		begin := p.at
		moment, ok := readMoment(p.word())
		if !ok {
			return nil, p.want(begin, "a time such as 2026-11-01, 2026-11-01T10:30, or 7d for seven days ago")
		}
		return Bound{name == "before", moment}, nil
	}
	m := Match{Field: search.Field(name)}
	for {
		if len(m.Any) == MaxValues {
			return nil, p.want(p.at, "at most %d values of a field", MaxValues)
		}
		pattern, err := p.pattern(name)
		if err != nil {
			return nil, err
		}
		if m.Any = append(m.Any, pattern); !p.take(",") {
			return m, nil
		}
	}
}

// phrase reads a word, or words in quotes.
func (p *parser) phrase(want string) (Condition, error) {
	begin := p.at
	text, err := p.value(`"`, want)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "" {
		return nil, p.want(begin, "%s", want)
	}
	return Text{text}, nil
}

// pattern reads a value and the star that may follow it.
func (p *parser) pattern(name string) (pattern search.Pattern, err error) {
	if p.take("*") {
		return search.Pattern{Prefix: true}, p.noStar()
	}
	if pattern.Text, err = p.value(`",*`, "a value after "+name+": (in quotes if it is empty or has spaces)"); err != nil {
		return pattern, err
	}
	if pattern.Prefix = p.take("*"); pattern.Prefix {
		err = p.noStar()
	}
	return pattern, err
}

// noStar refuses what would follow a star but an end or a comma.
func (p *parser) noStar() error {
	if p.at < len(p.text) && !p.spaced() && p.text[p.at] != ',' {
		return p.want(p.at, "the end of the value after *: a star stands at its end")
	}
	return nil
}

// value reads a value, in quotes or up to a space or one of the signs.
func (p *parser) value(signs, want string) (string, error) {
	if p.take(`"`) {
		return p.quoted()
	}
	begin := p.at
	for p.at < len(p.text) && !p.spaced() && !strings.ContainsRune(signs, rune(p.text[p.at])) {
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		if r == utf8.RuneError && size == 1 || unicode.IsControl(r) {
			return "", p.want(p.at, "text in UTF-8 without control characters")
		}
		p.at += size
	}
	switch {
	case p.at == begin:
		return "", p.want(begin, "%s", want)
	case p.at-begin > MaxValue:
		return "", p.want(begin, "a value of at most %d bytes", MaxValue)
	}
	return p.text[begin:p.at], nil
}

// quoted reads the rest of a value in quotes.
func (p *parser) quoted() (string, error) {
	var b strings.Builder
	for begin := p.at - 1; p.at < len(p.text); {
		if p.take(`"`) {
			if b.Len() > MaxValue {
				return "", p.want(begin, "a value of at most %d bytes", MaxValue)
			}
			return b.String(), nil
		}
		if p.take(`\`) && (p.at == len(p.text) || p.text[p.at] != '"' && p.text[p.at] != '\\') {
			return "", p.want(p.at, `\" or \\ after a backslash in quotes`)
		}
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		if r == utf8.RuneError && size == 1 || unicode.IsControl(r) {
			return "", p.want(p.at, "text in UTF-8 without control characters")
		}
		b.WriteRune(r)
		p.at += size
	}
	return "", p.want(p.at, `a " at the end of the quoted text`)
}

// word reads up to a space.
func (p *parser) word() string {
	begin := p.at
	for p.at < len(p.text) && !p.spaced() {
		_, size := utf8.DecodeRuneInString(p.text[p.at:])
		p.at += size
	}
	return p.text[begin:p.at]
}

func (p *parser) number(m search.Measure, op string) (Condition, error) {
	n := Number{Measure: m, Op: search.Op(op)}
	if op == ":" {
		n.Op = search.Equal
		for _, more := range []search.Op{search.AtMost, search.AtLeast, search.Less, search.More, search.Equal} {
			if p.take(string(more)) {
				n.Op = more
				break
			}
		}
	}
	begin := p.at
	value, ok := readNumber(m, p.word())
	if !ok {
		return nil, p.want(begin, "%s", numberWanted(m))
	}
	n.Value = value
	return n, nil
}
