package query

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clawoffice/ledger/projections/search"
)

// FromParams reads the same terms from plain parameters: each name is a
// field's, measure's, after, before or text, with a - before it where it must
// not hold, and each of its values is a term. Values stand as they are, without
// quotes: commas part alternatives of a field, a star at the end of one makes it
// a beginning, and a number may have a relation before it (cost=>5 is a cost of
// more than 5; without one it is equal). Terms come in order of their names. An
// error is an [*Error].
func FromParams(params url.Values) (Query, error) {
	var q Query
	for _, name := range slices.Sorted(maps.Keys(params)) {
		for _, value := range params[name] {
			if len(q.Terms) == MaxTerms {
				return Query{}, &Error{Param: name, Want: fmt.Sprintf("at most %d terms", MaxTerms)}
			}
			term, err := param(name, value)
			if err != nil {
				err.Param = name
				return Query{}, err
			}
			q.Terms = append(q.Terms, term)
		}
	}
	return q, nil
}

// param reads one parameter by way of the language.
func param(name, value string) (t Term, _ *Error) {
	bare, not := strings.CutPrefix(name, "-")
	t.Not = not
	if len(value) > MaxLength {
		return t, &Error{Offset: MaxLength, Want: fmt.Sprintf("the end: a value has at most %d bytes", MaxLength)}
	}
	p := &parser{text: value}
	var err error
	switch {
	case isMeasure(bare):
		t.Is, err = p.number(search.Measure(bare), ":")
	case bare == "after" || bare == "before":
		t.Is, err = p.valued(bare)
	case bare == "text":
		t.Is, err = p.whole()
	case isField(bare):
		t.Is, err = p.alternatives(search.Field(bare))
	default:
		return t, &Error{Want: "a field of the search", Hint: nearest(bare)}
	}
	if err == nil && p.at < len(p.text) {
		err = p.want(p.at, "the end of the value")
	}
	if err != nil {
		return t, err.(*Error) // the parser makes no others
	}
	return t, nil
}

// whole reads everything that is left as one text.
func (p *parser) whole() (Condition, error) {
	if err := p.clean(); err != nil {
		return nil, err
	}
	if strings.TrimSpace(p.text) == "" || len(p.text) > MaxValue {
		return nil, p.want(0, "words, of at most %d bytes", MaxValue)
	}
	p.at = len(p.text)
	return Text{p.text}, nil
}

func (p *parser) alternatives(f search.Field) (Condition, error) {
	if err := p.clean(); err != nil {
		return nil, err
	}
	m := Match{Field: f}
	for part := range strings.SplitSeq(p.text, ",") {
		text, prefix := strings.CutSuffix(part, "*")
		switch {
		case strings.Contains(text, "*"):
			return nil, p.want(p.at+strings.Index(text, "*"), "a star at the end of a value alone")
		case len(text) > MaxValue:
			return nil, p.want(p.at, "a value of at most %d bytes", MaxValue)
		case len(m.Any) == MaxValues:
			return nil, p.want(p.at, "at most %d values of a field", MaxValues)
		}
		m.Any = append(m.Any, search.Pattern{Text: text, Prefix: prefix})
		p.at += len(part) + 1
	}
	p.at = len(p.text)
	return m, nil
}

// clean refuses what the language has no text for.
func (p *parser) clean() error {
	for i, r := range p.text {
		if r == utf8.RuneError && !strings.HasPrefix(p.text[i:], string(utf8.RuneError)) || unicode.IsControl(r) {
			return p.want(i, "text in UTF-8 without control characters")
		}
	}
	return nil
}
